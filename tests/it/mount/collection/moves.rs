//! Renames and links between single fields, lists and dicts, and which of them are refused.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::super::daemon::Mount;
use super::super::tool::{run, shell};
use super::super::{
    EBADMSG, EISDIR, EMEDIUMTYPE, ENOENT, ENOTDIR, EPERM, ERANGE, EROFS, EXDEV, attribute, errno,
    listed, names, picture, read,
};
use super::{ino, put, started};

/// The paths of the row, its list and its dict.
fn row(mount: &Mount) -> (PathBuf, PathBuf, PathBuf) {
    let row = mount.row();
    (row.clone(), row.join("photos"), row.join("sides"))
}

/// The list of a row of another table, whose rules convert to JPEG.
fn strip(mount: &Mount) -> PathBuf {
    let page = mount.path("models/page/home");
    fs::create_dir_all(&page).expect("a row");
    page.join("strip")
}

#[test]
fn an_attachment_moves_between_a_field_a_list_and_a_dict() {
    let Some(mount) = started() else { return };
    let (row, photos, sides) = row(&mount);
    put(&row.join("avatar"), 1);
    let number = ino(&row.join("avatar"));
    fs::rename(row.join("avatar"), photos.join("me.png")).expect("into the list");
    fs::rename(photos.join("me.png"), sides.join("front.png")).expect("into the dict");
    assert_eq!((names(&photos), names(&sides)), (vec![], vec!["front.png".to_owned()]));
    let other = mount.row_of("7").join("photos/front.png");
    fs::rename(sides.join("front"), &other).expect("into another row's list");
    fs::rename(&other, row.join("avatar")).expect("into the field");
    assert_eq!((ino(&row.join("avatar")), read(&row.join("avatar"))), (number, picture::good(1)));
}

#[test]
fn a_hard_link_shares_an_attachment_between_collections() {
    let Some(mount) = started() else { return };
    let (row, photos, sides) = row(&mount);
    put(&photos.join("me.png"), 1);
    for name in [row.join("avatar"), sides.join("front.png"), photos.join("again.png")] {
        fs::hard_link(photos.join("me.png"), name).expect("shared");
    }
    for name in [&row.join("avatar"), &sides.join("front"), &photos.join("again.png")] {
        assert_eq!(ino(name), ino(&photos.join("me.png")), "{}", name.display());
        assert_eq!(fs::metadata(name).expect("there").nlink(), 4);
    }
    fs::remove_file(photos.join("me.png")).expect("removed");
    assert_eq!(fs::metadata(row.join("avatar")).expect("there").nlink(), 3);
    assert_eq!(listed(&photos), ["again.png"]);
}

#[test]
fn a_transfer_is_judged_by_the_rules_of_its_target() {
    let Some(mount) = started() else { return };
    let (row, photos, sides) = row(&mount);
    fs::write(sides.join("small.png"), picture::png(32, 32, 1)).expect("a small one");
    let small = || sides.join("small.png");
    assert_eq!(errno(fs::rename(small(), photos.join("small.png"))), ERANGE);
    assert_eq!(errno(fs::hard_link(small(), row.join("avatar"))), ERANGE);
    assert!(mount.last_error().contains("user/42/avatar: "), "{}", mount.last_error());
    assert_eq!(errno(fs::rename(small(), photos.join("small.pdf"))), EMEDIUMTYPE);
    assert_eq!((names(&photos), names(&sides)), (vec![], vec!["small.png".to_owned()]));
    // The rules of the other table would change the bytes.
    put(&photos.join("a.png"), 2);
    let strip = strip(&mount);
    assert_eq!(errno(fs::hard_link(photos.join("a.png"), strip.join("a.png"))), EXDEV);
    assert_eq!(errno(fs::rename(photos.join("a.png"), strip.join("a.png"))), EXDEV);
    run("mv", &[photos.join("a.png"), strip.join("a.png")]).succeeded();
    assert!(
        read(&strip.join("a.png")).starts_with(picture::JPEG),
        "listed as written, stored as a JPEG"
    );
    assert_eq!(names(&photos), Vec::<String>::new());
}

#[test]
fn items_are_exchanged() {
    let Some(mount) = started() else { return };
    let (row, photos, sides) = row(&mount);
    put(&photos.join("a.png"), 1);
    put(&photos.join("b.png"), 2);
    put(&sides.join("front.png"), 3);
    let exchange = |one: &Path, other: &Path| {
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("exchanged");
    };
    exchange(&photos.join("a.png"), &photos.join("b.png"));
    assert_eq!(listed(&photos), ["a.png", "b.png"]);
    assert_eq!(read(&photos.join("a.png")), picture::good(2));
    exchange(&photos.join("a.png"), &sides.join("front.png"));
    assert_eq!(read(&photos.join("a.png")), picture::good(3));
    assert_eq!(read(&sides.join("front")), picture::good(2));
    assert_eq!(names(&row), ["papers", "photos", "sides"]);
}

#[test]
fn scratch_becomes_an_item_and_an_item_scratch() {
    let Some(mount) = started() else { return };
    let (row, photos, _) = row(&mount);
    put(&photos.join(".a.png.Xy12Zw"), 1);
    assert_eq!(fs::metadata(photos.join(".a.png.Xy12Zw")).expect("there").mode() & 0o777, 0o600);
    fs::rename(photos.join(".a.png.Xy12Zw"), photos.join("a.png")).expect("attached");
    assert_eq!(listed(&photos), ["a.png"]);
    fs::rename(photos.join("a.png"), photos.join("a.png~")).expect("a backup");
    assert_eq!(listed(&photos), ["a.png~"]);
    fs::rename(photos.join("a.png~"), row.join("upload.part")).expect("into the row");
    fs::rename(row.join("upload.part"), photos.join("b.png")).expect("attached");
    assert_eq!(
        (listed(&photos), read(&photos.join("b.png"))),
        (vec!["b.png".into()], picture::good(1))
    );
    fs::write(photos.join("tmp.part"), picture::cut_short(2)).expect("scratch is not judged");
    assert_eq!(errno(fs::rename(photos.join("tmp.part"), photos.join("b.png"))), EBADMSG);
    assert_eq!(names(&photos), ["b.png", "tmp.part"], "a refused rename changes neither name");
    assert_eq!(errno(fs::rename(mount.kept().file, photos.join("c.png"))), EBADMSG, "tried again");
}

#[test]
fn an_item_is_a_draft_until_it_is_closed() {
    let Some(mount) = started() else { return };
    let (_, photos, _) = row(&mount);
    put(&photos.join("a.png"), 1);
    let mut draft = File::create(photos.join("a.png")).expect("opened");
    draft.write_all(&picture::good(2)).expect("written");
    assert_eq!(read(&photos.join("a.png")).len(), picture::good(1).len());
    shell("test ! -s \"$1\"", &[&photos.join("b.png")]).succeeded();
    drop(draft);
    assert_eq!(read(&photos.join("a.png")), picture::good(2));
    // An empty close leaves a placeholder, which is no item.
    File::create(photos.join("b.png")).expect("opened");
    assert_eq!(listed(&photos), ["a.png", "b.png"]);
    assert_eq!(fs::metadata(photos.join("b.png")).expect("shown").len(), 0);
    fs::remove_file(photos.join("a.png")).expect("removed");
    fs::remove_dir(&photos).expect("a placeholder keeps no collection");
    assert_eq!(listed(&photos), Vec::<String>::new());
}

#[test]
fn a_refused_item_leaves_the_old_one_and_says_why() {
    let Some(mount) = started() else { return };
    let (row, photos, _) = row(&mount);
    put(&photos.join("a.png"), 1);
    assert_eq!(errno(fs::write(photos.join("a.png"), picture::png(40, 40, 2))), ERANGE);
    assert_eq!(read(&photos.join("a.png")), picture::good(1));
    let told = "user/42/photos/a.png: image is 40x40; photos takes images at least 64";
    assert!(mount.last_message().starts_with(told), "{}", mount.last_error());
    for path in [&row, &photos, &photos.join("a.png")] {
        let error = attribute::text(path, "user.mediafs.error");
        assert!(error.starts_with(told), "{}: {error}", path.display());
    }
    // The tool unlinks the item before it writes.
    let small = mount.outside("small.png", &picture::png(40, 40, 2));
    let done = run("cp", &[Path::new("--remove-destination"), &small, &photos.join("a.png")]);
    assert_eq!((done.code, read(&photos.join("a.png"))), (1, picture::good(1)), "{done}");
}

#[test]
fn a_directory_is_not_renamed_into_a_field_or_a_collection() {
    let Some(mount) = started() else { return };
    let (row, photos, sides) = row(&mount);
    put(&row.join("avatar"), 1);
    let other = mount.row_of("7");
    for target in [photos.join("x"), row.join("x"), row.join("cover"), sides.join("x.png")] {
        assert_eq!(errno(fs::rename(&other, &target)), EPERM, "{}", target.display());
    }
    assert_eq!(errno(fs::rename(&other, row.join("avatar"))), ENOTDIR);
    for target in [row.join("other"), other.join("photos"), sides.clone(), other.join("x")] {
        assert_eq!(errno(fs::rename(&photos, &target)), EPERM, "{}", target.display());
    }
    assert_eq!(errno(fs::rename(row.join("avatar"), &photos)), EISDIR);
    assert_eq!(errno(fs::rename(&photos, mount.path("models/user/99"))), EPERM);
    let outside = mount.beside("directory");
    fs::create_dir(&outside).expect("a directory");
    assert_eq!(errno(fs::rename(&outside, photos.join("x"))), EXDEV);
    assert_eq!(errno(fs::create_dir(mount.path("thumbs/user/42/photos/x"))), EROFS);
    assert_eq!(errno(fs::metadata(photos.join("x"))), ENOENT);
}

#[test]
fn show_knows_items() {
    let Some(mount) = started() else { return };
    let (_, photos, sides) = row(&mount);
    put(&photos.join("a.png"), 1);
    put(&sides.join("front.png"), 2);
    for path in ["user/42/photos/a.png", "user/42/sides/front.png", "user/42/sides/front"] {
        let shown = mount.command(&["show", path]);
        shown.succeeded();
        assert!(shown.stdout.contains("\"content_type\": \"image/png\""), "{shown}");
    }
    assert_eq!(mount.command(&["show", "user/42/photos/b.png"]).code, 1);
}

#[test]
fn items_and_their_order_are_there_after_a_crash() {
    let Some(mut mount) = started() else { return };
    let (_, photos, _) = row(&mount);
    for (name, seed) in [("z.png", 1), ("a.png", 2), ("m.png", 3)] {
        put(&photos.join(name), seed);
    }
    let number = ino(&photos);
    mount.crash_and_restart();
    assert_eq!(listed(&photos), ["z.png", "a.png", "m.png"]);
    assert_eq!(ino(&photos), number);
}
