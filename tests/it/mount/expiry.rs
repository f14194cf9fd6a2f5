//! Scratch that is never moved onto a field: it is reported while it
//! is there and before it expires, and kept afterwards (CONTRACT 1).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon::Mount;
use super::tool::run;
use super::{EFBIG, errno, names, read};
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

fn quick() -> Option<Mount> {
    config().with("library.scratch = '1s'").mount()
}

/// Copies a folder of pictures into a row with `cp -r`.
fn copied(mount: &Mount, pictures: usize) -> PathBuf {
    let folder = mount.outside("a", b"").with_file_name("folder");
    fs::create_dir(&folder).expect("a folder");
    for number in 0..pictures {
        let bytes = [b"picture ", number.to_string().as_bytes()].concat();
        fs::write(folder.join(format!("IMG_{number:03}.jpg")), bytes).expect("a picture");
    }
    let row = mount.path("models/album/Holiday");
    run("cp", &[Path::new("-r"), &folder, &row]).succeeded();
    row
}

fn quarantine(mount: &Mount) -> PathBuf {
    mount.path(".mediafs/quarantine")
}

/// The pictures in the quarantine.
fn kept(mount: &Mount) -> Vec<String> {
    let entries = names(&quarantine(mount)).into_iter().map(|id| quarantine(mount).join(id));
    let files = entries.flat_map(|entry| names(&entry).into_iter().map(move |it| entry.join(it)));
    let texts = files.map(|file| String::from_utf8_lossy(&read(&file).0).into_owned());
    let mut pictures: Vec<_> = texts.filter(|text| text.starts_with("picture ")).collect();
    pictures.sort();
    pictures
}

fn metric(mount: &Mount, name: &str) -> Option<u64> {
    let text = fs::read_to_string(mount.path(".mediafs/metrics")).expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

fn line<'l>(text: &'l str, subject: &str) -> &'l str {
    let line = text.lines().find(|line| line.starts_with(subject));
    line.unwrap_or_else(|| panic!("no {subject} in {text}"))
}

#[test]
fn status_and_metrics_tell_how_much_scratch_there_is_and_when_it_expires() {
    let Some(mut mount) = config().mount() else { return };
    assert_eq!(mount.status()["scratch"]["next_expiry"], Value::Null);
    assert_eq!(metric(&mount, "mediafs_scratch_next_expiry_seconds"), None);
    let row = copied(&mount, 12);
    fs::write(row.join("cover"), "attached").expect("taken");
    let bytes: usize = (0..12).map(|number| format!("picture {number}").len()).sum();
    let bytes = bytes as u64;
    let scratch = &mount.status()["scratch"];
    assert_eq!((&scratch["files"], &scratch["bytes"]), (&12.into(), &bytes.into()));
    assert_eq!(metric(&mount, "mediafs_scratch_files"), Some(12));
    assert_eq!(metric(&mount, "mediafs_scratch_bytes"), Some(bytes));
    let left = metric(&mount, "mediafs_scratch_next_expiry_seconds").expect("a sample");
    assert!((86_000..=86_400).contains(&left), "{left}");
    let expiry = scratch["next_expiry"].as_str().expect("a time").to_owned();
    let told = mount.command(&["status"]).stdout;
    let shown = expiry[..16].replace('T', " ");
    let wanted = format!("12 files, {bytes} B, first expires {shown} UTC");
    assert_eq!(line(&told, "scratch"), format!("scratch     {wanted}"));
    fs::remove_file(row.join("IMG_000.jpg")).expect("removed");
    assert_eq!(metric(&mount, "mediafs_scratch_files"), Some(11));
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
    assert!(mount.last_error().contains(&hint), "{hint}: {}", mount.last_error());
    let log = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("the log");
    let entry: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
    assert!(entry["hint"].as_str().expect("a hint").contains(&hint), "{entry}");
}

#[test]
fn a_folder_that_was_copied_beside_the_fields_is_in_the_quarantine_whole_after_a_warning() {
    let Some(mount) = quick() else { return };
    let row = copied(&mount, 40);
    until("it has expired", || names(&row) == ["pages"]);
    let mut all: Vec<_> = (0..40).map(|number| format!("picture {number}")).collect();
    all.sort();
    assert_eq!(kept(&mount), all, "however many: they are bounded by age alone");
    let log = mount.log();
    let warned = log.find("scratch expires soon").expect("a warning");
    let moved = log.find("IMG_000.jpg: scratch IMG_000.jpg was moved onto no field in time");
    assert!(warned < moved.expect("each is told"), "{log}");
    let warnings = log.matches("scratch expires soon").count();
    assert!(warnings <= 3, "not one for each: {warnings}");
    let line = log.lines().find(|line| line.contains("scratch expires soon")).expect("it");
    assert!(line.contains("album/Holiday") && line.contains("files="), "{line}");
}

#[test]
fn refusals_push_out_refusals_and_no_expired_scratch_and_the_log_tells() {
    let Some(mount) = quick() else { return };
    let row = copied(&mount, 5);
    until("it has expired", || names(&row) == ["pages"]);
    let before = kept(&mount);
    assert_eq!(before.len(), 5);
    for number in 0..10 {
        let temporary = row.join(format!(".{number}.tmp"));
        fs::write(&temporary, vec![b'x'; 40 << 10]).expect("scratch");
        assert_eq!(errno(fs::rename(&temporary, row.join("cover"))), EFBIG);
        fs::remove_file(&temporary).expect("removed");
    }
    assert_eq!(kept(&mount), before);
    assert_eq!(names(&quarantine(&mount)).len(), 5 + 1, "40 KiB each, of 64");
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
    assert_eq!(names(&row).len(), 21, "they are all there");
    assert!(mount.log().matches("cannot be moved to the quarantine").count() <= 2, "once");
    fs::rename(folder.with_extension("away"), &folder).expect("back");
    until("it has expired", || names(&row) == ["pages"]);
    assert_eq!(kept(&mount).len(), 20);
}
