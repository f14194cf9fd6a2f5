//! Copies all hostile files onto image fields.

use std::fs;
use std::path::Path;

use super::{Sent, send};
use crate::mount::daemon::Mount;
use crate::mount::tool::installed;
use crate::mount::{picture, read};

/// ERANGE, EBADMSG, EMEDIUMTYPE.
const VERDICTS: [i32; 3] = [34, 74, 124];
/// The most memory that the daemon may use. Pixels are decoded in workers.
const MEMORY_KIB: u64 = 128 << 10;

/// The peak of the resident memory of a process.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Checks that a stored file has lost what made it hostile.
fn is_harmless(name: &str, stored: &[u8]) -> bool {
    match name {
        // A file without bytes is no write: the old picture stays.
        "zero.jpg" => stored.starts_with(picture::PNG),
        "trail_zip.jpg" => !stored.windows(4).any(|bytes| bytes == b"PK\x03\x04"),
        // The text chunk of 64 KB expands to 64 MiB; the picture has a few pixels.
        "ztxt_bomb.png" => stored.len() < 1_000,
        _ => false,
    }
}

fn survives(field: &Path, mount: &Mount, good: &[u8]) {
    for sample in samples::all("hostile") {
        let (name, source) = (&sample.name, mount.outside(&sample.name, &sample.bytes));
        fs::write(field, good).expect("a good picture is taken");
        let stored = read(field);
        let Sent { errno, stage, .. } = send(field, &[&source]).remove(0);
        let now = read(field);
        if stage == "taken" {
            assert!(is_harmless(name, &now) || now == stored, "{name} was taken");
        } else {
            assert!(VERDICTS.contains(&errno), "{name}: {stage} {errno}");
            assert!(now == stored, "{name}: the old picture is untouched");
        }
    }
    fs::write(field, good).expect("a good picture is taken");
    let peak = peak_kib(mount.pid());
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
