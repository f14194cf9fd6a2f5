//! The ways in which a refusal explains itself: last-error, errors.jsonl, an attribute, the quarantine (CONTRACT 4).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{installed, run};
use super::{ENOENT, ERANGE, EROFS, errno, names, picture, read};

/// Has a picture of 40x40 refused, and returns the path of the avatar.
fn refused(mount: &Mount) -> std::path::PathBuf {
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!(errno(fs::write(&avatar, picture::png(40, 40, 1))), ERANGE);
    avatar
}

#[test]
fn last_error_says_the_fact_and_the_rule() {
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
    let lines = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("errors.jsonl");
    let line = lines.lines().last().expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["path"], "user/42/avatar");
    assert_eq!(line["rule"], "min_width");
    assert_eq!(line["measured"], "40x40");
    assert_eq!(line["uid"], rustix::process::geteuid().as_raw());
    let keys: Vec<_> = line.as_object().expect("an object").keys().collect();
    let all = "allowed hint id measured message path pid quarantine rule time uid";
    assert_eq!(keys, all.split(' ').collect::<Vec<_>>());
    let id = line["id"].as_str().expect("an id");
    assert!(mount.last_error().contains(id), "one id in every layer");
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
        assert_eq!(error(path).code, 1, "no such attribute any more");
    }
}

#[test]
fn what_is_stored_tells_its_type_and_hash() {
    if !installed("getfattr") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1)).display().to_string();
    let value = |name: &str| run("getfattr", &["--only-values", "-n", name, &avatar]).stdout;
    assert_eq!(value("user.mime_type"), "image/png");
    assert_eq!(value("user.mediafs.width"), "160");
    assert_eq!(value("user.mediafs.hash"), format!("blake3:{}", blake3::hash(&picture::good(1))));
    let listed = run("getfattr", &["-d", &avatar]);
    assert_eq!(listed.stdout, "", "they are not listed, or rsync -X would copy them");
}

#[test]
fn refused_bytes_wait_in_the_quarantine_and_mv_tries_again() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let mut note = File::create(row.join("note")).expect("opened");
    note.write_all(b"abc").expect("written");
    // std ignores the answer of close; the refusal is read from the tree.
    drop(note);
    assert_eq!(errno(fs::metadata(row.join("note"))), ENOENT);
    let quarantine = mount.path(".mediafs/quarantine");
    let [id] = &names(&quarantine)[..] else { panic!("{:?}", names(&quarantine)) };
    let kept = quarantine.join(id);
    let reason = fs::read_to_string(kept.join("reason.json")).expect("a reason");
    assert!(reason.contains("min_size") && reason.contains("user/42/note"), "{reason}");
    let name = names(&kept).into_iter().find(|name| name != "reason.json").expect("the bytes");
    assert_eq!(read(&kept.join(&name)), b"abc");

    let again = run("mv", &[kept.join(&name), row.join("note")]);
    assert_eq!(again.code, 1, "the field has not changed its mind; {again}");
    run("mv", &[kept.join(&name), row.join("memo")]).succeeded();
    assert_eq!(read(&row.join("memo")), b"abc");
}

#[test]
fn a_mistyped_field_is_told() {
    let Some(mount) = Mount::start() else { return };
    fs::write(mount.row().join("avatr"), picture::good(1)).expect("scratch");
    let said = mount.last_error();
    assert!(said.contains("avatr") && said.contains("avatar"), "{said}");
    let lines = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("errors.jsonl");
    assert!(lines.contains("user/42/avatr") && lines.contains("\"not_a_field\""), "{lines}");
}

#[test]
fn control_files_are_read_only_and_status_is_json() {
    let Some(mount) = Mount::start() else { return };
    for name in ["last-error", "errors.jsonl", "status.json"] {
        assert_eq!(errno(fs::write(mount.path(".mediafs").join(name), b"x")), EROFS, "{name}");
    }
    let status = fs::read_to_string(mount.path(".mediafs/status.json")).expect("status.json");
    serde_json::from_str::<serde_json::Value>(&status).expect("JSON");
    assert_eq!(errno(fs::metadata(mount.path(".mediafs/nothing"))), ENOENT);
}
