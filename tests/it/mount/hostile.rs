//! Hostile files that are copied onto image fields: each is refused or cleaned, and the daemon goes on.

use std::fs;
use std::path::Path;

use super::daemon::Mount;
use super::sender::{Sent, send};
use super::tool::installed;
use super::{EBADMSG, EMEDIUMTYPE, ERANGE, picture, read};

const VERDICTS: [i32; 3] = [ERANGE, EBADMSG, EMEDIUMTYPE];
/// The most memory that the daemon may use. Pixels are decoded in workers.
const MEMORY_KIB: u64 = 128 << 10;

/// Whether a stored file has lost the part that made it hostile.
fn is_harmless(name: &str, stored: &[u8]) -> bool {
    match name {
        // An empty close is no verdict: the old picture stays.
        "zero.jpg" => stored.starts_with(picture::PNG),
        "trail_zip.jpg" => !stored.windows(4).any(|bytes| bytes == b"PK\x03\x04"),
        // The text chunk of 64 KB expands to 64 MiB; the picture has a few pixels.
        "ztxt_bomb.png" => stored.len() < 1_000,
        _ => false,
    }
}

/// Sends all hostile files to a field that has a good picture.
fn survives(field: &Path, mount: &Mount, good: &[u8]) {
    for sample in samples::all("hostile") {
        let (name, source) = (&sample.name, mount.outside(&sample.name, &sample.bytes));
        fs::write(field, good).expect("a good picture is taken");
        let stored = read(field);
        let Sent { errno, stage, .. } = send(field, &source);
        let now = read(field);
        if stage == "taken" {
            assert!(is_harmless(name, &now) || now == stored, "{name} was taken");
        } else {
            assert!(VERDICTS.contains(&errno), "{name}: {stage} {errno}");
            assert!(now == stored, "{name}: the old picture is untouched");
        }
    }
    fs::write(field, good).expect("a good picture is taken");
    let peak = mount.proc("status", "VmHWM:");
    assert!(peak < MEMORY_KIB, "the daemon needed {peak} KiB");
    let status = mount.status();
    assert!(status["workers"]["live"].as_u64() >= Some(1), "{status:#}");
    assert_eq!(status["workers"]["busy"], 0, "{status:#}");
}

#[test]
fn hostile_files_are_refused_or_cleaned_by_a_field_that_takes_any_image() {
    let Some(mount) = Mount::start().filter(|_| installed("python3")) else { return };
    let row = mount.path("models/page/home");
    fs::create_dir(&row).expect("a row");
    survives(&row.join("cover"), &mount, &picture::good(1));
}

#[test]
fn hostile_files_are_refused_or_cleaned_by_a_field_that_converts() {
    let Some(mount) = Mount::start().filter(|_| installed("python3")) else { return };
    survives(&mount.row().join("cover"), &mount, &picture::good(1));
}

#[test]
fn hostile_files_are_refused_or_cleaned_by_a_field_with_rules() {
    let Some(mount) = Mount::start().filter(|_| installed("python3")) else { return };
    survives(&mount.row().join("avatar"), &mount, &picture::good(1));
}
