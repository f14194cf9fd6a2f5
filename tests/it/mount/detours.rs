//! Ways to a file that the kernel does not check: by an alias, by `row.json`, by a copy that a rename makes, by a commit. Every user
//! gets the answers of a local disk there, too (CONTRACT 9).

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::daemon::Mount;
use super::tool::Done;
use super::user::{
    Access, MEMBER, OWNER, ROOT, STRANGER, TEAM, User, access, is_denied, may_become_others,
    set_access,
};
use super::web_server::Server;
use super::{EPERM, errno, listed, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("mount.allow_other = true")
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file")
        .field("avatar", "image")
        .field("photos", "file, collection = 'list'")
        .table("open", "integer")
        .with("tables.open.dir_mode = '0777'")
        .with("tables.open.file_mode = '0644'")
        .field("memo", "file")
}

/// A mount that other users reach.
fn mount() -> Option<Mount> {
    may_become_others().then(|| config().mount())?
}

/// A user's document, for `cp`, which notices the answer of close.
fn document(mount: &Mount, text: &Value) -> PathBuf {
    let path = mount.outside("document.json", text.to_string().as_bytes());
    set_access(&path, (0, 0, 0o644));
    path
}

/// Ways to the file `memo` of a row, which is `$1`, and the same on a local disk. `$2` detaches `memo` by `row.json`, `$3`
/// describes it.
const WAYS: [(&str, &str, &str); 11] = [
    ("create under an alias", "echo new > $1/memo.csv", "rm -f $1/memo && echo new > $1/memo"),
    (
        "rename to an alias",
        "echo new > $1/.p.tmp && mv -f $1/.p.tmp $1/memo.csv",
        "echo new > $1/.p.tmp && mv -f $1/.p.tmp $1/memo",
    ),
    (
        "rename of a field to an alias",
        "echo new > $1/note && mv -f $1/note $1/memo.csv",
        "echo new > $1/note && mv -f $1/note $1/memo",
    ),
    ("write to an alias", "echo new > $1/memo.txt", "echo new > $1/memo"),
    ("unlink of an alias", "rm -f $1/memo.txt", "rm -f $1/memo"),
    ("null in row.json", "cp $2 $1/row.json", "rm -f $1/memo"),
    (
        "metadata in row.json",
        "cp $3 $1/row.json",
        "test -w $1 && setfattr -n user.x -v y $1/memo || { echo 'x: Permission denied' >&2; exit 1; }",
    ),
    (
        "the hash in row.json",
        "grep -q '\"hash\"' $1/row.json || { echo 'x: Permission denied' >&2; exit 1; }",
        "cat $1/memo > /dev/null",
    ),
    ("read of the URL", "cat $1/memo.url > /dev/null", "cat $1/memo > /dev/null"),
    (
        "rename to scratch, and read that",
        "mv $1/memo $1/.b.tmp && cat $1/.b.tmp",
        "mv $1/memo $1/.b.tmp && cat $1/.b.tmp",
    ),
    (
        "copy of row.json by a rename",
        "cp $1/row.json $1/.c.tmp && grep -q '\"hash\"' $1/.c.tmp || { echo 'x: Permission denied' >&2; exit 1; }",
        "echo > $1/.c.tmp && cat $1/memo > /dev/null",
    ),
];

/// The outcome of a way, and the file afterwards.
fn outcome(user: User, way: &str, row: &Path, documents: &[PathBuf; 2]) -> String {
    let Done { code, stdout, stderr } = user.shell(way, &[row, &documents[0], &documents[1]]);
    let reason = stderr.lines().next().and_then(|line| line.rsplit(": ").next()).unwrap_or("");
    let mut told = format!("{} {stdout:?} {reason}", code == 0);
    let memo = row.join("memo");
    if memo.exists() {
        write!(told, " {:?} {}", access(&memo), read(&memo).0.escape_ascii()).expect("text");
    }
    told
}

/// Makes the row 42 anew, with a file of a member.
fn prepare(table: &Path, row_mode: u32, file: Access) -> PathBuf {
    for row in names(table) {
        fs::remove_dir_all(table.join(row)).expect("removed");
    }
    let row = table.join("42");
    fs::create_dir(&row).expect("a row");
    fs::write(row.join("memo"), "stored").expect("a file");
    set_access(&row.join("memo"), file);
    set_access(&row, (OWNER.uid, TEAM, row_mode));
    row
}

#[test]
fn every_way_to_a_file_has_the_answers_of_a_local_disk() {
    let Some(mount) = mount() else { return };
    let local = mount.beside("local");
    fs::create_dir(&local).expect("a directory");
    let table = mount.path("models/user");
    let documents = [json!({"memo": null}), json!({"memo": {"alt": "me"}})].map(|text| {
        let path = mount.beside(&format!("{}.json", text["memo"].is_null()));
        fs::rename(document(&mount, &text), &path).expect("renamed");
        path
    });
    let mut differences = String::new();
    // The owner of the row is in the group of the file by its first group, or by another.
    for group in [OWNER.uid, TEAM] {
        for (row_mode, file_mode) in [0o755, 0o777, 0o1777]
            .into_iter()
            .flat_map(|row| [0o600, 0o640, 0o664].map(|it| (row, it)))
        {
            for user in [ROOT, OWNER, MEMBER, STRANGER] {
                for (name, way, same) in WAYS {
                    let file = (MEMBER.uid, group, file_mode);
                    let ours = outcome(user, way, &prepare(&table, row_mode, file), &documents);
                    let theirs = outcome(user, same, &prepare(&local, row_mode, file), &documents);
                    if ours != theirs {
                        let case = format!("{name} by {} in {row_mode:o}/{file_mode:o}", user.uid);
                        writeln!(
                            differences,
                            "{case}, group {group}\nours: {ours}\nlocal: {theirs}"
                        )
                        .expect("text");
                    }
                }
            }
        }
    }
    assert_eq!(differences, "");
}

/// A row in which everybody writes and only owners remove. Its owner is none of the users.
fn sticky_row(mount: &Mount) -> PathBuf {
    let row = mount.row();
    set_access(&row, (4000, 4000, 0o1777));
    row
}

#[test]
fn row_json_says_of_a_file_that_the_reader_may_not_read_what_ls_says() {
    let Some(mount) = mount() else { return };
    let row = mount.row();
    set_access(&row, (OWNER.uid, TEAM, 0o777));
    fs::write(row.join("memo"), "secret").expect("taken");
    fs::write(row.join("note"), "open").expect("taken");
    for (name, mode) in [("a", 0o644), ("b", 0o600), ("c", 0o644)] {
        fs::write(row.join("photos").join(name), name).expect("taken");
        set_access(&row.join("photos").join(name), (OWNER.uid, TEAM, mode));
    }
    set_access(&row.join("memo"), (OWNER.uid, TEAM, 0o640));
    let seen = |user: User| {
        let done = user.shell("cat $1/row.json; stat -c %s $1/row.json >&2", &[&row]);
        assert_eq!(done.stderr, format!("{}\n", done.stdout.len()), "the size is the reader's own");
        serde_json::from_str::<Value>(&done.stdout).expect("JSON")
    };
    let whole = seen(ROOT);
    assert_eq!(seen(OWNER), whole, "one document for all who may read everything");
    assert!(whole["memo"]["hash"].is_string() && whole["photos"][1]["key"].is_string());
    let theirs = seen(STRANGER);
    assert_eq!((&theirs["memo"], &theirs["note"]), (&json!({"length": 6}), &whole["note"]));
    let photos = &theirs["photos"];
    assert_eq!(photos[1], json!({"name": "b", "length": 1}));
    assert_eq!((&photos[0], &photos[2]), (&whole["photos"][0], &whole["photos"][2]));
    let member = seen(MEMBER);
    assert_eq!((&member["memo"], &member["photos"][1]), (&whole["memo"], &photos[1]));

    // A document that was read is no change when it is written back, and values cannot be tried.
    let copy = document(&mount, &theirs);
    STRANGER.run("cp", &[&copy, &row.join("row.json")]).succeeded();
    assert_eq!(seen(ROOT), whole);
    assert_eq!(listed(&row.join("photos")), ["a", "b", "c"]);
    let guess = document(&mount, &json!({"memo": {"hash": whole["memo"]["hash"]}}));
    let done = STRANGER.run("cp", &[&guess, &row.join("row.json")]);
    assert_eq!(done.code, 1, "{done}");
    let said = STRANGER.shell("cat $1/.mediafs/last-error", &[&mount.mountpoint()]).stdout;
    assert!(said.contains("`hash` is not what is stored"), "as of a wrong guess: {said}");
}

#[test]
fn an_item_of_another_user_is_neither_detached_nor_described_by_row_json() {
    let Some(mount) = mount() else { return };
    let row = sticky_row(&mount);
    for (user, name) in [(OWNER, "theirs"), (MEMBER, "mine")] {
        user.shell(&format!("echo text > $1/photos/{name}"), &[&row]).succeeded();
    }
    let write = |text: Value| MEMBER.run("cp", &[document(&mount, &text), row.join("row.json")]);
    for refused in [
        json!({"photos": {"theirs": null}}),
        json!({"photos": {"mine": null, "theirs": null}}),
        json!({"photos": null, "$detach": ["photos"]}),
        json!({"photos": {"theirs": {"caption": "x"}}}),
        json!({"photos": {"theirs": {"original_filename": "x"}}}),
    ] {
        let done = write(refused.clone());
        assert!(is_denied(&done), "{refused}: {done}");
        assert_eq!(names(&row.join("photos")), ["mine", "theirs"], "{refused}");
    }
    write(json!({"photos": {"mine": {"caption": "x"}}})).succeeded();
    write(json!({"photos": {"mine": null}})).succeeded();
    assert_eq!(names(&row.join("photos")), ["theirs"]);
}

#[test]
fn a_commit_displaces_no_file_of_another_user_that_came_meanwhile_in_a_sticky_row() {
    let Some(mount) = mount() else { return };
    let row = sticky_row(&mount);
    // Only the end of the subshell closes the file: a child's close judges nothing.
    let script = "( printf 'mine\\n'; sh -c 'echo begun > $0' $2; \
                  while ! test -s $3; do sleep 0.05; done ) > $1/memo";
    let (begun, done) = (mount.outside("begun", b""), mount.outside("done", b""));
    set_access(&begun, (0, 0, 0o666));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| MEMBER.shell(script, &[&row, &begun, &done]));
        crate::wait::until("the draft is open", || !read(&begun).0.is_empty());
        OWNER.shell("echo theirs > $1/.t && mv $1/.t $1/memo.csv", &[&row]).succeeded();
        set_access(&row.join("memo"), (OWNER.uid, TEAM, 0o644));
        fs::write(&done, "now").expect("told");
        writer.join().expect("ended");
    });
    assert_eq!(read(&row.join("memo")), b"theirs\n");
    let said = MEMBER.shell("cat $1/.mediafs/last-error", &[&mount.mountpoint()]).stdout;
    assert!(said.contains("user/42/memo: the file there is another user's"), "{said}");
    assert_eq!(mount.kept().bytes(), b"mine\n", "what was sent is kept");
}

#[test]
fn a_download_displaces_no_file_of_another_user_that_came_meanwhile_in_a_sticky_row() {
    let server = Server::start();
    let config = config().with(&format!("fetch.allow = ['{}']", server.address));
    let Some(mount) = may_become_others().then(|| config.mount()).flatten() else { return };
    let row = sticky_row(&mount);
    let write = format!("printf %s {} > $1/avatar.url", server.url("/held"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| MEMBER.shell(&write, &[&row]));
        let downloads = || mount.status()["downloads"][0]["received"].as_u64();
        crate::wait::until("half has come", || downloads().is_some_and(|bytes| bytes > 0));
        fs::write(row.join(".a.png"), picture::good(9)).expect("scratch");
        fs::rename(row.join(".a.png"), row.join("avatar.png")).expect("taken");
        server.release();
        writer.join().expect("ended");
    });
    assert_eq!(read(&row.join("avatar")), picture::good(9));
    let said = MEMBER.shell("cat $1/.mediafs/last-error", &[&mount.mountpoint()]).stdout;
    assert!(said.contains("user/42/avatar: the file there is another user's"), "{said}");
}

/// Two writers of a file that both may write replace it in turn, as on a local disk; and a writer's own commit is its own.
#[test]
fn writers_who_may_write_a_file_replace_it_in_a_sticky_row_too() {
    let Some(mount) = mount() else { return };
    let row = sticky_row(&mount);
    fs::write(row.join("memo"), "stored").expect("taken");
    set_access(&row.join("memo"), (OWNER.uid, TEAM, 0o666));
    let mut first = File::options().write(true).open(row.join("memo")).expect("opened");
    STRANGER.shell("echo theirs > $1/memo", &[&row]).succeeded();
    first.write_all(b"ours").expect("sent");
    drop(first);
    let twice = "exec 3> $1/memo; echo one >&3; exec 4>&3; exec 4>&-; echo two >&3";
    STRANGER.shell(twice, &[&row]).succeeded();
    assert_eq!(read(&row.join("memo")), b"one\ntwo\n");
    MEMBER
        .shell("exec 3> $1/note; echo one >&3; exec 4>&3; exec 4>&-; echo two >&3", &[&row])
        .succeeded();
    assert_eq!(read(&row.join("note")), b"one\ntwo\n");
}

#[test]
fn a_restored_or_retried_file_displaces_no_file_of_another_user_from_a_sticky_row() {
    let Some(mount) = mount() else { return };
    let row = sticky_row(&mount);
    MEMBER.shell("echo lost > $1/memo && rm $1/memo", &[&row]).succeeded();
    let half = mount.outside("half.png", &picture::cut_short(1));
    set_access(&half, (0, 0, 0o644));
    assert_eq!(MEMBER.run("cp", &[half, row.join("avatar")]).code, 1);
    OWNER.shell("echo theirs > $1/memo", &[&row]).succeeded();
    let (lost, kept) = (mount.lost(), mount.kept().file);
    for from in [&lost, &kept] {
        for to in ["memo", "memo.csv"] {
            let done = MEMBER.shell(&format!("mv -f $1 $2/{to}"), &[from, &row]);
            assert!(is_denied(&done), "{to}: {done}");
            assert_eq!(read(&row.join("memo")), b"theirs\n");
        }
    }
    MEMBER.shell("mv -f $1 $2/note", &[&lost, &row]).succeeded();
    MEMBER
        .shell("ln -s http://192.0.2.1/x $1/.l && ! mv -f $1/.l $1/memo.csv", &[&row])
        .succeeded();
    assert_eq!(read(&row.join("memo")), b"theirs\n");
}

/// A table that fixes modes opens what is moved there: only those who may read a file move it there.
#[test]
fn a_move_into_a_table_with_other_modes_opens_no_file() {
    let Some(mount) = mount() else { return };
    let (row, open) = (mount.row(), mount.path("models/open/1"));
    fs::create_dir(&open).expect("a row");
    set_access(&row, (OWNER.uid, TEAM, 0o777));
    fs::write(row.join("memo"), "secret").expect("taken");
    set_access(&row.join("memo"), (OWNER.uid, TEAM, 0o640));
    let done = STRANGER.shell("mv -f $1/memo $2/memo", &[&row, &open]);
    assert!(is_denied(&done), "{done}");
    assert!(row.join("memo").exists() && !open.join("memo").exists());
    MEMBER.shell("mv -f $1/memo $2/memo", &[&row, &open]).succeeded();
    assert_eq!(access(&open.join("memo")), (OWNER.uid, TEAM, 0o644));
    let scratch = open.join(".x");
    fs::write(&scratch, "x").expect("scratch");
    assert_eq!(errno(fs::rename(scratch, open.join("last-error"))), super::EROFS);
    assert_eq!(errno(fs::remove_file(open.join("row.json"))), EPERM);
}
