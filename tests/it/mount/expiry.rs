//! Scratch that is never moved onto a field: it is reported while it lasts and before it expires, and kept in the quarantine
//! afterwards (CONTRACT 1).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon::Mount;
use super::tool::run;
use super::{EFBIG, errno, names};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("quarantine.count = 3")
        .with("quarantine.size = '64 KiB'")
        .table("album", "name")
        .field("cover", "file, max_size = '32 KiB'")
        .field("pages", "file, collection = 'list', max_size = '32 KiB'")
}

/// A mount on which scratch expires after a second.
fn quick() -> Option<Mount> {
    config().with("library.scratch = '1s'").mount()
}

/// Copies a folder of pictures into a row with `cp -r`.
fn copied(mount: &Mount, pictures: usize) -> PathBuf {
    let folder = mount.beside("folder");
    fs::create_dir(&folder).expect("a folder");
    for number in 0..pictures {
        let bytes = [b"picture ", number.to_string().as_bytes()].concat();
        fs::write(folder.join(format!("IMG_{number:03}.jpg")), bytes).expect("a picture");
    }
    let row = mount.path("models/album/Holiday");
    run("cp", &[Path::new("-r"), &folder, &row]).succeeded();
    row
}

/// The pictures in the quarantine.
fn kept(mount: &Mount) -> Vec<String> {
    let all = mount.all_kept().into_iter();
    let texts = all.map(|kept| String::from_utf8_lossy(&kept.bytes()).into_owned());
    let mut pictures: Vec<_> = texts.filter(|text| text.starts_with("picture ")).collect();
    pictures.sort();
    pictures
}

/// The line of a subject in the output of `mediafs status`.
fn line<'l>(text: &'l str, subject: &str) -> &'l str {
    let line = text.lines().find(|line| line.starts_with(subject));
    line.unwrap_or_else(|| panic!("no {subject} in {text}"))
}

#[test]
fn status_and_metrics_tell_how_much_scratch_there_is_and_when_it_expires() {
    let Some(mut mount) = config().mount() else { return };
    assert_eq!(mount.status()["scratch"]["next_expiry"], Value::Null);
    assert_eq!(mount.metric("mediafs_scratch_next_expiry_seconds"), None);
    let row = copied(&mount, 12);
    fs::write(row.join("cover"), "attached").expect("taken");
    let bytes: usize = (0..12).map(|number| format!("picture {number}").len()).sum();
    let bytes = bytes as u64;
    let scratch = &mount.status()["scratch"];
    assert_eq!((&scratch["files"], &scratch["bytes"]), (&12.into(), &bytes.into()));
    assert_eq!(mount.metric("mediafs_scratch_files"), Some(12));
    assert_eq!(mount.metric("mediafs_scratch_bytes"), Some(bytes));
    let left = mount.metric("mediafs_scratch_next_expiry_seconds").expect("a sample");
    assert!((86_000..=86_400).contains(&left), "{left}");
    let expiry = scratch["next_expiry"].as_str().expect("a time").to_owned();
    let told = mount.command(&["status"]).stdout;
    let shown = expiry[..16].replace('T', " ");
    let wanted = format!("12 files, {bytes} B, first expires {shown} UTC");
    assert_eq!(line(&told, "scratch"), format!("scratch     {wanted}"));
    fs::remove_file(row.join("IMG_000.jpg")).expect("removed");
    assert_eq!(mount.metric("mediafs_scratch_files"), Some(11));
    mount.stop();
    let alone = mount.command(&["status"]).stdout;
    assert!(line(&alone, "scratch").contains("11 files, "), "{alone}");
}

#[test]
fn the_notice_of_scratch_says_until_when_it_is_kept() {
    let Some(mount) = config().mount() else { return };
    copied(&mount, 1);
    let expiry = mount.status()["scratch"]["next_expiry"].as_str().expect("a time").to_owned();
    let hint = format!("kept as scratch until {}Z, then in the quarantine", &expiry[..16]);
    mount.last_error_has("album/Holiday", &hint);
    let entry = mount.last_refusal();
    assert!(entry["hint"].as_str().expect("a hint").contains(&hint), "{entry}");
}

#[test]
fn a_folder_copied_beside_the_fields_expires_whole_into_the_quarantine_after_a_warning() {
    let Some(mount) = quick() else { return };
    let row = copied(&mount, 40);
    until("the files have expired", || names(&row) == ["pages"]);
    let mut all: Vec<_> = (0..40).map(|number| format!("picture {number}")).collect();
    all.sort();
    assert_eq!(kept(&mount), all, "expired scratch is bounded by age alone");
    let log = mount.log();
    let warned = log.find("scratch expires soon").expect("a warning");
    let moved = log.find("IMG_000.jpg: scratch IMG_000.jpg was moved onto no field in time");
    assert!(warned < moved.expect("the log tells of each file"), "{log}");
    let warnings = log.matches("scratch expires soon").count();
    assert!(warnings <= 3, "the warnings cover many files each: {warnings}");
    let line = log.lines().find(|line| line.contains("scratch expires soon")).expect("it");
    assert!(line.contains("album/Holiday") && line.contains("files="), "{line}");
}

#[test]
fn a_refusal_evicts_older_refusals_and_no_expired_scratch_and_the_log_has_each() {
    let Some(mount) = quick() else { return };
    let row = copied(&mount, 5);
    until("the files have expired", || names(&row) == ["pages"]);
    let before = kept(&mount);
    assert_eq!(before.len(), 5);
    for number in 0..10 {
        let temporary = row.join(format!(".{number}.tmp"));
        fs::write(&temporary, vec![b'x'; 40 << 10]).expect("scratch");
        assert_eq!(errno(fs::rename(&temporary, row.join("cover"))), EFBIG);
        fs::remove_file(&temporary).expect("removed");
    }
    assert_eq!(kept(&mount), before);
    assert_eq!(mount.all_kept().len(), 5 + 1, "of 64 KiB, one refusal takes 40");
    let log = mount.log();
    let told: Vec<_> =
        log.lines().filter(|it| it.contains("in the quarantine is deleted")).collect();
    assert_eq!(told.len(), 9, "{log}");
    for line in told {
        for part in ["id=", "path=\"album/Holiday/cover\"", "uid=0", "bytes=40960", "size"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

#[test]
fn scratch_that_the_quarantine_cannot_take_stays_scratch() {
    let Some(mount) = quick() else { return };
    let folder = mount.library().join("quarantine");
    fs::rename(&folder, folder.with_extension("away")).expect("out of the way");
    let row = copied(&mount, 20);
    until("the log tells", || mount.log().contains("cannot be moved to the quarantine"));
    assert_eq!(names(&row).len(), 21, "all 20 and the list");
    assert!(mount.log().matches("cannot be moved to the quarantine").count() <= 2);
    fs::rename(folder.with_extension("away"), &folder).expect("back");
    until("the files have expired", || names(&row) == ["pages"]);
    assert_eq!(kept(&mount).len(), 20);
}

#[test]
fn scratch_that_expires_goes_to_the_quarantine_and_never_to_nothing() {
    let Some(mut mount) = super::config().with("library.scratch = '1s'").mount() else { return };
    fs::write(mount.row().join("lost.txt"), "bytes").expect("scratch");
    // The daemon looks for expired scratch once a minute and at every start.
    mount.stop_and_restart();
    until("the file has expired", || names(&mount.row()).is_empty());
    assert_eq!(mount.kept().bytes(), b"bytes");
}
