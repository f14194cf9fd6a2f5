//! The ways in which a refusal explains itself: its errno, last-error, errors.jsonl, an attribute, the quarantine (CONTRACT 4).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::tool::{installed, run};
use super::{EMEDIUMTYPE, ENOENT, EPERM, ERANGE, EROFS, errno, names, picture, read};

/// Writes a picture of 40x40, which is refused, and returns the path of the avatar.
fn refused(mount: &Mount) -> PathBuf {
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!(errno(fs::write(&avatar, picture::png(40, 40, 1))), ERANGE);
    avatar
}

#[test]
fn last_error_has_the_fact_and_the_rule() {
    let Some(mount) = Mount::start() else { return };
    refused(&mount);
    let said = mount.last_error();
    assert!(said.contains("user/42/avatar: image is 40x40"), "{said}");
    assert!(said.contains("(min_width)"), "{said}");
    assert!(said.contains("\nhint: ") && said.contains("\nid: "), "{said}");
}

#[test]
fn errors_jsonl_has_a_line_for_each_refusal() {
    let Some(mount) = Mount::start() else { return };
    refused(&mount);
    let line = mount.last_refusal();
    assert_eq!(line["path"], "user/42/avatar");
    assert_eq!(line["rule"], "min_width");
    assert_eq!(line["measured"], "40x40");
    assert_eq!(line["uid"], rustix::process::geteuid().as_raw());
    let keys: Vec<_> = line.as_object().expect("an object").keys().collect();
    let all = "allowed hint id measured message path pid quarantine rule time uid";
    assert_eq!(keys, all.split(' ').collect::<Vec<_>>());
}

/// A server that writes for many people has one uid, and so one `/.mediafs/last-error` for all of them.
#[test]
fn the_last_error_of_a_row_is_in_a_file_of_the_row_until_the_next_success() {
    let Some(mount) = Mount::start() else { return };
    let (row, other) = (mount.row(), mount.row_of("43"));
    let said = |row: &Path| read(&row.join("last-error"));
    assert_eq!(said(&row), b"");
    let avatar = refused(&mount);
    assert_eq!(said(&row), mount.last_error().as_bytes());
    let later = errno(fs::write(other.join("avatar"), picture::png(50, 50, 1)));
    assert_eq!(later, ERANGE);
    assert!(String::from_utf8_lossy(&said(&row)).contains("image is 40x40"));
    assert!(String::from_utf8_lossy(&said(&other)).contains("image is 50x50"));
    assert_eq!(
        fs::metadata(row.join("last-error")).expect("stat").len(),
        said(&row).0.len() as u64
    );
    assert_eq!(names(&row), ["avatar"], "unlisted");
    assert_eq!(errno(fs::write(row.join("last-error"), "x")), EROFS);
    assert_eq!(errno(fs::remove_file(row.join("last-error"))), EPERM);
    fs::write(&avatar, picture::good(2)).expect("taken");
    assert_eq!(said(&row), b"");
    fs::remove_dir(&other).expect("it keeps no row from being removed");
}

#[test]
fn the_error_is_an_attribute_until_the_next_success() {
    if !installed("getfattr") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = refused(&mount);
    let error = |path: &Path| {
        let path = path.display().to_string();
        run("getfattr", &["--only-values", "-n", "user.mediafs.error", &path])
    };
    for path in [&avatar, &mount.row()] {
        let done = error(path);
        assert!(done.stdout.contains("image is 40x40"), "{done}");
    }
    fs::write(&avatar, picture::good(2)).expect("taken");
    for path in [&avatar, &mount.row()] {
        assert_eq!(error(path).code, 1, "the attribute is gone");
    }
}

#[test]
fn refused_bytes_are_in_the_quarantine_and_mv_retries_them() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let mut note = File::create(row.join("note")).expect("opened");
    note.write_all(b"abc").expect("written");
    // The standard library ignores the answer of close.
    drop(note);
    assert_eq!(errno(fs::metadata(row.join("note"))), ENOENT);
    let kept = mount.kept();
    let reason = kept.reason();
    assert!(reason.contains("min_size") && reason.contains("user/42/note"), "{reason}");
    assert_eq!(kept.bytes(), b"abc");

    let again = run("mv", &[&kept.file, &row.join("note")]);
    assert_eq!(again.code, 1, "the field refuses them again; {again}");
    run("mv", &[kept.file, row.join("memo")]).succeeded();
    assert_eq!(read(&row.join("memo")), b"abc");
}

#[test]
fn a_mistyped_field_is_reported() {
    let Some(mount) = Mount::start() else { return };
    fs::write(mount.row().join("avatr"), picture::good(1)).expect("scratch");
    mount.last_error_has("avatr", "avatar");
    let refusal = mount.last_refusal();
    assert_eq!(
        (&refusal["path"], &refusal["rule"]),
        (&"user/42/avatr".into(), &"not_a_field".into())
    );
}

#[test]
fn control_files_are_read_only_and_status_is_json() {
    let Some(mount) = Mount::start() else { return };
    for name in ["last-error", "errors.jsonl", "status.json"] {
        assert_eq!(errno(fs::write(mount.path(".mediafs").join(name), b"x")), EROFS, "{name}");
    }
    assert!(mount.status().is_object());
    assert_eq!(errno(fs::metadata(mount.path(".mediafs/nothing"))), ENOENT);
}

#[test]
fn enoent_is_never_used_for_a_refusal() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let told = [
        errno(fs::write(row.join("avatar"), "no picture")),
        errno(fs::write(row.join("avatar.pdf"), "no picture")),
        errno(fs::write(row.join("avatar"), picture::png(40, 40, 1))),
        errno(fs::create_dir(row.join("folder"))),
        errno(fs::create_dir(mount.path("models/nothing"))),
        errno(fs::write(row.join("avatar@w64.jpg"), "x")),
    ];
    assert_eq!(told, [EMEDIUMTYPE, EMEDIUMTYPE, ERANGE, EPERM, EPERM, EROFS]);
    assert_eq!(errno(fs::read(row.join("avatar"))), ENOENT, "a missing file is ENOENT");
}

#[test]
fn one_refusal_has_one_id_in_every_layer() {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("bad.png", &picture::cut_short(1));
    let avatar = mount.row().join("avatar");
    let done = run("cp", &[&source, &avatar]);
    assert_eq!(done.code, 1, "{done}");
    let last = mount.last_error();
    let id = last.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    assert_eq!(mount.last_refusal()["id"], id);
    assert_eq!(mount.kept().id, id);
    assert!(mount.kept().reason().contains(&id));
    assert!(mount.log().contains(&id), "{}", mount.log());
}
