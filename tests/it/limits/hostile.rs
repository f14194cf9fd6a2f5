//! The whole collection of hostile files, copied onto image fields.

use std::fs;
use std::path::Path;

use super::{Sent, send};
use crate::mount::daemon::Mount;
use crate::mount::tool::installed;
use crate::mount::{picture, read};

/// ERANGE, EBADMSG, EMEDIUMTYPE.
const VERDICTS: [i32; 3] = [34, 74, 124];
/// What the daemon may need at most: the pixels are the workers' business.
const MEMORY_KIB: u64 = 128 << 10;

/// The highest resident size of a process so far.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// What is taken must have lost what made it hostile.
fn is_harmless(name: &str, stored: &[u8]) -> bool {
    match name {
        // No bytes, no verdict: the old picture stays.
        "zero.jpg" => stored.starts_with(picture::PNG),
        "trail_zip.jpg" => !stored.windows(4).any(|bytes| bytes == b"PK\x03\x04"),
        // Its text chunk holds 64 MiB in 64 KB; its picture is a few pixels.
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
