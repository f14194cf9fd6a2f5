//! `/.mediafs/metrics`: its format, and its samples after common operations.

use std::fs;

use super::daemon::Mount;
use super::{EROFS, errno, picture, read};

fn value(mount: &Mount, sample: &str) -> u64 {
    mount.metric(sample).unwrap_or_else(|| panic!("no {sample} in {}", mount.metrics()))
}

/// How often an operation of FUSE was called.
fn count(mount: &Mount, operation: &str) -> u64 {
    let sample = format!("mediafs_operation_seconds_count{{operation=\"{operation}\"}}");
    value(mount, &sample)
}

#[test]
fn metrics_have_the_text_format_of_prometheus() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    assert_eq!(
        (mount.metric("mediafs_rows"), mount.metric("mediafs_attachments")),
        (Some(1), Some(1))
    );
    assert_eq!(errno(fs::write(mount.path(".mediafs/metrics"), "x")), EROFS);
    let text = mount.metrics();
    let odd = text.lines().find(|line| {
        let mut words = line.rsplitn(2, ' ');
        !line.starts_with("# ") && words.next().is_none_or(|value| value.parse::<f64>().is_err())
    });
    assert_eq!(odd, None, "each line is a comment or a sample");
}

#[test]
fn metrics_count_attached_shared_rendered_and_found_files() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let stored = value(&mount, "mediafs_stored_bytes_total");
    assert_eq!(value(&mount, "mediafs_shared_bytes_total"), 0);
    let memo = mount.attach("memo", &read(&avatar));
    assert_eq!(value(&mount, "mediafs_shared_bytes_total"), read(&memo).len() as u64);
    assert_eq!(value(&mount, "mediafs_stored_bytes_total"), stored);
    assert_eq!(value(&mount, "mediafs_attached_total"), 2);
    for _ in 0..3 {
        fs::metadata(mount.row().join("avatar@w64.jpg")).expect("a variant");
    }
    assert_eq!(value(&mount, "mediafs_variants_total{outcome=\"rendered\"}"), 1);
    assert!(value(&mount, "mediafs_variants_total{outcome=\"found\"}") >= 2);
    assert_eq!(value(&mount, "mediafs_queue_length{queue=\"render\"}"), 0);
}

#[test]
fn metrics_count_and_time_operations() {
    let Some(mount) = Mount::start() else { return };
    let count = |operation| count(&mount, operation);
    let (creates, errors) =
        (count("create"), "mediafs_operation_errors_total{operation=\"lookup\"}");
    mount.attach("avatar", &picture::good(1));
    assert_eq!(count("create"), creates + 1);
    let before = value(&mount, errors);
    fs::metadata(mount.row().join("absent")).expect_err("no such file");
    assert_eq!(value(&mount, errors), before + 1);
    let all = value(&mount, "mediafs_operation_seconds_bucket{operation=\"create\",le=\"+Inf\"}");
    assert_eq!(all, count("create"));
}

/// Programs that walk a tree read a directory to its end before they look at what it lists.
#[test]
fn a_table_is_walked_by_two_listings_of_each_row_and_no_lookup() {
    const ROWS: u64 = 600;
    let Some(mut mount) = Mount::start() else { return };
    for row in 1..=ROWS {
        fs::create_dir(mount.path(&format!("models/user/{row}"))).expect("a row");
    }
    mount.stop_and_restart();
    let count = |operation| count(&mount, operation);
    let (table, looked_up) = (mount.path("models/user"), count("lookup"));
    let rows: Vec<_> =
        fs::read_dir(table).expect("listed").map(|row| row.expect("a row")).collect();
    for row in &rows {
        assert!(row.file_type().expect("a type").is_dir());
        assert_eq!(fs::read_dir(row.path()).expect("listed").count(), 0);
    }
    assert_eq!(rows.len() as u64, ROWS);
    // The lookups are those of the path to the table.
    assert!(count("lookup") - looked_up <= 4, "{}", count("lookup") - looked_up);
    let listings = count("readdirplus") + count("readdir");
    assert!((2 * ROWS..2 * ROWS + 20).contains(&listings), "{listings}");
}
