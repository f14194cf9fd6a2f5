//! Extensions in names: of a variant, which reads in another format, and of a field, where another image type's extension names
//! the field to a writer only (CONTRACT 1 and 5).

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use super::tool::run;
use super::{EEXIST, EMEDIUMTYPE, ENOENT, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("photo", "image")
        .field("other", "image")
        .field("file", "file")
        .field("strict", "image, content_types = ['image/png', 'image/jpeg']")
}

/// Names with extensions that a field with a PNG does not have, but under which it can be written.
const OTHERS: [&str; 5] = ["photo.jpg", "photo.webp", "photo.GIF", "photo.bmp", "photo.tif"];

/// Whether bytes begin like a file with this extension.
fn is(extension: &str, bytes: &[u8]) -> bool {
    match extension {
        "jpg" => bytes.starts_with(picture::JPEG),
        "png" => bytes.starts_with(picture::PNG),
        "gif" => bytes.starts_with(b"GIF89a"),
        "webp" => bytes.starts_with(b"RIFF") && &bytes[8..12] == b"WEBP",
        "avif" => &bytes[4..12] == b"ftypavif",
        other => panic!("{other} is not written"),
    }
}

const WRITTEN: [&str; 5] = ["jpg", "png", "gif", "webp", "avif"];

/// A bitmap of 2x2 pixels with 24 bits each.
fn bitmap() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [70_u32, 0, 54, 40, 2, 2] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend([255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 255, 9, 9, 9, 0, 0]);
    bytes
}

#[test]
fn full_gives_the_whole_image_in_any_format_of_any_attachment() {
    let Some(mount) = config().mount() else { return };
    let photo = mount.attach("photo", &picture::good(1));
    let row = mount.row();
    let made = |extension: &str| read(&row.join(format!("photo@full.{extension}")));
    let originals: Vec<_> = WRITTEN.map(|it| (it, made(it))).into();
    for (from, original) in &originals {
        fs::write(row.join("other"), original).expect("taken");
        for to in WRITTEN {
            let beside = read(&row.join(format!("other@full.{to}")));
            assert!(is(to, &beside), "{from} to {to}: {beside:?}");
            let thumb = read(&mount.path(&format!("thumbs/user/42/other/full.{to}")));
            assert_eq!(thumb, beside, "{from} to {to}");
        }
    }
    for (name, bytes) in [("a picture", picture::good(2).0), ("a bitmap", bitmap())] {
        fs::write(row.join("file"), bytes).expect("taken");
        for to in WRITTEN {
            assert!(is(to, &read(&row.join(format!("file@full.{to}")))), "{name} to {to}");
        }
    }
    fs::write(row.join("file"), b"no image").expect("taken");
    assert_eq!(errno(fs::metadata(row.join("file@full.png"))), ENOENT);
    assert_eq!(read(&photo), picture::good(1));
}

#[test]
fn any_other_image_extension_is_enoent_to_a_lookup() {
    let Some(mount) = config().mount() else { return };
    mount.attach("photo.png", &picture::good(1));
    let row = mount.row();
    for name in OTHERS {
        let path = row.join(name);
        assert_eq!(errno(fs::metadata(&path)), ENOENT, "stat {name}");
        assert_eq!(errno(File::open(&path)), ENOENT, "open {name}");
        assert_eq!(errno(OpenOptions::new().write(true).open(&path)), ENOENT, "write {name}");
        assert_eq!(errno(fs::remove_file(&path)), ENOENT, "unlink {name}");
        assert_eq!(errno(fs::rename(&path, row.join("other"))), ENOENT, "rename {name}");
        assert_eq!(errno(fs::hard_link(&path, row.join("other"))), ENOENT, "link {name}");
    }
    assert_eq!(names(&row), ["photo.png"]);
    assert_eq!(read(&row.join("photo")), picture::good(1));
}

#[test]
fn any_other_image_extension_means_the_field_to_create() {
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    let mut seed = 1;
    mount.attach("photo.png", &picture::good(seed));
    for name in OTHERS {
        for exclusive in [false, true] {
            seed += 1;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(!exclusive).create_new(exclusive);
            let mut file = options.open(row.join(name)).expect("created");
            file.write_all(&picture::good(seed)).expect("written");
            drop(file);
            assert_eq!(read(&row.join("photo")), picture::good(seed), "{name}");
            assert_eq!(names(&row), ["photo.png"], "{name}: the bytes are a PNG's");
            // It resolves under the name that it was written with.
            assert_eq!(read(&row.join(name)), picture::good(seed), "{name}");
            fs::remove_file(row.join("photo")).expect("removed");
            fs::write(row.join("photo.png"), picture::good(seed)).expect("taken");
            assert_eq!(errno(fs::metadata(row.join(name))), ENOENT, "{name}");
        }
    }
    let node = mknodat(CWD, row.join("photo.webp"), FileType::RegularFile, Mode::RUSR, 0);
    node.expect("an empty file");
    assert_eq!(read(&row.join("photo")), picture::good(seed));
}

#[test]
fn any_other_image_extension_means_the_field_to_rename() {
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    let mut seed = 1;
    mount.attach("photo.png", &picture::good(seed));
    for name in OTHERS {
        seed += 1;
        let scratch = row.join("upload.part");
        fs::write(&scratch, picture::good(seed)).expect("scratch");
        let taken = renameat_with(CWD, &scratch, CWD, row.join(name), RenameFlags::NOREPLACE);
        assert_eq!(taken.expect_err("the field is taken").raw_os_error(), EEXIST, "{name}");
        fs::rename(&scratch, row.join(name)).expect("attached");
        assert_eq!(read(&row.join("photo")), picture::good(seed), "{name}");
        // Also from another field.
        seed += 1;
        fs::write(row.join("other"), picture::good(seed)).expect("taken");
        fs::rename(row.join("other"), row.join(name)).expect("moved");
        assert_eq!(read(&row.join("photo")), picture::good(seed), "{name}");
        assert_eq!(names(&row), ["photo.png"], "{name}");
    }
}

#[test]
fn any_other_image_extension_means_the_field_to_link() {
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    for name in OTHERS {
        for source in ["upload.part", "other"] {
            fs::write(row.join(source), picture::good(1)).expect("taken");
            fs::hard_link(row.join(source), row.join(name)).expect("attached");
            assert_eq!(read(&row.join("photo")), picture::good(1), "{source} to {name}");
            assert_eq!(errno(fs::hard_link(row.join(source), row.join(name))), EEXIST, "{name}");
            fs::remove_file(row.join(source)).expect("removed");
            assert_eq!(names(&row), ["photo.png"], "{source} to {name}");
            fs::remove_file(row.join("photo")).expect("removed");
        }
    }
}

#[test]
fn an_extension_that_the_rules_can_never_accept_is_refused_to_every_writer() {
    let Some(mount) = config().mount() else { return };
    let strict = mount.attach("strict", &picture::good(1));
    let row = mount.row();
    fs::write(row.join("upload.part"), picture::good(2)).expect("scratch");
    for name in ["strict.webp", "strict.gif", "strict.pdf"] {
        let target = row.join(name);
        assert_eq!(errno(File::create(&target)), EMEDIUMTYPE, "create {name}");
        assert_eq!(errno(fs::rename(row.join("upload.part"), &target)), EMEDIUMTYPE, "{name}");
        assert_eq!(errno(fs::hard_link(row.join("upload.part"), &target)), EMEDIUMTYPE, "{name}");
    }
    assert_eq!(read(&strict), picture::good(1));
    assert_eq!(read(&row.join("upload.part")), picture::good(2));
}

#[test]
fn a_damaged_avif_is_refused_and_the_next_is_taken() {
    let Some(mount) = config().mount() else { return };
    let photo = mount.attach("photo", &picture::good(1));
    let whole = read(&mount.row().join("photo@full.avif"));
    let data = whole.windows(4).position(|kind| kind == b"mdat").expect("data") + 4;
    let mut refused = 0;
    // Only the headers of the coded picture: the bits behind them have no checksum and decode to some picture.
    for at in data..data + 24 {
        let mut damaged = whole.0.clone();
        damaged[at] ^= 0xFF;
        let source = mount.outside("damaged.avif", &damaged);
        let done = run("cp", &[&source, &mount.row().join("other")]);
        if done.code != 0 {
            assert!(done.stderr.contains("Bad message"), "{done}");
            refused += 1;
        }
    }
    assert!(refused > 0, "no damage was noticed");
    fs::write(&photo, &*whole).expect("taken");
    assert_eq!(read(&photo), whole);
    assert!(read(&mount.path("thumbs/user/42/photo/full.png")).starts_with(picture::PNG));
}
