//! Tools that keep owners, modes and times, on tables that fix some of them: they finish without an error, and what is not
//! fixed is kept (CONTRACT 2.10).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::fixed_access::{FILE, ROW, config, mount};
use super::tool::{installed, run, shell};
use super::user::{Access, MEMBER, TEAM, access, is_denied, set_access};

/// Tools that keep owners, modes and times. The rows are `$1`, the table is `$2`.
const PRESERVING: [&str; 4] = [
    "cp -a \"$1\"/. \"$2\"",
    "rsync -a \"$1\"/ \"$2\"",
    "tar -C \"$1\" -cf - . | tar -C \"$2\" -xpf -",
    "for row in 71 72; do mkdir -p $2/$row; for file in memo note; do \
     install -p -m 604 $1/$row/$file $2/$row/$file; done; done",
];

/// The time of the rows and files that are copied.
const TIME: i64 = 1_000_000_000;

/// A tree of rows outside of the mount, with owners, modes and times of its own.
fn rows(mount: &Mount) -> PathBuf {
    let rows = mount.beside("rows");
    for row in ["71", "72"] {
        fs::create_dir_all(rows.join(row)).expect("a row");
        fs::write(rows.join(row).join("memo"), "a memo").expect("a file");
        fs::write(rows.join(row).join("note"), "a note").expect("a file");
        set_access(&rows.join(row).join("memo"), (7, 8, 0o604));
        set_access(&rows.join(row), (9, 10, 0o711));
    }
    set_access(&rows, (0, 0, 0o755));
    let touch = format!("touch -d @{TIME} $1/71/memo $1/71 $1/72");
    shell(&touch, &[&rows]).succeeded();
    rows
}

/// A path below a table, with its access and time.
type Shown = (PathBuf, Access, i64);

fn is_row(path: &Path) -> bool {
    path.components().count() == 1
}

/// Everything in a table.
fn shown(table: &Path) -> Vec<Shown> {
    let paths = ["71", "71/memo", "71/note", "72", "72/memo", "72/note"].map(PathBuf::from);
    let show = |path: PathBuf| {
        let there = table.join(&path);
        (path, access(&there), fs::metadata(&there).expect("stat").mtime())
    };
    paths.map(show).into()
}

/// A listing as a tool copies it: `install` does not keep the times of rows.
fn as_kept_by(tool: &str, mut shown: Vec<Shown>) -> Vec<Shown> {
    for (path, _, time) in &mut shown {
        if tool.contains("install") && is_row(path) {
            *time = 0;
        }
    }
    shown
}

fn remove_rows(table: &Path) {
    for row in ["71", "72"] {
        fs::remove_dir_all(table.join(row)).expect("removed");
    }
}

#[test]
fn tools_that_preserve_finish_for_root_as_on_a_local_disk() {
    if !installed("rsync") {
        return;
    }
    let Some((mount, _, open)) = mount(&config()) else { return };
    let (rows, local) = (rows(&mount), mount.beside("local"));
    fs::create_dir(&local).expect("a directory");
    let (user, page) = (mount.path("models/user"), open.with_file_name(""));
    for tool in PRESERVING {
        for target in [&user, &page, &local] {
            let done = shell(tool, &[&rows, target]);
            assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{tool} to {target:?}");
        }
        let theirs = shown(&local);
        assert_eq!(as_kept_by(tool, shown(&page)), as_kept_by(tool, theirs.clone()), "{tool}");
        for ((path, access, time), (.., local_time)) in shown(&user).iter().zip(&theirs) {
            assert_eq!(*access, if is_row(path) { ROW } else { FILE }, "{tool} {path:?}");
            assert!(is_row(path) || time == local_time, "{tool} {path:?}");
        }
        for table in [&user, &page, &local] {
            remove_rows(table);
        }
    }
}

#[test]
fn install_o_gives_files_away_unless_the_table_fixes_the_owner() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    let source = mount.outside("source", b"text").display().to_string();
    for (row, wanted) in [(&open, (7, 8, 0o604)), (&fixed, FILE)] {
        let target = row.join("memo").display().to_string();
        run("install", &["-o", "7", "-g", "8", "-m", "604", &source, &target]).succeeded();
        assert_eq!(access(&row.join("memo")), wanted);
        let done = MEMBER.run("install", &["-o", "7", &source, &target]);
        assert!(is_denied(&done), "only root gives files away; {done}");
    }
}

#[test]
fn tools_that_preserve_finish_for_a_plain_user_too() {
    if !installed("rsync") {
        return;
    }
    let Some((mount, _, _)) = mount(&config()) else { return };
    let (rows, team) = (rows(&mount), mount.path("models/team"));
    run("chown", &[Path::new("-R"), Path::new("1002:1002"), &rows]).succeeded();
    for tool in PRESERVING {
        let done = MEMBER.shell(tool, &[&rows, &team]);
        // The table itself belongs to root, as the directory that a tree is copied into may on a local disk.
        let about_the_table = |line: &&str| {
            line.contains("/models/team") && !line.contains("/7")
                || line.contains("tar: .")
                || line.starts_with("rsync error")
                || line.starts_with("tar: Exiting")
        };
        let other: Vec<_> = done.stderr.lines().filter(|line| !about_the_table(line)).collect();
        assert_eq!(other, [""; 0], "{tool}: {done}");
        for (path, (uid, gid, mode), _) in shown(&team) {
            assert_eq!((uid, gid), (MEMBER.uid, TEAM), "{tool} {path:?}");
            assert!(!is_row(&path) || mode == 0o777, "{tool} {path:?}");
        }
        assert_eq!(access(&team.join("71/memo")).2, 0o604, "{tool}");
        assert_eq!(fs::metadata(team.join("71/memo")).expect("stat").mtime(), TIME, "{tool}");
        remove_rows(&team);
    }
}

/// A file belongs to its writer until it is closed, and to the fixed owner from then on.
#[test]
fn a_plain_user_copies_to_a_table_that_fixes_the_owner() {
    if !installed("rsync") {
        return;
    }
    let Some((mount, fixed, _)) = mount(&config()) else { return };
    let (from, to) = (rows(&mount).join("71/memo"), fixed.join("memo"));
    run("chown", &[Path::new("-R"), Path::new("1002:1002"), &mount.beside("rows")]).succeeded();
    for tool in
        ["cp -p $1 $2", "rsync -a $1 $2", "tar -C ${1%/*} -cf - memo | tar -C ${2%/*} -xpf -"]
    {
        MEMBER.shell(tool, &[&from, &to]).succeeded();
        assert_eq!(access(&to), FILE, "{tool}");
        assert_eq!(fs::metadata(&to).expect("stat").mtime(), TIME, "{tool}");
        fs::remove_file(&to).expect("removed");
    }
    let done = MEMBER.shell("install -m 604 $1 $2", &[&from, &to]);
    assert!(is_denied(&done), "install sets the mode after the close");
}
