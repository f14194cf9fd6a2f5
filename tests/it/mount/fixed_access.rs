//! Tables that fix owner, group and modes: files that are made or moved there have them, and chown and chmod to
//! others succeed and change nothing (CONTRACT 2.10). `preserving` has the tools that copy with owners, modes and times.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::tool::{Done, run, shell};
use super::user::{Access, MEMBER, OWNER, TEAM, access, may_become_others, set_access};
use super::web_server::Server;
use super::{EDQUOT, EXDEV, errno, names, picture, read};
use crate::config::Config;
use crate::wait::until;

pub fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("mount.allow_other = true")
        // Fixes owner, group and modes.
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

pub const FILE: Access = (OWNER.uid, TEAM, 0o640);
pub const ROW: Access = (OWNER.uid, TEAM, 0o775);

/// A mount, a row of the table that fixes owner, group and modes, and a row of the table that fixes nothing.
pub fn mount(config: &Config) -> Option<(Mount, PathBuf, PathBuf)> {
    if !may_become_others() {
        return None;
    }
    let mount = config.mount()?;
    let (fixed, open) = (mount.row(), mount.path("models/page/x"));
    fs::create_dir(&open).expect("a row");
    Some((mount, fixed, open))
}

/// Runs a program with these words and a path.
fn run_on(path: &Path, arguments: &[&str]) -> Done {
    let path = path.to_str().expect("UTF-8");
    run(arguments[0], &[&arguments[1..], &[path]].concat())
}

#[test]
fn every_new_file_and_row_has_the_access_that_its_table_fixes() {
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
fn a_fetched_dropped_or_retried_file_has_the_fixed_access_too() {
    let server = Server::start();
    let config = config().with(&format!("fetch.allow = ['{}']", server.address));
    let Some((mount, row, _)) = mount(&config) else { return };
    symlink(server.url("/1.png"), row.join("avatar")).expect("fetched");
    assert_eq!(access(&row.join("avatar")), FILE);
    fs::remove_file(row.join("avatar")).expect("removed");
    fs::write(row.join("avatar.url"), server.url("/1.png")).expect("written");
    assert_eq!(access(&row.join("avatar")), FILE);

    let half = mount.outside("half.png", &picture::cut_short(2)).display().to_string();
    assert_eq!(run_on(&row.join("avatar"), &["cp", &half]).code, 1, "refused when it is closed");
    fs::rename(mount.kept().file, row.join("memo")).expect("tried again");
    assert_eq!(access(&row.join("memo")), FILE);

    fs::write(mount.path("drop/inbox/x.part"), "dropped").expect("scratch");
    fs::rename(mount.path("drop/inbox/x.part"), mount.path("drop/inbox/x")).expect("finished");
    let dropped = mount.path("models/user/43/memo");
    until("the file arrives", || dropped.exists());
    assert_eq!((access(&dropped), access(&mount.path("models/user/43"))), (FILE, ROW));
}

#[test]
fn a_moved_file_gets_the_access_that_its_table_fixes_and_keeps_the_rest() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    fs::write(open.join("memo"), "moved").expect("taken");
    set_access(&open.join("memo"), (7, 8, 0o666));
    let inode = fs::metadata(open.join("memo")).expect("stat").ino();
    fs::rename(open.join("memo"), fixed.join("memo")).expect("moved in");
    assert_eq!(access(&fixed.join("memo")), FILE);
    assert_eq!(fs::metadata(fixed.join("memo")).expect("stat").ino(), inode);
    fs::rename(fixed.join("memo"), open.join("memo")).expect("moved out");
    assert_eq!(access(&open.join("memo")), FILE, "nothing is fixed there, so it stays as it is");

    let team = mount.path("models/team/1");
    fs::create_dir(&team).expect("a row");
    set_access(&open.join("memo"), (7, 8, 0o604));
    fs::rename(open.join("memo"), team.join("memo")).expect("moved in");
    assert_eq!(access(&team.join("memo")), (7, TEAM, 0o604), "only the group is fixed");

    fs::write(fixed.join("secret"), "secret").expect("taken");
    fs::rename(fixed.join("secret"), fixed.join("memo")).expect("moved");
    assert_eq!(access(&fixed.join("memo")), FILE, "another field of the table");
}

#[test]
fn an_exchange_gives_each_file_the_access_fixed_at_its_new_place() {
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
    set_access(&open.join("memo"), (7, 8, 0o666));
    renameat_with(CWD, open.join("memo"), CWD, fixed.join("memo"), exchange).expect("exchanged");
    assert_eq!((access(&fixed.join("memo")), access(&open.join("memo"))), (FILE, FILE));
    assert_eq!(read(&fixed.join("memo")), b"three");
}

/// A file has one owner and one mode for all its names.
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
    fs::hard_link(fixed.join("memo"), fixed.join("note")).expect("both names fix the same");
    fs::hard_link(fixed.join("memo"), open.join("note"))
        .expect("nothing is fixed at the second name");
    run_on(&open.join("note"), &["chmod", "666"]).succeeded();
    assert_eq!(access(&open.join("note")), FILE, "the file keeps what is fixed at its other name");
}

#[test]
fn a_restored_file_gets_the_access_that_its_table_fixes() {
    let Some((mount, fixed, open)) = mount(&config()) else { return };
    let lost = |file: &Path| {
        fs::remove_file(file).expect("removed");
        mount.trash().remove(0)
    };
    for (verb, name) in [("mv", "memo"), ("ln", "note")] {
        fs::write(open.join("memo"), verb).expect("taken");
        set_access(&open.join("memo"), (7, 8, 0o666));
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
            run_on(&path, command).succeeded();
            assert_eq!(access(&path), before, "{command:?} {path:?}");
        }
    }
    assert_eq!(
        fs::metadata(row.join("memo")).expect("stat").mtime(),
        1_000_000_000,
        "times are changed"
    );
    assert_eq!(fs::metadata(&row).expect("stat").mtime(), 1_000_000_000);
    let open = File::options().write(true).open(row.join("memo")).expect("a draft");
    open.set_permissions(Permissions::from_mode(0o777)).expect("fchmod");
    std::os::unix::fs::fchown(&open, Some(7), Some(8)).expect("fchown");
    drop(open);
    assert_eq!(access(&row.join("memo")), FILE);
}

#[test]
fn without_a_fixed_mode_the_umask_of_the_program_decides() {
    let Some((_mount, _, open)) = mount(&config()) else { return };
    set_access(&open, (OWNER.uid, TEAM, 0o777));
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
    shell("umask 027; mkdir $1/y; umask 0; mkdir -m 700 $1/z", &[&table]).succeeded();
    assert_eq!((access(&table.join("y")).2, access(&table.join("z")).2), (0o750, 0o700));
}

#[test]
fn a_new_fixed_access_applies_to_new_files_and_to_chmod_and_chown() {
    let Some((mut mount, fixed, open)) = mount(&config()) else { return };
    fs::write(fixed.join("memo"), "old").expect("taken");
    mount.stop();
    let changed = config().with("tables.user.owner = '7:8'");
    mount.configure(changed.with("tables.user.file_mode = '0600'"));
    mount.restart();
    assert_eq!(access(&fixed.join("memo")), FILE, "an existing file stays as it is");
    fs::write(fixed.join("note"), "new").expect("taken");
    assert_eq!(access(&fixed.join("note")), (7, 8, 0o600));
    run_on(&fixed.join("memo"), &["chmod", "644"]).succeeded();
    run_on(&fixed.join("memo"), &["chown", "9:9"]).succeeded();
    assert_eq!(access(&fixed.join("memo")), FILE);
    run_on(&fixed.join("memo"), &["chmod", "600"]).succeeded();
    run_on(&fixed.join("memo"), &["chown", "7:8"]).succeeded();
    assert_eq!(
        access(&fixed.join("memo")),
        (7, 8, 0o600),
        "chmod and chown to the fixed values set them"
    );
    assert_eq!(access(&open).2, 0o755);
}

#[test]
fn a_file_that_is_moved_in_is_charged_to_the_owner_that_is_fixed_there() {
    let config = config().with("quotas.uids.1001.files = 1");
    let Some((_mount, fixed, open)) = mount(&config) else { return };
    fs::write(fixed.join("memo"), "one").expect("taken");
    fs::write(open.join("memo"), "two").expect("taken");
    assert_eq!(errno(fs::rename(open.join("memo"), fixed.join("note"))), EDQUOT);
    assert_eq!(access(&open.join("memo")).0, 0, "the refused file is unchanged");
    fs::remove_file(fixed.join("memo")).expect("removed");
    fs::rename(open.join("memo"), fixed.join("note")).expect("there is room");
}
