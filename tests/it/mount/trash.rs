//! The trash: detached files stay for a time, and come back whole (CONTRACT 7).

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, XattrFlags, getxattr, renameat_with, setxattr};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{Done, run};
use super::{
    EBADMSG, EEXIST, EFBIG, EINVAL, ENOENT, EPERM, EROFS, config, errno, names, picture, read, rest,
};
use crate::wait::until;

const EXDEV: i32 = 18;
const EDQUOT: i32 = 122;

/// A mount that keeps the trash for this time.
fn mount_for(trash: &str) -> Option<Mount> {
    config().with(&format!("library.trash = '{trash}'")).mount()
}

/// The files in the trash, by day and name.
fn trash(mount: &Mount) -> Vec<PathBuf> {
    let trash = mount.path("trash");
    let days = names(&trash).into_iter().map(|day| trash.join(day));
    days.flat_map(|day| names(&day).into_iter().map(move |name| day.join(name))).collect()
}

/// The one file in the trash.
fn only(mount: &Mount) -> PathBuf {
    let [path] = &trash(mount)[..] else { panic!("{:?}", trash(mount)) };
    path.clone()
}

fn trash_names(mount: &Mount) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    trash(mount).into_iter().map(name).collect()
}

fn detach(path: &Path) {
    fs::remove_file(path).expect("detached");
}

fn gc(mount: &Mount, arguments: &[&str]) -> String {
    let done = mount.command(&[&["gc"], arguments].concat());
    done.succeeded();
    done.stdout
}

fn restore(mount: &Mount, arguments: &[&str]) -> Done {
    mount.command(&[&["restore"], arguments].concat())
}

#[test]
fn what_was_removed_is_in_the_trash_and_mv_into_a_field_restores_it() {
    let Some(mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    setxattr(&avatar, "user.note", b"hello", XattrFlags::empty()).expect("a note");
    fs::set_permissions(&avatar, Permissions::from_mode(0o640)).expect("chmod");
    let before = fs::metadata(&avatar).expect("stat");
    detach(&avatar);

    let lost = only(&mount);
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
    let mut note = [0; 16];
    assert_eq!(
        getxattr(&avatar, "user.note", &mut note).map(|length| &note[..length]),
        Ok(&b"hello"[..])
    );
    assert_eq!(trash(&mount), Vec::<PathBuf>::new());
    assert_eq!(names(&mount.path("trash")), [""; 0], "a day is there only while it has something");
}

#[test]
fn what_was_replaced_is_in_the_trash_and_changes_places_with_its_successor() {
    let Some(mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.attach("avatar", &picture::good(2));
    let old = only(&mount);
    assert_eq!(read(&old), picture::good(1));
    let kept = renameat_with(CWD, &old, CWD, &avatar, RenameFlags::NOREPLACE);
    assert_eq!(kept.map_err(rustix::io::Errno::raw_os_error), Err(EEXIST));
    let swapped = renameat_with(CWD, &old, CWD, &avatar, RenameFlags::EXCHANGE);
    assert_eq!(swapped.map_err(rustix::io::Errno::raw_os_error), Err(EINVAL));
    assert_eq!(read(&avatar), picture::good(2));
    fs::rename(&old, &avatar).expect("restored over the new one");
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(read(&only(&mount)), picture::good(2));
}

#[test]
fn several_of_one_slot_on_one_day_have_names_of_their_own() {
    let Some(mount) = mount_for("1h") else { return };
    for seed in 1..=4 {
        mount.attach("avatar", &picture::good(seed));
    }
    let lost = trash(&mount);
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
    assert_eq!(trash(&mount).len(), 2);
}

#[test]
fn what_is_put_back_elsewhere_is_judged_by_the_rules_there() {
    let Some(mount) = mount_for("1h") else { return };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = only(&mount);
    let row = mount.row();
    assert_eq!(errno(fs::rename(&lost, row.join("note"))), EFBIG);
    assert!(mount.last_error().contains("user/42/note"), "{}", mount.last_error());
    assert_eq!(errno(fs::rename(&lost, row.join("cover"))), EXDEV, "it would become a JPEG");
    assert_eq!(errno(fs::rename(&lost, row.join("scratch.part"))), EPERM);
    assert_eq!(read(&lost), picture::good(1), "and it is still there");
    run("cp", &[&lost, &row.join("cover")]).succeeded();
    assert!(read(&row.join("cover")).starts_with(picture::JPEG));
    let page = mount.path("models/page/home");
    fs::create_dir(&page).expect("a row");
    fs::rename(&lost, page.join("cover")).expect("the rules leave it as it is");
    assert_eq!(read(&page.join("cover")), picture::good(1));
}

#[test]
fn a_link_out_of_the_trash_restores_too() {
    let Some(mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let ino = fs::metadata(&avatar).expect("stat").ino();
    detach(&avatar);
    run("ln", &[&only(&mount), &avatar]).succeeded();
    assert_eq!(fs::metadata(&avatar).expect("stat").ino(), ino);
    assert_eq!(trash(&mount), Vec::<PathBuf>::new());
}

#[test]
fn a_copy_out_of_the_trash_leaves_it_there_and_keeps_what_cp_keeps() {
    let Some(mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    setxattr(&avatar, "user.note", b"hello", XattrFlags::empty()).expect("a note");
    let mtime = fs::metadata(&avatar).expect("stat").mtime_nsec();
    detach(&avatar);
    run("cp", &[Path::new("-a"), &only(&mount), &avatar]).succeeded();
    assert_eq!(
        (read(&avatar), fs::metadata(&avatar).expect("stat").mtime_nsec()),
        (picture::good(1), mtime)
    );
    let mut note = [0; 16];
    assert_eq!(getxattr(&avatar, "user.note", &mut note), Ok(5));
    assert_eq!(trash(&mount).len(), 1);
}

#[test]
fn nothing_in_the_trash_can_be_changed_or_removed() {
    let Some(mount) = mount_for("1h") else { return };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = only(&mount);
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
    assert_eq!(read(&lost), picture::good(1), "an rm -r of everything spares the trash");
}

#[test]
fn only_its_owner_and_root_put_a_file_back() {
    let config = config()
        .with("library.trash = '1h'")
        .with("mount = { allow_other = true, dir_mode = '0777' }");
    let Some(mount) = config.mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::set_permissions(&avatar, Permissions::from_mode(0o600)).expect("chmod");
    detach(&avatar);
    let memo = mount.attach("memo", b"for everybody");
    detach(&memo);
    let nobody = |program: &str, paths: &[&Path]| {
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", program].map(Path::new);
        run("setpriv", &[&user[..], paths].concat())
    };
    let lost = trash(&mount);
    let [secret, open] = &lost[..] else { panic!("{lost:?}") };
    let done = nobody("cat", &[secret]);
    assert!(done.code == 1 && done.stderr.contains("Permission denied"), "{done}");
    assert_eq!(nobody("cat", &[open]).stdout, "for everybody");
    let done = nobody("mv", &[open, &memo]);
    assert!(done.code == 1 && done.stderr.contains("Operation not permitted"), "{done}");
    assert_eq!(read(open), b"for everybody");
    fs::rename(open, &memo).expect("root may");
}

#[test]
fn what_its_time_in_the_trash_has_passed_goes_with_its_variants() {
    let Some(mount) = config().with("library.hold = '1s'").with("library.trash = '2s'").mount()
    else {
        return;
    };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    detach(&avatar);
    assert_eq!(read(&only(&mount)), picture::good(1));
    until("the sweep", || mount.status()["library"]["blobs"] == 0);
    assert_eq!(trash(&mount), Vec::<PathBuf>::new());
}

#[test]
fn with_the_default_of_0_the_trash_shows_what_is_held() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    detach(&avatar);
    let lost = only(&mount);
    fs::rename(&lost, &avatar).expect("restored");
    detach(&avatar);
    mount.collect();
    assert_eq!(trash(&mount), Vec::<PathBuf>::new());
    assert_eq!(errno(fs::rename(&lost, &avatar)), ENOENT, "swept meanwhile");
}

#[test]
fn gc_leaves_the_trash_its_time_and_a_dry_run_says_what_goes() {
    let Some(mut mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    detach(&avatar);
    let everything = ["--now", "--empty-trash"];
    let dry = |mount: &Mount| gc(mount, &["--now", "--empty-trash", "--dry-run"]);
    for arguments in [&[][..], &["--now"], &["--now", "--dry-run"]] {
        assert!(gc(&mount, arguments).contains(" 0 blobs of 0 attachments, 0 bytes"));
    }
    let foretold = dry(&mount);
    assert!(foretold.starts_with("would delete 2 blobs of 1 attachment, "), "{foretold}");
    mount.stop();
    assert_eq!(dry(&mount), foretold, "the same without a daemon");
    assert!(gc(&mount, &["--now"]).starts_with("deleted 0 blobs"));
    mount.restart();
    let lost = only(&mount);
    let mut open = File::open(&lost).expect("opened");
    assert_eq!(gc(&mount, &everything), foretold.replace("would delete", "deleted"));
    assert_eq!(trash(&mount), Vec::<PathBuf>::new());
    assert_eq!(rest(&mut open), picture::good(1), "what is open is readable to the end");
    assert_eq!(open.metadata().expect("fstat").len(), picture::good(1).len() as u64);
    assert_eq!(mount.command(&["gc", "--empty-trash"]).code, 2, "not without --now");
}

#[test]
fn rm_r_of_a_row_sends_all_of_it_to_the_trash() {
    let Some(mount) = mount_for("1h") else { return };
    mount.attach("avatar", &picture::good(1));
    mount.attach("memo", b"a memo");
    let row = mount.row();
    run("rm", &[Path::new("-r"), &row]).succeeded();
    assert_eq!(trash_names(&mount), ["user-42-avatar.png", "user-42-memo.txt"]);
    let avatar = only_named(&mount, "user-42-avatar.png");
    assert_eq!(errno(fs::rename(&avatar, row.join("avatar"))), ENOENT, "the row is gone");
    fs::create_dir(&row).expect("a row again");
    fs::rename(&avatar, row.join("avatar")).expect("restored");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
}

fn only_named(mount: &Mount, name: &str) -> PathBuf {
    trash(mount).into_iter().find(|path| path.ends_with(name)).expect("in the trash")
}

#[test]
fn the_trash_outlasts_a_restart_and_a_crash() {
    let Some(mut mount) = config().with("library.hold = '0'").with("library.trash = '1h'").mount()
    else {
        return;
    };
    detach(&mount.attach("avatar", &picture::good(1)));
    let lost = only(&mount);
    let before = fs::metadata(&lost).expect("stat");
    mount.stop();
    mount.restart();
    mount.kill9();
    mount.restart();
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
    let deleted = gc(&mount, &["--now", "--empty-trash"]);
    assert!(deleted.starts_with("deleted 1 blob of 1 attachment, "), "{deleted}");
    assert_eq!(trash_names(&mount), ["user-42-memo.txt"]);

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
    let done = restore(&mount, &[id]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "restored user/42/memo\n"), "{done}");
    mount.restart();
    assert_eq!(read(&memo), b"a deed");
    assert_eq!(listed(&mount, &[]), "");
}

#[test]
fn mediafs_restore_puts_back_where_it_was_and_replaces_nothing_unasked() {
    let Some(mut mount) = mount_for("1h") else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    detach(&avatar);
    let lost = only(&mount);
    mount.attach("avatar", &picture::good(2));
    read(&avatar);
    let path = lost.to_str().expect("UTF-8");
    let done = restore(&mount, &[path]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("user/42/avatar is taken; --replace"), "{done}");
    let mut open = File::open(&avatar).expect("opened");
    restore(&mount, &["--replace", path]).succeeded();
    assert_eq!(read(&avatar), picture::good(1), "and the kernel has heard of it");
    assert_eq!(rest(&mut open), picture::good(2));
    let lost = only(&mount);
    assert_eq!(read(&lost), picture::good(2));

    let elsewhere = restore(&mount, &[lost.to_str().expect("UTF-8"), "user/43/avatar.png"]);
    assert_eq!(elsewhere.stdout, "restored user/43/avatar\n", "{elsewhere}");
    assert_eq!(read(&mount.row_of("43").join("avatar.png")), picture::good(2));
    let gone = restore(&mount, &[path]);
    assert!(gone.code == 1 && gone.stderr.contains("nothing like this in the trash"), "{gone}");

    run("rm", &[Path::new("-r"), &mount.row()]).succeeded();
    let key = format!("{}.1", blake3::hash(&picture::good(1)));
    let refused = restore(&mount, &[&key, "user/44/note"]);
    assert!(refused.code == 1 && refused.stderr.contains("(max_size)"), "{refused}");
    assert!(!mount.path("models/user/44").exists(), "no row is made for nothing");
    mount.stop();
    let done = restore(&mount, &[&key]);
    assert_eq!(done.stdout, "restored user/42/avatar\n", "the row is made again: {done}");
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn a_put_back_outlasts_the_hold_while_the_draft_is_open() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = config().with("library.hold = '1s'").mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let broken = mount.outside("broken.png", &picture::cut_short(2));
    writer.tell(&format!("os.unlink({avatar:?})"));
    writer.open(&avatar, "os.O_WRONLY | os.O_CREAT").expect("opened");
    writer.write(&broken, ":").expect("written");
    // Detached later and swept: the hold of the avatar has passed by then, and a sweep has looked at it.
    detach(&mount.row_of("43").join(attach_memo(&mount)));
    until("the sweep", || gc(&mount, &[]).starts_with("deleted 1 blob"));
    mount.collect();
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(read(&avatar), picture::good(1), "put back");
    detach(&avatar);
    mount.collect();
    assert_eq!(mount.status()["library"]["blobs"], 0, "and not kept any longer");
}

fn attach_memo(mount: &Mount) -> &'static str {
    fs::write(mount.row_of("43").join("memo"), b"a memo").expect("attached");
    "memo"
}

#[test]
fn items_of_collections_go_to_the_trash_and_back() {
    let collections = config()
        .with("library.trash = '1h'")
        .field("photos", "image, collection = 'list', max_items = 2")
        .field("views", "image, collection = 'dict'");
    let Some(mount) = collections.mount() else { return };
    let (photos, views) = (mount.row().join("photos"), mount.row().join("views"));
    for (seed, path) in
        [(1, photos.join("one.png")), (2, photos.join("two")), (3, views.join("front.png"))]
    {
        fs::write(&path, picture::good(seed)).expect("attached");
        detach(&path);
    }
    let lost = ["user-42-photos-one.png", "user-42-photos-two.png", "user-42-views-front.png"];
    assert_eq!(trash_names(&mount), lost);
    let one = only_named(&mount, lost[0]);
    let ino = |path: &Path| fs::metadata(path).expect("stat").ino();
    fs::rename(&one, photos.join("first.png")).expect("restored under another name");
    assert_eq!(read(&photos.join("first.png")), picture::good(1));
    fs::rename(only_named(&mount, lost[2]), views.join("back.png")).expect("restored");
    let before = ino(&views.join("back.png"));
    fs::rename(views.join("back.png"), mount.row().join("avatar")).expect("moved on");
    assert_eq!(ino(&mount.row().join("avatar")), before, "an attachment like any other");
    fs::write(photos.join("third.png"), picture::good(4)).expect("attached");
    let two = only_named(&mount, lost[1]);
    assert_eq!(errno(fs::rename(&two, photos.join("two"))), EDQUOT, "max_items");
    let full = restore(&mount, &[two.to_str().expect("UTF-8")]);
    assert!(full.code == 1 && full.stderr.contains("max_items"), "{full}");
    detach(&photos.join("third.png"));
    let done = restore(&mount, &[two.to_str().expect("UTF-8")]);
    assert_eq!(done.stdout, "restored user/42/photos/two\n", "{done}");
    assert_eq!(read(&photos.join("two")), picture::good(2));
    assert_eq!(names(&photos), ["first.png", "two"]);
}

#[test]
fn what_the_quota_has_no_room_for_stays_in_the_trash() {
    let quota = config().with("library.trash = '1h'").with("quotas.tables.user.files = 1");
    let Some(mount) = quota.mount() else { return };
    detach(&mount.attach("memo", b"a memo"));
    let avatar = mount.attach("avatar", &picture::good(1));
    let lost = only(&mount);
    let memo = mount.row().join("memo");
    assert_eq!(errno(fs::rename(&lost, &memo)), EDQUOT);
    let told = mount.last_error();
    assert!(told.contains("[quotas.tables.user] files"), "{told}");
    let done = restore(&mount, &[lost.to_str().expect("UTF-8")]);
    assert!(done.code == 1 && done.stderr.contains("table user may have (quota)"), "{done}");
    detach(&avatar);
    fs::rename(&lost, &memo).expect("there is room again");
    assert_eq!(read(&memo), b"a memo");
}
