//! Directories that a group shares: with the set-group-ID bit, new files and directories get the group of their directory, as on a
//! local disk (CONTRACT 9).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::daemon::Mount;
use super::user::{MEMBER, OWNER, STRANGER, TEAM, User, access, may_become_others, set_access};
use super::web_server::Server;
use super::{names, picture};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file, min_size = '4 B'")
        .field("avatar", "image")
        .field("photos", "file, collection = 'list'")
        .table("team", "integer")
        .with("tables.team.group = '2000'")
        .with("tables.team.dir_mode = '2777'")
        .field("memo", "file")
        .with("boxes.inbox = { into = 'team.memo', id = '{counter}', settle = '1s' }")
}

fn mount() -> Option<Mount> {
    may_become_others().then(|| config().mount())?
}

#[test]
fn the_mode_bits_of_a_row_are_kept_as_on_a_local_disk() {
    let Some(mount) = mount() else { return };
    let local = mount.beside("local");
    fs::create_dir(&local).expect("a directory");
    let row = mount.row();
    for user in [OWNER, MEMBER] {
        for directory in [&row, &local] {
            set_access(directory, (OWNER.uid, TEAM, 0o777));
        }
        for mode in ["g+s", "2750", "1777", "3775", "u+s", "755", "6777", "0777"] {
            // A shell of the user: the kernel takes the bit from those who are not in the group.
            let change = format!("chmod {mode} $1; stat -c %a $1");
            let both = [&row, &local].map(|directory| user.shell(&change, &[directory]).stdout);
            assert_eq!(both[0], both[1], "chmod {mode} by {}", user.uid);
        }
    }
    set_access(&row, (OWNER.uid, 4000, 0o777));
    let outside = OWNER.shell("chmod 2777 $1; stat -c %a $1", &[&row]);
    assert_eq!(outside.stdout, "777\n", "the owner is not in the group");
    set_access(&row, (OWNER.uid, TEAM, 0o2775));
    assert_eq!(access(&row.join("photos")), access(&row), "a collection is as its row");
    fs::write(row.join("memo"), "a file").expect("taken");
    fs::set_permissions(row.join("memo"), Permissions::from_mode(0o6755)).expect("chmod");
    assert_eq!(access(&row.join("memo")).2, 0o755, "files keep no set-ID bits");
}

/// Makes files in a directory, in every way that has an equivalent on a local disk.
const MADE: &str = "cd $1 && echo text > memo && echo text > .n.tmp && mv .n.tmp note && \
    echo text > scratch.bin && echo text > photos/one && \
    echo text > photos/.t.tmp && mv photos/.t.tmp photos/two && \
    cp -p scratch.bin photos/four";

#[test]
fn files_in_a_shared_row_get_its_group_as_on_a_local_disk() {
    let Some(mount) = mount() else { return };
    let local = mount.beside("local");
    fs::create_dir_all(local.join("photos")).expect("directories");
    let row = mount.row();
    for bits in [0o2777, 0o777] {
        let groups = |user: User, directory: &Path| {
            set_access(directory, (OWNER.uid, TEAM, bits));
            if directory == local {
                set_access(&directory.join("photos"), (OWNER.uid, TEAM, bits));
            }
            user.shell(MADE, &[directory]).succeeded();
            let group = |name: &str| (name.to_owned(), access(&directory.join(name)).1);
            let made = ["memo", "note", "scratch.bin", "photos/one", "photos/two", "photos/four"];
            let groups = made.map(group);
            user.shell("cd $1; rm -f memo note scratch.bin photos/*", &[directory]).succeeded();
            groups
        };
        for user in [OWNER, MEMBER, STRANGER] {
            assert_eq!(groups(user, &row), groups(user, &local), "{} in {bits:o}", user.uid);
        }
    }
}

#[test]
fn drafts_downloads_and_retries_in_a_shared_row_get_its_group_too() {
    let server = Server::start();
    let config = config().with(&format!("fetch.allow = ['{}']", server.address));
    let Some(mount) = may_become_others().then(|| config.mount()).flatten() else { return };
    let row = mount.row();
    set_access(&row, (OWNER.uid, TEAM, 0o2777));
    let draft = MEMBER.shell("exec 3> $1/memo; stat -c %g $1/memo", &[&row]);
    assert_eq!(draft.stdout, format!("{TEAM}\n"));
    MEMBER.run("ln", &["-s", &server.url("/1.png"), &row.join("avatar").display().to_string()]);
    assert_eq!(access(&row.join("avatar")), (MEMBER.uid, TEAM, 0o644));
    fs::remove_file(row.join("avatar")).expect("removed");
    MEMBER.shell(&format!("echo {} > $1/avatar.url", server.url("/1.png")), &[&row]);
    assert_eq!(access(&row.join("avatar")), (MEMBER.uid, TEAM, 0o644));
    assert_ne!(MEMBER.shell("echo x > $1/.n && mv $1/.n $1/note", &[&row]).code, 0);
    let kept = mount.kept().file;
    MEMBER.shell("mv $1 $2/photos/retried", &[&kept, &row]).succeeded();
    assert_eq!(access(&row.join("photos/retried")), (MEMBER.uid, TEAM, 0o644));
    assert_eq!(names(&row.join("photos")), ["retried"]);
    fs::write(row.join("avatar"), picture::good(1)).expect("taken");
}

#[test]
fn rows_of_a_shared_table_get_its_group_and_the_bit() {
    let Some(mount) = mount() else { return };
    let team = mount.path("models/team");
    assert_eq!(access(&team), (0, TEAM, 0o2777));
    STRANGER.shell("mkdir $1/1 && echo text > $1/1/memo", &[&team]).succeeded();
    assert_eq!(access(&team.join("1")), (STRANGER.uid, TEAM, 0o2777));
    assert_eq!(access(&team.join("1/memo")), (STRANGER.uid, TEAM, 0o644));
    STRANGER.shell("echo dropped > $1/drop/inbox/x", &[&mount.mountpoint()]).succeeded();
    assert_eq!(access(&mount.path("drop/inbox/x")).1, TEAM);
    until("the file arrives", || team.join("2/memo").exists());
    assert_eq!(access(&team.join("2")), (STRANGER.uid, TEAM, 0o2777));
}
