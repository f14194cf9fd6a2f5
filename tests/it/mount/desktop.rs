//! Deletion as desktops do it: they move a file to the trash at the top of the mount (CONTRACT 7).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::tool::{installed, run};
use super::user::{MEMBER, OWNER, STRANGER, access, is_denied, may_become_others, set_access};
use super::{ENOENT, EPERM, EROFS, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("mount.allow_other = true")
        .table("user", "integer")
        .field("avatar", "image")
        .field("memo", "file")
        .field("photos", "image, collection = 'list'")
}

#[test]
fn the_delete_key_ends_in_the_trash() {
    if !installed("gio") {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let photos = mount.row().join("photos");
    for round in 1..=2 {
        let avatar = mount.attach("avatar", &picture::good(round));
        fs::write(photos.join("one.png"), picture::good(round + 2)).expect("taken");
        run("gio", &[Path::new("trash"), &avatar, &photos.join("one.png")]).succeeded();
        assert!(!avatar.exists() && names(&photos).is_empty());
        assert_eq!(names(&mount.row()), ["photos"]);
        assert_eq!(mount.trash().len(), 2 * usize::try_from(round).expect("small"));
    }
    let lost = mount.lost_named("user-42-avatar.png");
    run("mv", &[&lost, &mount.row().join("avatar")]).succeeded();
    assert_eq!(read(&mount.row().join("avatar")), picture::good(1));
    assert!(!names(&mount.mountpoint()).iter().any(|name| name.starts_with(".Trash")));
}

#[test]
fn the_trash_of_a_desktop_takes_files_of_fields_and_keeps_nothing() {
    let Some(mount) = config().mount() else { return };
    let trash = mount.path(".Trash-0");
    assert_eq!(names(&trash), ["files", "info"]);
    assert_eq!((access(&trash), fs::metadata(&trash).expect("stat").uid()), ((0, 0, 0o700), 0));
    assert_eq!(errno(fs::metadata(mount.path(".Trash"))), ENOENT);
    fs::write(trash.join("info/memo.trashinfo"), "[Trash Info]\n").expect("taken");
    assert_eq!(names(&trash.join("info")), [""; 0], "and forgotten");
    assert_eq!(errno(fs::write(trash.join("info/memo"), "x")), EPERM);
    assert_eq!(errno(fs::write(trash.join("files/memo"), "x")), EROFS);
    let scratch = mount.row().join("notes.bin");
    fs::write(&scratch, "scratch").expect("scratch");
    assert_eq!(errno(fs::rename(&scratch, trash.join("files/notes.bin"))), EPERM);
    assert_eq!(read(&scratch), b"scratch");
    assert_eq!(errno(fs::rename(mount.row(), trash.join("files/42"))), EPERM, "no rows");
    let memo = mount.attach("memo", b"stored");
    fs::rename(&memo, trash.join("files/memo")).expect("detached");
    assert_eq!(errno(fs::read(trash.join("files/memo"))), ENOENT);
    assert_eq!((memo.exists(), read(&mount.lost()).0), (false, b"stored".to_vec()));
}

#[test]
fn a_user_has_a_trash_of_its_own_and_deletes_there_what_it_may_remove() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let (row, root) = (mount.row(), mount.mountpoint());
    let trash = |uid: u32| format!("mv $1/memo $2/.Trash-{uid}/files/memo");
    fs::write(row.join("memo"), "stored").expect("taken");
    set_access(&row.join("memo"), (OWNER.uid, OWNER.uid, 0o644));
    set_access(&row, (0, 0, 0o1777));
    for (user, uid) in [(MEMBER, MEMBER.uid), (STRANGER, STRANGER.uid), (OWNER, MEMBER.uid)] {
        let done = user.shell(&trash(uid), &[&row, &root]);
        assert!(is_denied(&done), "{done}");
    }
    OWNER.shell(&trash(OWNER.uid), &[&row, &root]).succeeded();
    assert_eq!(read(&mount.lost()), b"stored");
}

#[test]
fn a_backup_of_exiftool_is_named_for_what_it_is() {
    let config = config().with("library.scratch = '1s'");
    let Some(mount) = config.mount() else { return };
    let photos = mount.row().join("photos");
    for (name, backup) in [("one.png", "one.png_original"), ("two.jpg", "two.jpg_original")] {
        fs::write(photos.join(name), picture::good(1)).expect("taken");
        fs::rename(photos.join(name), photos.join(backup)).expect("scratch, and no item");
    }
    assert_eq!(mount.row_json()["photos"], serde_json::json!([]));
    crate::wait::until("both expire", || mount.all_kept().len() == 2);
    let reasons: Vec<_> = mount.all_kept().iter().map(super::control_files::Kept::reason).collect();
    let said = |of: &str| format!("{of}_original is the backup that exiftool made of {of}");
    for of in ["one.png", "two.jpg"] {
        assert!(reasons.iter().any(|it| it.contains(&said(of))), "{reasons:?}");
    }
    assert!(reasons.iter().all(|it| it.contains("-overwrite_original")), "{reasons:?}");
}
