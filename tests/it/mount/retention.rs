//! How long detached files stay in the trash, and what deletes them: the sweep, `mediafs gc`, or nothing (CONTRACT 7).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::daemon::Mount;
use super::peer::{NEW, Peer};
use super::trash::{detach, keeping};
use super::{EBADMSG, ENOENT, config, errno, picture, read, rest};
use crate::wait::until;

#[test]
fn a_file_whose_trash_time_has_passed_is_deleted_with_its_variants() {
    let config = config().with("library.hold = '1s'").with("library.trash = '2s'");
    let Some(mount) = config.mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    detach(&avatar);
    assert_eq!(read(&mount.lost()), picture::good(1));
    until("the daemon sweeps", || mount.status()["library"]["blobs"] == 0);
    assert_eq!(mount.trash(), Vec::<PathBuf>::new());
}

#[test]
fn with_trash_0_the_trash_shows_held_files() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    detach(&avatar);
    let lost = mount.lost();
    fs::rename(&lost, &avatar).expect("restored");
    detach(&avatar);
    mount.collect();
    assert_eq!(mount.trash(), Vec::<PathBuf>::new());
    assert_eq!(errno(fs::rename(&lost, &avatar)), ENOENT, "swept meanwhile");
}

#[test]
fn gc_spares_the_trash_and_a_dry_run_predicts_its_deletions() {
    let Some(mut mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    detach(&avatar);
    let dry = |mount: &Mount| mount.gc(&["--now", "--empty-trash", "--dry-run"]);
    for arguments in [&[][..], &["--now"], &["--now", "--dry-run"]] {
        let said = mount.gc(arguments);
        assert!(said.contains(" 0 blobs of 0 attachments, 0 bytes"), "{said}");
    }
    let foretold = dry(&mount);
    assert!(foretold.starts_with("would delete 2 blobs of 1 attachment, "), "{foretold}");
    mount.stop();
    assert_eq!(dry(&mount), foretold, "the same without a daemon");
    assert!(mount.gc(&["--now"]).starts_with("deleted 0 blobs"));
    mount.restart();
    let lost = mount.lost();
    let mut open = File::open(&lost).expect("opened");
    assert_eq!(mount.gc(&["--now", "--empty-trash"]), foretold.replace("would delete", "deleted"));
    assert_eq!(mount.trash(), Vec::<PathBuf>::new());
    assert_eq!(rest(&mut open), picture::good(1), "an open file is readable to the end");
    assert_eq!(open.metadata().expect("fstat").len(), picture::good(1).len() as u64);
    assert_eq!(mount.command(&["gc", "--empty-trash"]).code, 2, "not without --now");
}

#[test]
fn the_trash_outlasts_a_restart_and_a_crash() {
    let config = config().with("library.hold = '0'").with("library.trash = '1h'");
    let Some(mut mount) = config.mount() else { return };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = mount.lost();
    let before = fs::metadata(&lost).expect("stat");
    mount.stop_and_restart();
    mount.crash_and_restart();
    let after = fs::metadata(&lost).expect("stat");
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
    assert_eq!(read(&lost), picture::good(1));
    let trash = &mount.status()["trash"];
    assert_eq!((&trash["files"], &trash["bytes"]), (&1.into(), &picture::good(1).len().into()));
}

#[test]
fn delete_orphan_false_keeps_the_blob_for_ever_listed_by_mediafs_orphans() {
    let keeping =
        config().with("tables.user.fields.memo = { type = 'file', delete_orphan = false }");
    let Some(mut mount) = keeping.mount() else { return };
    let memo = mount.attach("memo", b"a deed");
    detach(&memo);
    detach(&mount.attach("avatar", &picture::good(1)));
    let deleted = mount.gc(&["--now", "--empty-trash"]);
    assert!(deleted.starts_with("deleted 1 blob of 1 attachment, "), "{deleted}");
    assert_eq!(mount.trash_names(), ["user-42-memo.txt"]);

    let listed = |mount: &Mount, arguments: &[&str]| {
        let done = mount.command(&[&["orphans"], arguments].concat());
        done.succeeded();
        done.stdout
    };
    let text = listed(&mount, &[]);
    let [id, _, length, key, path] = text.trim_end().split('\t').collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert_eq!((length, path), ("6", "user/42/memo"));
    assert!(key.starts_with(&blake3::hash(b"a deed").to_string()), "{key}");
    let json: serde_json::Value = serde_json::from_str(&listed(&mount, &["--json"])).expect("JSON");
    let lost = json["trash"].as_str().expect("a path");
    assert_eq!(read(&mount.path(lost)), b"a deed");
    assert_eq!((json["id"].to_string().as_str(), &json["key"]), (id, &key.into()));
    mount.stop();
    assert_eq!(listed(&mount, &[]), text, "the same without a daemon");
    let done = mount.command(&["restore", id]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "restored user/42/memo\n"), "{done}");
    mount.restart();
    assert_eq!(read(&memo), b"a deed");
    assert_eq!(listed(&mount, &[]), "");
}

#[test]
fn an_open_draft_holds_its_unlinked_attachment_beyond_the_hold() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = config().with("library.hold = '1s'").mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let broken = mount.outside("broken.png", &picture::cut_short(2));
    writer.tell(&format!("os.unlink({avatar:?})"));
    writer.open(&avatar, NEW).expect("opened");
    writer.write(&broken, ":").expect("written");
    // Once this memo is swept, the hold of the avatar has passed too, since that was detached earlier.
    detach(&mount.attach("memo", b"a memo"));
    until("the memo is swept", || mount.gc(&[]).starts_with("deleted 1 blob"));
    mount.collect();
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(read(&avatar), picture::good(1), "put back");
    detach(&avatar);
    mount.collect();
    assert_eq!(mount.status()["library"]["blobs"], 0, "the hold of the avatar is over");
}
