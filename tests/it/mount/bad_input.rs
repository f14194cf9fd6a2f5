//! Names, types, sizes and bytes that are refused: each has its errno and reason, the old attachment stays, and nothing is left
//! behind (CONTRACT 1, 2.2 to 2.4, and 4).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::daemon::Mount;
use super::library_files::holds_exactly;
use super::sender::{Sent, send};
use super::tool::installed;
use super::{
    EBADMSG, EFBIG, EINVAL, EMEDIUMTYPE, ENAMETOOLONG, ENOENT, EPERM, ERANGE, errno, names,
    picture, read,
};

/// Sends bytes over a stored picture and checks that only the old picture is there afterwards. Returns the end of the sender, and
/// last-error.
fn refused(name: &str, bytes: &[u8]) -> Option<(Sent, String)> {
    if !installed("python3") {
        return None;
    }
    let mount = Mount::start()?;
    let old = picture::good(1);
    let avatar = mount.attach("avatar", &old);
    let source = mount.outside("source", bytes);
    let sent = send(&avatar.with_file_name(name), &source);
    assert_eq!(read(&avatar), old, "the old picture is untouched");
    assert_eq!(names(&mount.row()), ["avatar"]);
    holds_exactly(&mount, &mount.library(), &[&old]);
    Some((sent, mount.last_error()))
}

#[test]
fn an_unknown_table_cannot_be_made() {
    let Some(mount) = Mount::start() else { return };
    let table = mount.path("models/usr");
    assert_eq!(errno(fs::create_dir(&table)), EPERM);
    assert_eq!(errno(fs::write(&table, b"x")), EPERM);
    assert_eq!(errno(fs::create_dir(table.join("42"))), ENOENT);
    assert_eq!(errno(fs::metadata(&table)), ENOENT);
    assert_eq!(names(&mount.path("models")), ["page", "user"]);
}

#[test]
fn a_row_id_that_breaks_the_rule_is_invalid() {
    let Some(mount) = Mount::start() else { return };
    let table = mount.path("models/user");
    for id in ["x", "-1", "01", "4.2", "4 2", "99999999999999999999999"] {
        assert_eq!(errno(fs::create_dir(table.join(id))), EINVAL, "{id:?}");
        assert_eq!(errno(fs::metadata(table.join(id))), ENOENT, "{id:?}");
    }
    assert_eq!(names(&table), [""; 0]);
    mount.last_error_has("user", "user takes a whole number such as 42 (name)");
}

#[test]
fn a_bad_name_is_invalid() {
    let Some(mount) = Mount::start() else { return };
    let (row, table) = (mount.row(), mount.path("models/page"));
    for name in [&b"a\x01b"[..], b"new\nline", b"\xff\xfe", b"space ", b"dot."] {
        let name = OsStr::from_bytes(name);
        assert_eq!(errno(fs::write(row.join(name), b"x")), EINVAL, "{name:?}");
        assert_eq!(errno(fs::create_dir(table.join(name))), EINVAL, "{name:?}");
        assert_eq!(errno(fs::metadata(row.join(name))), ENOENT, "{name:?}");
    }
    assert_eq!(names(&row), [""; 0]);
    assert_eq!(names(&table), [""; 0]);
}

#[test]
fn a_name_of_256_bytes_is_too_long_and_one_of_255_is_not() {
    let Some(mount) = Mount::start() else { return };
    for parent in [mount.row(), mount.path("models/page"), mount.path("models")] {
        assert_eq!(errno(fs::metadata(parent.join("n".repeat(256)))), ENAMETOOLONG);
        assert_eq!(errno(fs::create_dir(parent.join("n".repeat(256)))), ENAMETOOLONG);
    }
    assert_eq!(errno(fs::write(mount.row().join("n".repeat(256)), b"x")), ENAMETOOLONG);
    fs::write(mount.row().join("n".repeat(255)), b"x").expect("scratch");
    fs::create_dir(mount.path("models/page").join("ä".repeat(127))).expect("a row of 254 bytes");
}

#[test]
fn a_name_that_only_another_type_has_is_refused_before_a_byte_is_sent() {
    let Some((sent, said)) = refused("avatar.txt", b"hello") else { return };
    assert_eq!(sent, Sent { stage: "open".into(), errno: EMEDIUMTYPE, bytes: 0 });
    assert!(said.contains("avatar takes image/jpeg, image/png, image/webp"), "{said}");
}

#[test]
fn a_text_called_jpg_is_a_wrong_medium_type() {
    let text = "This is no picture. ".repeat(10_000);
    let Some((sent, said)) = refused("avatar", text.as_bytes()) else { return };
    assert_eq!(sent, Sent { stage: "write".into(), errno: EMEDIUMTYPE, bytes: 0 });
    assert!(said.contains("text/plain") && said.contains("(content_types)"), "{said}");
}

#[test]
fn a_text_called_jpg_on_a_free_field_leaves_nothing() {
    let Some(mount) = Mount::start() else { return };
    let path = mount.row().join("avatar.jpg");
    let text = "This is no picture. ".repeat(10_000);
    assert_eq!(errno(fs::write(&path, text)), EMEDIUMTYPE);
    assert_eq!(errno(fs::metadata(&path)), ENOENT);
    assert_eq!(names(&mount.row()), [""; 0]);
    holds_exactly(&mount, &mount.library(), &[]);
}

#[test]
fn an_image_of_40x40_is_out_of_range() {
    let Some((sent, said)) = refused("avatar", &picture::png(40, 40, 2)) else { return };
    assert_eq!(sent, Sent { stage: "write".into(), errno: ERANGE, bytes: 0 });
    assert!(said.contains("image is 40x40"), "{said}");
}

/// The header of a PNG of this size, followed by bytes that are no pixels.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    drop(encoder.write_header().expect("a header"));
    bytes.truncate(33); // the signature and IHDR
    bytes.resize(300_000, 0);
    bytes
}

#[test]
fn a_png_of_50000x50000_is_refused_by_its_header() {
    let Some((sent, said)) = refused("avatar", &bomb(50_000, 50_000)) else { return };
    assert_eq!(sent, Sent { stage: "write".into(), errno: ERANGE, bytes: 0 });
    assert!(said.contains("50000x50000"), "{said}");
}

#[test]
fn a_truncated_jpeg_is_a_bad_message() {
    let Some(mount) = Mount::start() else { return };
    let jpeg = read(&mount.attach("cover", &picture::good(1)));
    assert!(jpeg.starts_with(picture::JPEG), "cover makes JPEGs");
    drop(mount);
    for length in [jpeg.len() / 2, jpeg.len() - 1, 200] {
        let Some((sent, said)) = refused("avatar", &jpeg[..length]) else { return };
        assert_eq!(sent, Sent { stage: "close".into(), errno: EBADMSG, bytes: length });
        assert!(said.contains("(truncated)") && said.contains("kept: "), "{said}");
    }
}

#[test]
fn an_empty_file_is_no_verdict_and_changes_nothing() {
    let Some((sent, _)) = refused("avatar", b"") else { return };
    assert_eq!(sent, Sent { stage: "taken".into(), errno: 0, bytes: 0 });
}

#[test]
fn a_file_over_max_size_is_refused_before_the_whole_is_sent() {
    let large = picture::png(1000, 1000, 2);
    assert!(large.len() > 2 << 20);
    let Some((sent, said)) = refused("avatar", &large) else { return };
    assert_eq!((sent.stage.as_str(), sent.errno), ("write", EFBIG));
    assert!(sent.bytes <= 1 << 20, "{sent:?}");
    assert!(said.contains("(max_size)"), "{said}");
}

#[test]
fn a_link_across_tables_that_breaks_the_targets_rule_is_refused_and_says_which() {
    let Some(mount) = Mount::start() else { return };
    let (row, page) = (mount.row(), mount.path("models/page/home"));
    fs::create_dir(&page).expect("a row");
    fs::write(page.join("cover"), picture::png(40, 40, 1)).expect("taken");
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::remove_file(&avatar).expect("removed");
    for change in
        [fs::hard_link(page.join("cover"), &avatar), fs::rename(page.join("cover"), &avatar)]
    {
        assert_eq!(errno(change), ERANGE);
        mount.last_error_has("user/42/avatar: image is 40x40", "(min_width)");
    }
    assert_eq!((names(&row), names(&page)), (vec![], vec!["cover".to_owned()]));
}

#[test]
fn special_files_are_not_permitted() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let make = |name: &str, kind| mknodat(CWD, row.join(name), kind, Mode::RUSR, 0);
    for kind in [FileType::Fifo, FileType::Socket] {
        for name in ["avatar", "other"] {
            let refused = make(name, kind).expect_err("a special file");
            assert_eq!(refused.raw_os_error(), EPERM, "{name} {kind:?}");
        }
    }
    assert_eq!(errno(std::os::unix::fs::symlink(Path::new("/etc"), row.join("link"))), EPERM);
    assert_eq!(errno(fs::create_dir(row.join("directory"))), EPERM);
    assert_eq!(names(&row), [""; 0]);
}
