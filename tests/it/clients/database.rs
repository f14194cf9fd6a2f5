//! git and `SQLite` need more than a row offers, and fail with a clear message.

use std::fs;

use super::site;
use crate::mount::peer::Peer;
use crate::mount::tool::{installed, present, run};
use crate::mount::{names, picture, read};

/// The git of Debian, since PATH may find another one first.
const GIT: &str = "/usr/bin/git";

#[test]
fn git_makes_no_repository_in_a_row_and_changes_nothing() {
    if !present(GIT, std::path::Path::new(GIT).exists()) {
        return;
    }
    let Some(mount) = site() else { return };
    let row = mount.row();
    let avatar = mount.attach("avatar", &picture::good(1));
    let git = |arguments: &[&str]| run(GIT, arguments);
    let path = row.display().to_string();
    let done = git(&["init", &path]);
    assert_eq!((done.code, done.stderr), (1, format!("{path}/.git: Operation not permitted\n")));
    let done = git(&["-C", &path, "add", "avatar"]);
    assert_eq!(done.code, 128, "{done}");
    assert!(done.stderr.starts_with("fatal: not a git repository"), "{done}");
    let other = mount.beside("repository").display().to_string();
    git(&["init", "-q", &other]).succeeded();
    let clone = mount.path("models/user/77").display().to_string();
    let done = git(&["clone", "-q", &other, &clone]);
    assert_eq!((done.code, done.stderr), (1, format!("{clone}/.git: Operation not permitted\n")));
    assert_eq!(names(&mount.path("models/user")), ["42"], "git has removed its row");
    assert_eq!(names(&row), ["avatar"]);
    assert_eq!(read(&avatar), picture::good(1));

    // A repository outside of the mount may track the tree.
    let git_dir = format!("--git-dir={other}/.git");
    let tree = format!("--work-tree={path}");
    git(&[&git_dir, &tree, "add", "-A"]).succeeded();
    let status = git(&[&git_dir, &tree, "status", "--porcelain"]);
    assert_eq!(status.stdout, "A  avatar\n");
}

/// Makes a database of one table with one row.
const MAKE: &str = "create table t(a); insert into t values('kept')";
const READ: &str = "select * from t; pragma integrity_check";

#[test]
fn sqlite_reads_a_database_in_a_field_and_changes_none() {
    if !installed("sqlite3") {
        return;
    }
    let Some(mount) = site() else { return };
    let path = mount.outside("source.db", b"");
    let source = path.display().to_string();
    run("sqlite3", &[&source, MAKE]).succeeded();
    let memo = mount.attach("memo", &read(&path)).display().to_string();
    assert_eq!(run("sqlite3", &[&memo, READ]).stdout, "kept\nok\n");
    let changes =
        ["insert into t values('lost')", "pragma journal_mode=wal; insert into t values(1)"];
    for change in changes {
        let done = run("sqlite3", &[&memo, change]);
        assert_eq!(done.code, 14, "{done}");
        assert!(done.stderr.contains("unable to open database file (14)"), "{done}");
    }
    assert_eq!(read(memo.as_ref()), read(&path), "the database is unchanged");
    assert_eq!(names(&mount.row()), ["memo"], "no other file is left");
    for field in ["avatar", "note"] {
        let done = run("sqlite3", &[mount.row().join(field).display().to_string().as_str(), MAKE]);
        assert_eq!(done.code, 14, "{field}: {done}");
    }
}

#[test]
fn sqlite_works_under_a_scratch_name_and_attaches_by_rename() {
    if !installed("sqlite3") {
        return;
    }
    let (Some(mount), Some(mut peer)) = (site(), Peer::start()) else { return };
    let scratch = mount.row().join("new.db");
    let path = scratch.display().to_string();
    run("sqlite3", &[path.as_str(), MAKE]).succeeded();
    // A second writer is refused while the first holds the locks of the database.
    let database = format!("__import__('sqlite3').connect({path:?}, isolation_level=None)");
    peer.tell(&format!("(db := {database}) and None"));
    peer.tell("db.execute('begin immediate') and None");
    let done = run("sqlite3", &[path.as_str(), "insert into t values('late')"]);
    assert_eq!(done.code, 5, "SQLITE_BUSY; {done}");
    peer.tell("db.execute('rollback') and None");
    peer.tell("db.close()");
    fs::rename(&scratch, mount.row().join("memo")).expect("attached");
    let memo = mount.row().join("memo").display().to_string();
    assert_eq!(run("sqlite3", &[&memo, READ]).stdout, "kept\nok\n");
}
