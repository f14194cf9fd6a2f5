//! `mediafs restore`, and files of the trash for which the target has no room (CONTRACT 7).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, run};
use super::trash::{detach, keeping};
use super::{EDQUOT, config, errno, names, picture, read, rest};

fn restore(mount: &Mount, arguments: &[&str]) -> Done {
    mount.command(&[&["restore"], arguments].concat())
}

#[test]
fn mediafs_restore_restores_to_the_old_place_and_replaces_only_with_replace() {
    let Some(mut mount) = keeping() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    detach(&avatar);
    let lost = mount.lost();
    mount.attach("avatar", &picture::good(2));
    read(&avatar);
    let path = lost.to_str().expect("UTF-8");
    let done = restore(&mount, &[path]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("user/42/avatar is taken; --replace"), "{done}");
    let mut open = File::open(&avatar).expect("opened");
    restore(&mount, &["--replace", path]).succeeded();
    assert_eq!(read(&avatar), picture::good(1), "the kernel's cache shows it too");
    assert_eq!(rest(&mut open), picture::good(2));
    let lost = mount.lost();
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
    assert!(!mount.path("models/user/44").exists(), "a refused restore makes no row");
    mount.stop();
    let done = restore(&mount, &[&key]);
    assert_eq!(done.stdout, "restored user/42/avatar\n", "makes the row again: {done}");
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
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
    assert_eq!(mount.trash_names(), lost);
    let one = mount.lost_named(lost[0]);
    let ino = |path: &Path| fs::metadata(path).expect("stat").ino();
    fs::rename(&one, photos.join("first.png")).expect("restored under another name");
    assert_eq!(read(&photos.join("first.png")), picture::good(1));
    fs::rename(mount.lost_named(lost[2]), views.join("back.png")).expect("restored");
    let before = ino(&views.join("back.png"));
    fs::rename(views.join("back.png"), mount.row().join("avatar")).expect("moved on");
    assert_eq!(ino(&mount.row().join("avatar")), before, "an attachment like any other");
    fs::write(photos.join("third.png"), picture::good(4)).expect("attached");
    let two = mount.lost_named(lost[1]);
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
fn a_file_beyond_the_quota_stays_in_the_trash() {
    let quota = config().with("library.trash = '1h'").with("quotas.tables.user.files = 1");
    let Some(mount) = quota.mount() else { return };
    detach(&mount.attach("memo", b"a memo"));
    let avatar = mount.attach("avatar", &picture::good(1));
    let lost = mount.lost();
    let memo = mount.row().join("memo");
    assert_eq!(errno(fs::rename(&lost, &memo)), EDQUOT);
    mount.last_error_has("user/42/memo", "[quotas.tables.user] files");
    let done = restore(&mount, &[lost.to_str().expect("UTF-8")]);
    assert!(done.code == 1 && done.stderr.contains("table user may have (quota)"), "{done}");
    detach(&avatar);
    fs::rename(&lost, &memo).expect("there is room again");
    assert_eq!(read(&memo), b"a memo");
}

#[test]
fn a_row_is_restored_with_all_that_it_had_by_any_of_its_paths() {
    let Some(mut mount) = keeping() else { return };
    let row = mount.row();
    let lose = |mount: &Mount| {
        mount.attach("avatar", &picture::good(1));
        mount.attach("memo", b"an old memo");
        mount.attach("memo", b"a memo");
        run("rm", &[Path::new("-r"), &row]).succeeded();
    };
    let in_mount = row.display().to_string();
    for path in ["user/42", "/models/user/42", &in_mount] {
        lose(&mount);
        let done = restore(&mount, &[path]);
        assert_eq!(done.stdout, "restored user/42/avatar\nrestored user/42/memo\n", "{done}");
        assert_eq!(
            (read(&row.join("avatar")), read(&row.join("memo"))),
            (picture::good(1), super::picture::Bytes(b"a memo".to_vec()))
        );
    }
    fs::remove_file(row.join("memo")).expect("removed");
    let done = restore(&mount, &["user/42/memo"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "restored user/42/memo\n"), "{done}");
    let taken = restore(&mount, &["user/42"]);
    assert!(taken.code == 1 && taken.stderr.contains("user/42/memo is taken"), "{taken}");
    let nothing = restore(&mount, &["user/43"]);
    assert!(
        nothing.stderr.contains("user/43: there is nothing like this in the trash"),
        "{nothing}"
    );
    mount.stop();
    assert_eq!(mount.command(&["show", &in_mount.replace("/42", "/42/memo")]).code, 0);
}
