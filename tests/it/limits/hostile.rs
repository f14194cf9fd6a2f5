//! The whole collection of hostile files, copied onto image fields.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Sent, send};
use crate::mount::daemon::Mount;
use crate::mount::tool::{installed, present};
use crate::mount::{picture, read};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/hostile");
/// ERANGE, EBADMSG, EMEDIUMTYPE.
const VERDICTS: [i32; 3] = [34, 74, 124];
/// What the daemon may need at most: the pixels are the workers' business.
const MEMORY_KIB: u64 = 128 << 10;

/// `None`, said aloud, where it does not lie beside the crate.
fn corpus() -> Option<Vec<PathBuf>> {
    if !present(CORPUS, Path::new(CORPUS).exists()) {
        return None;
    }
    let entries = fs::read_dir(CORPUS).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() > 20, "the corpus is whole");
    Some(paths)
}

/// The highest resident size of a process so far.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// What is taken must have lost what made it hostile.
fn is_harmless(path: &Path, stored: &[u8]) -> bool {
    match path.file_name().and_then(|name| name.to_str()) {
        // No bytes, no verdict: the old picture stays.
        Some("zero.jpg") => stored.starts_with(picture::PNG),
        Some("trail_zip.jpg") => !stored.windows(4).any(|bytes| bytes == b"PK\x03\x04"),
        // Its text chunk holds gigabytes in 190 KB; its picture is a few pixels.
        Some("ztxt_bomb.png") => stored.len() < 1_000,
        _ => false,
    }
}

fn survives(field: &Path, mount: &Mount, good: &[u8]) {
    let Some(paths) = corpus() else { return };
    for path in &paths {
        fs::write(field, good).expect("a good picture is taken");
        let stored = read(field);
        let Sent { errno, stage, .. } = send(field, &[path]).remove(0);
        let now = read(field);
        if stage == "taken" {
            assert!(is_harmless(path, &now) || now == stored, "{} was taken", path.display());
        } else {
            assert!(VERDICTS.contains(&errno), "{}: {stage} {errno}", path.display());
            assert!(now == stored, "{}: the old picture is untouched", path.display());
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
