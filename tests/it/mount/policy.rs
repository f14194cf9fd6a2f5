//! Tables that fix owner, group and modes: files that are made or moved there
//! have them. Tools that set others succeed and change nothing (CONTRACT 2.10).

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::server::Server;
use super::tool::{Done, installed, run};
use super::user::{MEMBER, OWNER, TEAM, is_denied, may_become_others};
use super::{EXDEV, errno, names, picture, read};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("mount.allow_other = true")
        // Fixes all.
        .table("user", "integer")
        .with("tables.user.owner = '1001:2000'")
        .with("tables.user.file_mode = '0640'")
        .with("tables.user.dir_mode = '0775'")
        .field("memo", "file")
        .field("note", "file")
        .field("secret", "file, mode = '0600'")
        .field("avatar", "image, keep_original = true")
        .field("photos", "file, collection = 'list'")
        // Fixes the group.
        .table("team", "integer")
        .with("tables.team.group = '2000'")
        .with("tables.team.dir_mode = '0777'")
        .field("memo", "file")
        .field("note", "file")
        // Fixes nothing.
        .table("page", "name")
        .field("memo", "file")
        .field("note", "file")
        .field("avatar", "image")
        .with("boxes.inbox = { into = 'user.memo', id = '{counter}', settle = '1s' }")
}

const FILE: (u32, u32, u32) = (OWNER.uid, TEAM, 0o640);
const ROW: (u32, u32, u32) = (OWNER.uid, TEAM, 0o775);

/// A mount with a row in each of two tables: one that fixes all, and one that fixes nothing.
fn mount(config: &Config) -> Option<(Mount, PathBuf, PathBuf)> {
    if !may_become_others() {
        return None;
    }
    let mount = config.mount()?;
    let (fixed, open) = (mount.row(), mount.path("models/page/x"));
    fs::create_dir(&open).expect("a row");
    Some((mount, fixed, open))
}

/// Owner, group and permission bits of a path.
fn access(path: &Path) -> (u32, u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (meta.uid(), meta.gid(), meta.mode() & 0o7777)
}

fn set(path: &Path, (uid, gid, mode): (u32, u32, u32)) {
    chown(path, Some(uid), Some(gid)).expect("chown");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

fn give(path: &Path, arguments: &[&str]) -> Done {
    let path = path.to_str().expect("UTF-8");
    run(arguments[0], &[&arguments[1..], &[path]].concat())
}

#[test]
fn whatever_is_made_in_a_table_has_what_it_fixes() {
    let Some((mount, row, _)) = mount(&config()) else { return };
    assert_eq!(access(&mount.path("models/user")), ROW, "the table itself");
    assert_eq!(access(&mount.path("thumbs/user")), ROW);
    assert_eq!(access(&mount.path("drop/inbox")), ROW, "a box looks like its table");
    for directory in [row.clone(), row.join("photos"), mount.path("thumbs/user/42")] {
        assert_eq!(access(&directory), ROW, "{directory:?}");
    }
    fs::write(row.join("memo"), "written").expect("taken");
    fs::write(row.join(".part"), "renamed").expect("scratch");
    assert_eq!(access(&row.join(".part")), (0, 0, 0o600), "scratch is its writer's");
    fs::rename(row.join(".part"), row.join("note")).expect("taken");
    fs::write(row.join(".part"), "linked").expect("scratch");
    fs::hard_link(row.join(".part"), row.join("photos/1")).expect("taken");
    fs::write(row.join("photos/2"), "an item").expect("taken");
    fs::write(row.join("avatar"), picture::good(1)).expect("taken");
    fs::write(row.join("secret"), "for the owner").expect("taken");
    for name in ["memo", "note", "photos/1", "photos/2", "avatar"] {
        assert_eq!(access(&row.join(name)), FILE, "{name}");
    }
    assert_eq!(access(&row.join("secret")), (OWNER.uid, TEAM, 0o600), "the field's own mode");
    assert_eq!(access(&mount.path("originals/user/42")), ROW);
    assert_eq!(access(&mount.path("originals/user/42/avatar")), FILE);
    assert_eq!(access(&row.join("row.json")), (OWNER.uid, TEAM, 0o664));
    assert_eq!(access(&row.join("memo.url")), FILE);
    MEMBER.shell("echo of a member > $1/memo; mkdir $1/../43", &[&row]).succeeded();
    assert_eq!(access(&row.join("memo")), FILE);
    assert_eq!(access(&row.with_file_name("43")), ROW);
}

#[test]
fn what_is_fetched_dropped_or_tried_again_has_it_too() {
    let server = Server::start();
    let config = config().with(&format!("fetch.allow = ['{}']", server.address));
    let Some((mount, row, _)) = mount(&config) else { return };
    std::os::unix::fs::symlink(server.url("/1.png"), row.join("avatar")).expect("fetched");
    assert_eq!(access(&row.join("avatar")), FILE);
    fs::remove_file(row.join("avatar")).expect("removed");
    fs::write(row.join("avatar.url"), server.url("/1.png")).expect("written");
    assert_eq!(access(&row.join("avatar")), FILE);

    let half = mount.outside("half.png", &picture::cut_short(2)).display().to_string();
    assert_eq!(give(&row.join("avatar"), &["cp", &half]).code, 1, "refused when it is closed");
    let quarantine = mount.path(".mediafs/quarantine");
    let [id] = &names(&quarantine)[..] else { panic!("{:?}", names(&quarantine)) };
    fs::rename(quarantine.join(id).join("avatar"), row.join("memo")).expect("tried again");
    assert_eq!(access(&row.join("memo")), FILE);

    fs::write(mount.path("drop/inbox/x.part"), "dropped").expect("scratch");
    fs::rename(mount.path("drop/inbox/x.part"), mount.path("drop/inbox/x")).expect("finished");
    let dropped = mount.path("models/user/43/memo");
    until("the file arrives", || dropped.exists());
    assert_eq!((access(&dropped), access(&mount.path("models/user/43"))), (FILE, ROW));
}

#[test]
fn what_is_moved_in_gets_what_is_fixed_there_and_keeps_the_rest() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    fs::write(open.join("memo"), "moved").expect("taken");
    set(&open.join("memo"), (7, 8, 0o666));
    let inode = fs::metadata(open.join("memo")).expect("stat").ino();
    fs::rename(open.join("memo"), fixed.join("memo")).expect("moved in");
    assert_eq!(access(&fixed.join("memo")), FILE);
    assert_eq!(fs::metadata(fixed.join("memo")).expect("stat").ino(), inode);
    fs::rename(fixed.join("memo"), open.join("memo")).expect("moved out");
    assert_eq!(access(&open.join("memo")), FILE, "where nothing is fixed it stays as it is");

    let team = mount.path("models/team/1");
    fs::create_dir(&team).expect("a row");
    set(&open.join("memo"), (7, 8, 0o604));
    fs::rename(open.join("memo"), team.join("memo")).expect("moved in");
    assert_eq!(access(&team.join("memo")), (7, TEAM, 0o604), "the group alone is fixed");

    fs::write(fixed.join("secret"), "secret").expect("taken");
    fs::rename(fixed.join("secret"), fixed.join("memo")).expect("moved");
    assert_eq!(access(&fixed.join("memo")), FILE, "another field of the table");
}

#[test]
fn an_exchange_gives_each_what_is_fixed_where_it_comes() {
    let Some((_mount, fixed, open)) = mount(&config()) else { return };
    fs::write(fixed.join("secret"), "one").expect("taken");
    fs::write(fixed.join("memo"), "two").expect("taken");
    let exchange = RenameFlags::EXCHANGE;
    renameat_with(CWD, fixed.join("secret"), CWD, fixed.join("memo"), exchange).expect("exchanged");
    assert_eq!(
        (read(&fixed.join("secret")).0, read(&fixed.join("memo")).0),
        (b"two".to_vec(), b"one".to_vec())
    );
    assert_eq!(access(&fixed.join("secret")).2, 0o600);
    assert_eq!(access(&fixed.join("memo")), FILE);
    fs::write(open.join("memo"), "three").expect("taken");
    set(&open.join("memo"), (7, 8, 0o666));
    renameat_with(CWD, open.join("memo"), CWD, fixed.join("memo"), exchange).expect("exchanged");
    assert_eq!((access(&fixed.join("memo")), access(&open.join("memo"))), (FILE, FILE));
    assert_eq!(read(&fixed.join("memo")), b"three");
}

/// A file has one owner and one mode, so a second name cannot fix others.
#[test]
fn a_second_name_that_would_change_a_file_is_exdev_and_mv_copies() {
    let Some((_mount, fixed, open)) = mount(&config()) else { return };
    fs::write(open.join("memo"), "shared").expect("taken");
    assert_eq!(errno(fs::hard_link(open.join("memo"), fixed.join("memo"))), EXDEV);
    fs::hard_link(open.join("memo"), open.join("note")).expect("linked");
    assert_eq!(errno(fs::rename(open.join("note"), fixed.join("memo"))), EXDEV);
    run("mv", &[open.join("note"), fixed.join("memo")]).succeeded();
    assert_eq!((access(&fixed.join("memo")), access(&open.join("memo"))), (FILE, (0, 0, 0o644)));
    assert!(!open.join("note").exists());
    fs::hard_link(fixed.join("memo"), fixed.join("note")).expect("the same is fixed there");
    fs::hard_link(fixed.join("memo"), open.join("note")).expect("and nothing there");
    give(&open.join("note"), &["chmod", "666"]).succeeded();
    assert_eq!(access(&open.join("note")), FILE, "by whichever name it is asked");
}

#[test]
fn what_is_restored_from_the_trash_gets_what_is_fixed_where_it_goes() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    let lost = |file: &Path| {
        fs::remove_file(file).expect("removed");
        let day = mount.path("trash").join(&names(&mount.path("trash"))[0]);
        day.join(&names(&day)[0])
    };
    for (verb, name) in [("mv", "memo"), ("ln", "note")] {
        fs::write(open.join("memo"), verb).expect("taken");
        set(&open.join("memo"), (7, 8, 0o666));
        let lost = lost(&open.join("memo"));
        assert_eq!(access(&lost), (7, 8, 0o666), "as it was");
        run(verb, &[lost, fixed.join(name)]).succeeded();
        assert_eq!(access(&fixed.join(name)), FILE, "{verb}");
    }
    let lost = lost(&fixed.join("memo"));
    let name = lost.file_name().and_then(|name| name.to_str()).expect("a name");
    let day = lost.parent().and_then(Path::file_name).and_then(|day| day.to_str()).expect("a day");
    mount.command(&["restore", &format!("{day}/{name}"), "user/42/secret"]).succeeded();
    assert_eq!(access(&fixed.join("secret")), (OWNER.uid, TEAM, 0o600));
    run("rm", &[Path::new("-r"), &fixed]).succeeded();
    let note = names(&mount.path("trash").join(day)).into_iter().find(|it| it.contains("note"));
    mount.command(&["restore", &format!("{day}/{}", note.expect("the note"))]).succeeded();
    assert_eq!(access(&fixed.join("note")), FILE);
    assert_eq!(access(&fixed), ROW, "the row is made again");
}

#[test]
fn chown_and_chmod_to_anything_else_succeed_and_change_nothing() {
    let Some((mount, row, _)) = mount(&config()) else { return };
    fs::write(row.join("memo"), "text").expect("taken");
    fs::write(row.join("photos/1"), "text").expect("taken");
    fs::write(row.join("avatar"), picture::good(1)).expect("taken");
    for path in [
        row.join("memo"),
        row.join("photos/1"),
        row.join("photos"),
        row.clone(),
        mount.path("originals/user/42/avatar"),
        mount.path("models/user"),
        mount.path("models"),
        mount.mountpoint(),
        mount.path("drop"),
        mount.path("drop/inbox"),
    ] {
        let before = access(&path);
        for command in [
            &["chown", "7:8"][..],
            &["chmod", "0777"],
            &["chgrp", "9"],
            &["chmod", "g-w"],
            &["touch", "-d@1000000000"],
        ] {
            give(&path, command).succeeded();
            assert_eq!(access(&path), before, "{command:?} {path:?}");
        }
    }
    assert_eq!(fs::metadata(row.join("memo")).expect("stat").mtime(), 1_000_000_000, "times are");
    assert_eq!(fs::metadata(&row).expect("stat").mtime(), 1_000_000_000);
    let open = File::options().write(true).open(row.join("memo")).expect("a draft");
    open.set_permissions(Permissions::from_mode(0o777)).expect("fchmod");
    std::os::unix::fs::fchown(&open, Some(7), Some(8)).expect("fchown");
    drop(open);
    assert_eq!(access(&row.join("memo")), FILE);
}

#[test]
fn where_no_mode_is_set_programs_and_their_umask_decide() {
    let Some((_mount, _, open)) = mount(&config()) else { return };
    set(&open, (OWNER.uid, TEAM, 0o777));
    let made = |script: &str| {
        OWNER.shell(&format!("rm -f $1/memo; {script}"), &[&open]).succeeded();
        access(&open.join("memo")).2
    };
    assert_eq!(made("umask 022; echo x > $1/memo"), 0o644);
    assert_eq!(made("umask 077; echo x > $1/memo"), 0o600);
    assert_eq!(made("umask 002; echo x > $1/memo"), 0o664);
    assert_eq!(made("umask 022; touch $1/memo; echo x > $1/memo"), 0o644);
    assert_eq!(made("umask 022; echo x > $1/.memo.part; mv $1/.memo.part $1/memo"), 0o644);
    assert_eq!(made("umask 077; echo x > $1/.memo.part; mv $1/.memo.part $1/memo"), 0o600);
    assert_eq!(made("umask 077; echo x > $1/.p; chmod 640 $1/.p; mv $1/.p $1/memo"), 0o640);
    assert_eq!(made("install -m 604 /etc/hostname $1/memo"), 0o604);
    assert_eq!(made("umask 022; echo x > $1/memo; chmod 606 $1/memo; echo y > $1/memo"), 0o606);
    assert_eq!(
        made("umask 022; echo x > $1/memo; chmod 606 $1/memo; sed -i s/x/z/ $1/memo"),
        0o606
    );
    assert_eq!(access(&open.join("memo")).0, OWNER.uid);
    let table = open.with_file_name("");
    run(
        "sh",
        &[Path::new("-c"), Path::new("umask 027; mkdir $0/y; umask 0; mkdir -m 700 $0/z"), &table],
    )
    .succeeded();
    assert_eq!((access(&table.join("y")).2, access(&table.join("z")).2), (0o750, 0o700));
}

/// A tree of rows outside of the mount, with owners, modes and times of its own.
fn rows(mount: &Mount) -> PathBuf {
    let rows = mount.outside("unused", b"").with_file_name("rows");
    for row in ["71", "72"] {
        fs::create_dir_all(rows.join(row)).expect("a row");
        fs::write(rows.join(row).join("memo"), "a memo").expect("a file");
        fs::write(rows.join(row).join("note"), "a note").expect("a file");
        set(&rows.join(row).join("memo"), (7, 8, 0o604));
        set(&rows.join(row), (9, 10, 0o711));
    }
    set(&rows, (0, 0, 0o755));
    for path in ["71/memo", "71", "72"] {
        run("touch", &["-d@1000000000", rows.join(path).to_str().expect("UTF-8")]).succeeded();
    }
    rows
}

/// Tools that keep owners, modes and times. The rows are `$1`, the table is `$2`.
const PRESERVING: [&str; 4] = [
    "cp -a \"$1\"/. \"$2\"",
    "rsync -a \"$1\"/ \"$2\"",
    "tar -C \"$1\" -cf - . | tar -C \"$2\" -xpf -",
    "for row in 71 72; do mkdir -p $2/$row; for file in memo note; do \
     install -p -m 604 $1/$row/$file $2/$row/$file; done; done",
];

/// Owner, group, mode and time of everything in a table.
fn shown(table: &Path) -> Vec<(PathBuf, (u32, u32, u32), i64)> {
    let mut found = Vec::new();
    for row in ["71", "72"] {
        for path in [row.into(), format!("{row}/memo"), format!("{row}/note")] {
            let there = table.join(&path);
            let time = fs::metadata(&there).expect("stat").mtime();
            found.push((PathBuf::from(path), access(&there), time));
        }
    }
    found
}

#[test]
fn tools_that_preserve_finish_for_root_as_on_a_local_disk() {
    if !installed("rsync") {
        return;
    }
    let Some((mount, _, open)) = mount(&config()) else { return };
    let (rows, local) = (rows(&mount), mount.outside("unused", b"").with_file_name("local"));
    let (user, page) = (mount.path("models/user"), open.with_file_name(""));
    for tool in PRESERVING {
        fs::create_dir(&local).expect("a directory");
        for target in [&user, &page, &local] {
            let done = super::tool::shell(tool, &[&rows, target]);
            assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{tool} to {target:?}");
        }
        let (theirs, free, fixed) = (shown(&local), shown(&page), shown(&user));
        assert_eq!(
            without_times_of_rows(tool, &free),
            without_times_of_rows(tool, &theirs),
            "{tool}"
        );
        for ((path, access, time), (.., local_time)) in fixed.iter().zip(&theirs) {
            let directory = path.components().count() == 1;
            assert_eq!(*access, if directory { ROW } else { FILE }, "{tool} {path:?}");
            assert!(directory || time == local_time, "{tool} {path:?}");
        }
        fs::remove_dir_all(&local).expect("removed");
        for row in ["71", "72"] {
            fs::remove_dir_all(user.join(row)).expect("removed");
            fs::remove_dir_all(page.join(row)).expect("removed");
        }
    }
}

/// The entries without the times of rows: `install` does not set those.
fn without_times_of_rows<'a>(
    tool: &str,
    shown: &'a [(PathBuf, (u32, u32, u32), i64)],
) -> Vec<(&'a PathBuf, (u32, u32, u32), i64)> {
    let now = |path: &Path| tool.contains("install") && path.components().count() == 1;
    shown
        .iter()
        .map(|(path, access, time)| (path, *access, if now(path) { 0 } else { *time }))
        .collect()
}

#[test]
fn install_o_gives_files_away_where_the_table_lets_it() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    let source = mount.outside("source", b"text").display().to_string();
    for (row, wanted) in [(&open, (7, 8, 0o604)), (&fixed, FILE)] {
        let target = row.join("memo").display().to_string();
        run("install", &["-o", "7", "-g", "8", "-m", "604", &source, &target]).succeeded();
        assert_eq!(access(&row.join("memo")), wanted);
        let done = MEMBER.run("install", &["-o", "7", &source, &target]);
        assert!(is_denied(&done), "as on a local disk; {done}");
    }
}

#[test]
fn tools_that_preserve_finish_for_a_plain_user_too() {
    if !installed("rsync") {
        return;
    }
    let Some((mount, fixed, _)) = mount(&config()) else { return };
    let (rows, team) = (rows(&mount), mount.path("models/team"));
    run("chown", &[Path::new("-R"), Path::new("1002:1002"), &rows]).succeeded();
    for tool in PRESERVING {
        let done = MEMBER.shell(tool, &[&rows, &team]);
        // The table itself belongs to root, as may the directory that a tree is copied into.
        let about_the_table = |line: &&str| {
            line.contains("/models/team") && !line.contains("/7")
                || line.contains("tar: .")
                || line.starts_with("rsync error")
                || line.starts_with("tar: Exiting")
        };
        let other: Vec<_> = done.stderr.lines().filter(|line| !about_the_table(line)).collect();
        assert_eq!(other, Vec::<&str>::new(), "{tool}: {done}");
        for (path, (uid, gid, mode), _) in shown(&team) {
            let directory = path.components().count() == 1;
            assert_eq!((uid, gid), (MEMBER.uid, TEAM), "{tool} {path:?}");
            assert!(!directory || mode == 0o777, "{tool} {path:?}");
        }
        assert_eq!(access(&team.join("71/memo")).2, 0o604, "{tool}");
        assert_eq!(
            fs::metadata(team.join("71/memo")).expect("stat").mtime(),
            1_000_000_000,
            "{tool}"
        );
        fs::remove_dir_all(team.join("71")).expect("removed");
        fs::remove_dir_all(team.join("72")).expect("removed");
    }
    // Until it is closed, a file belongs to its writer, whoever will own it.
    let (from, to) = (rows.join("71/memo"), fixed.join("memo"));
    for tool in
        ["cp -p $1 $2", "rsync -a $1 $2", "tar -C ${1%/*} -cf - memo | tar -C ${2%/*} -xpf -"]
    {
        MEMBER.shell(tool, &[&from, &to]).succeeded();
        assert_eq!(access(&to), FILE, "{tool}");
        assert_eq!(fs::metadata(&to).expect("stat").mtime(), 1_000_000_000, "{tool}");
        fs::remove_file(&to).expect("removed");
    }
    let done = MEMBER.shell("install -m 604 $1 $2", &[&from, &to]);
    assert!(is_denied(&done), "it sets the mode of what is closed, and not its own any more");
}

#[test]
fn a_change_of_the_configuration_is_for_what_comes_and_what_is_set_to_it() {
    let Some((mut mount, fixed, open)) = mount(&config()) else { return };
    fs::write(fixed.join("memo"), "old").expect("taken");
    mount.stop();
    let changed = config().with("tables.user.owner = '7:8'");
    mount.configure(changed.with("tables.user.file_mode = '0600'"));
    mount.restart();
    assert_eq!(access(&fixed.join("memo")), FILE, "what is there stays as it is");
    fs::write(fixed.join("note"), "new").expect("taken");
    assert_eq!(access(&fixed.join("note")), (7, 8, 0o600));
    give(&fixed.join("memo"), &["chmod", "644"]).succeeded();
    give(&fixed.join("memo"), &["chown", "9:9"]).succeeded();
    assert_eq!(access(&fixed.join("memo")), FILE);
    give(&fixed.join("memo"), &["chmod", "600"]).succeeded();
    give(&fixed.join("memo"), &["chown", "7:8"]).succeeded();
    assert_eq!(
        access(&fixed.join("memo")),
        (7, 8, 0o600),
        "it comes into line when it is asked to"
    );
    assert_eq!(access(&open).2, 0o755);
}

#[test]
fn a_file_that_is_moved_in_is_charged_to_the_owner_that_is_fixed_there() {
    let config = config().with("quotas.uids.1001.files = 1");
    let Some((_mount, fixed, open)) = mount(&config) else { return };
    fs::write(fixed.join("memo"), "one").expect("the first");
    fs::write(open.join("memo"), "two").expect("root's");
    assert_eq!(errno(fs::rename(open.join("memo"), fixed.join("note"))), super::EDQUOT);
    assert_eq!(access(&open.join("memo")).0, 0, "it is where it was, and whose");
    fs::remove_file(fixed.join("memo")).expect("removed");
    fs::rename(open.join("memo"), fixed.join("note")).expect("there is room");
}
