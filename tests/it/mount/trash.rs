//! The trash: detached files and how `mv`, `ln` and `cp` bring them back (CONTRACT 7). `restore` has the command, `retention`
//! how long they stay.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::tool::run;
use super::user::{STRANGER, is_denied, may_become_others};
use super::{
    EEXIST, EFBIG, EINVAL, ENOENT, EPERM, EROFS, EXDEV, attribute, config, errno, names, picture,
    read,
};

/// A mount that keeps the trash for an hour.
pub fn keeping() -> Option<Mount> {
    config().with("library.trash = '1h'").mount()
}

pub fn detach(path: &Path) {
    fs::remove_file(path).expect("detached");
}

#[test]
fn a_removed_file_is_in_the_trash_and_mv_into_a_field_restores_it() {
    let Some(mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    attribute::set(&avatar, "user.note", b"hello").expect("a note");
    fs::set_permissions(&avatar, Permissions::from_mode(0o640)).expect("chmod");
    let before = fs::metadata(&avatar).expect("stat");
    detach(&avatar);

    let lost = mount.lost();
    assert!(lost.ends_with("user-42-avatar.png"), "{lost:?}");
    assert_eq!(read(&lost), picture::good(1));
    let shown = fs::metadata(&lost).expect("stat");
    assert_eq!((shown.mode(), shown.uid(), shown.nlink()), (before.mode(), before.uid(), 1));
    assert_eq!((shown.mtime(), shown.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
    assert!((shown.ctime(), shown.ctime_nsec()) > (before.ctime(), before.ctime_nsec()));
    let day = lost.parent().and_then(Path::file_name).expect("a day").to_string_lossy();
    let today = run("date", &["-u", "-d", &format!("@{}", shown.ctime()), "+%F"]).stdout;
    assert_eq!(day, today.trim(), "the day of the detaching, in UTC");

    run("mv", &[&lost, &avatar]).succeeded();
    let after = fs::metadata(&avatar).expect("stat");
    assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()), "the same attachment");
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(attribute::text(&avatar, "user.note"), "hello");
    assert_eq!(mount.trash(), Vec::<PathBuf>::new());
    assert_eq!(names(&mount.path("trash")), [""; 0], "a day is listed only while it has a file");
}

#[test]
fn a_replaced_file_is_in_the_trash_and_mv_swaps_it_with_its_successor() {
    let Some(mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.attach("avatar", &picture::good(2));
    let old = mount.lost();
    assert_eq!(read(&old), picture::good(1));
    let kept = renameat_with(CWD, &old, CWD, &avatar, RenameFlags::NOREPLACE);
    assert_eq!(kept.map_err(rustix::io::Errno::raw_os_error), Err(EEXIST));
    let swapped = renameat_with(CWD, &old, CWD, &avatar, RenameFlags::EXCHANGE);
    assert_eq!(swapped.map_err(rustix::io::Errno::raw_os_error), Err(EINVAL));
    assert_eq!(read(&avatar), picture::good(2));
    fs::rename(&old, &avatar).expect("restored over the new one");
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(read(&mount.lost()), picture::good(2));
}

#[test]
fn several_files_of_one_slot_on_one_day_have_different_names() {
    let Some(mount) = keeping() else { return };
    for seed in 1..=4 {
        mount.attach("avatar", &picture::good(seed));
    }
    let lost = mount.trash();
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().any(|path| path.ends_with("user-42-avatar.png")), "{lost:?}");
    for path in &lost {
        let bytes = read(path);
        assert!((1..=3).any(|seed| bytes == picture::good(seed)), "{path:?}");
    }
    let second = lost.iter().find(|path| read(path) == picture::good(2)).expect("the second");
    let cover = mount.row_of("43").join("avatar");
    fs::rename(second, &cover).expect("restored elsewhere");
    assert_eq!(read(&cover), picture::good(2));
    assert_eq!(mount.trash().len(), 2);
}

#[test]
fn a_file_restored_elsewhere_is_judged_by_the_rules_there() {
    let Some(mount) = keeping() else { return };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = mount.lost();
    let row = mount.row();
    assert_eq!(errno(fs::rename(&lost, row.join("note"))), EFBIG);
    mount.last_error_has("user/42/note", "max_size");
    assert_eq!(errno(fs::rename(&lost, row.join("cover"))), EXDEV, "it would become a JPEG");
    assert_eq!(errno(fs::rename(&lost, row.join("scratch.part"))), EPERM);
    assert_eq!(read(&lost), picture::good(1), "a refused move leaves it in the trash");
    run("cp", &[&lost, &row.join("cover")]).succeeded();
    assert!(read(&row.join("cover")).starts_with(picture::JPEG));
    let page = mount.path("models/page/home");
    fs::create_dir(&page).expect("a row");
    fs::rename(&lost, page.join("cover")).expect("the rules leave it as it is");
    assert_eq!(read(&page.join("cover")), picture::good(1));
}

#[test]
fn a_link_out_of_the_trash_restores_too() {
    let Some(mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let ino = fs::metadata(&avatar).expect("stat").ino();
    detach(&avatar);
    run("ln", &[&mount.lost(), &avatar]).succeeded();
    assert_eq!(fs::metadata(&avatar).expect("stat").ino(), ino);
    assert_eq!(mount.trash(), Vec::<PathBuf>::new());
}

#[test]
fn a_copy_out_of_the_trash_leaves_the_file_and_has_its_time_and_attributes() {
    let Some(mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    attribute::set(&avatar, "user.note", b"hello").expect("a note");
    let mtime = fs::metadata(&avatar).expect("stat").mtime_nsec();
    detach(&avatar);
    run("cp", &[Path::new("-a"), &mount.lost(), &avatar]).succeeded();
    assert_eq!(
        (read(&avatar), fs::metadata(&avatar).expect("stat").mtime_nsec()),
        (picture::good(1), mtime)
    );
    assert_eq!(attribute::text(&avatar, "user.note"), "hello");
    assert_eq!(mount.trash().len(), 1);
}

#[test]
fn nothing_in_the_trash_can_be_changed_or_removed() {
    let Some(mount) = keeping() else { return };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = mount.lost();
    let day = lost.parent().expect("a day");
    assert_eq!(errno(OpenOptions::new().write(true).open(&lost)), EROFS);
    assert_eq!(errno(fs::remove_file(&lost)), EROFS);
    assert_eq!(errno(fs::remove_dir(day)), EROFS);
    assert_eq!(errno(fs::set_permissions(&lost, Permissions::from_mode(0o600))), EROFS);
    assert_eq!(errno(File::create(day.join("new"))), EROFS);
    assert_eq!(errno(fs::create_dir(day.join("new"))), EROFS);
    assert_eq!(errno(fs::create_dir(mount.path("trash/2026-01-01"))), EROFS);
    assert_eq!(errno(fs::rename(&lost, day.join("other"))), EROFS);
    let memo = mount.attach("memo", b"to keep");
    assert_eq!(errno(fs::rename(&memo, day.join("memo"))), EROFS);
    assert_eq!(errno(fs::metadata(day.join("user-42-cover.png"))), ENOENT);
    assert_eq!(errno(fs::metadata(mount.path("trash/yesterday"))), ENOENT);
    run("rm", &[Path::new("-rf"), &mount.path("trash")]);
    assert_eq!(read(&lost), picture::good(1), "rm -rf of the trash removes nothing");
}

#[test]
fn only_its_owner_and_root_put_a_file_back() {
    let config = config()
        .with("library.trash = '1h'")
        .with("mount = { allow_other = true, dir_mode = '0777' }");
    let Some(mount) = config.mount().filter(|_| may_become_others()) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::set_permissions(&avatar, Permissions::from_mode(0o600)).expect("chmod");
    detach(&avatar);
    let memo = mount.attach("memo", b"for everybody");
    detach(&memo);
    let lost = mount.trash();
    let [secret, open] = &lost[..] else { panic!("{lost:?}") };
    assert!(is_denied(&STRANGER.run("cat", &[secret])));
    assert_eq!(STRANGER.run("cat", &[open]).stdout, "for everybody");
    assert!(is_denied(&STRANGER.run("mv", &[open, &memo])));
    assert_eq!(read(open), b"for everybody");
    fs::rename(open, &memo).expect("root may");
}

#[test]
fn rm_r_of_a_row_sends_all_of_it_to_the_trash() {
    let Some(mount) = keeping() else { return };
    mount.attach("avatar", &picture::good(1));
    mount.attach("memo", b"a memo");
    let row = mount.row();
    run("rm", &[Path::new("-r"), &row]).succeeded();
    assert_eq!(mount.trash_names(), ["user-42-avatar.png", "user-42-memo.txt"]);
    let avatar = mount.lost_named("user-42-avatar.png");
    assert_eq!(errno(fs::rename(&avatar, row.join("avatar"))), ENOENT, "the row is gone");
    fs::create_dir(&row).expect("a row again");
    fs::rename(&avatar, row.join("avatar")).expect("restored");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
}
