//! `/.mediafs/metrics`: numbers that move with what is done.

use std::fs;

use super::daemon::Mount;
use super::{EROFS, errno, picture, read};

/// The value of a sample.
fn metric(mount: &Mount, sample: &str) -> u64 {
    let text = fs::read_to_string(mount.path(".mediafs/metrics")).expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {sample} in {text}"))
}

#[test]
fn metrics_are_told_as_prometheus_text() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let path = mount.path(".mediafs/metrics");
    let text = fs::read_to_string(&path).expect("metrics");
    assert!(
        text.contains("\nmediafs_rows 1\n") && text.contains("\nmediafs_attachments 1\n"),
        "{text}"
    );
    assert_eq!(errno(fs::write(&path, "x")), EROFS);
    let odd = text.lines().find(|line| {
        let mut words = line.rsplitn(2, ' ');
        !line.starts_with("# ") && words.next().is_none_or(|value| value.parse::<f64>().is_err())
    });
    assert_eq!(odd, None, "each line is a comment or a sample");
}

#[test]
fn metrics_count_what_was_attached_shared_rendered_and_found() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let stored = metric(&mount, "mediafs_stored_bytes_total");
    assert_eq!(metric(&mount, "mediafs_shared_bytes_total"), 0);
    let memo = mount.attach("memo", &read(&avatar));
    assert_eq!(metric(&mount, "mediafs_shared_bytes_total"), read(&memo).len() as u64);
    assert_eq!(metric(&mount, "mediafs_stored_bytes_total"), stored);
    assert_eq!(metric(&mount, "mediafs_attached_total"), 2);
    for _ in 0..3 {
        fs::metadata(mount.row().join("avatar@w64.jpg")).expect("a variant");
    }
    assert_eq!(metric(&mount, "mediafs_variants_total{outcome=\"rendered\"}"), 1);
    assert!(metric(&mount, "mediafs_variants_total{outcome=\"found\"}") >= 2);
    assert_eq!(metric(&mount, "mediafs_queue_length{queue=\"render\"}"), 0);
}

#[test]
fn metrics_tell_how_often_and_how_long_operations_took() {
    let Some(mount) = Mount::start() else { return };
    let count = |operation: &str| {
        metric(&mount, &format!("mediafs_operation_seconds_count{{operation=\"{operation}\"}}"))
    };
    let (creates, errors) =
        (count("create"), "mediafs_operation_errors_total{operation=\"lookup\"}");
    mount.attach("avatar", &picture::good(1));
    assert_eq!(count("create"), creates + 1);
    let before = metric(&mount, errors);
    fs::metadata(mount.row().join("absent")).expect_err("it is not there");
    assert_eq!(metric(&mount, errors), before + 1);
    let all = metric(&mount, "mediafs_operation_seconds_bucket{operation=\"create\",le=\"+Inf\"}");
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
    mount.stop();
    mount.restart();
    let count = |operation: &str| {
        metric(&mount, &format!("mediafs_operation_seconds_count{{operation=\"{operation}\"}}"))
    };
    let (table, looked_up) = (mount.path("models/user"), count("lookup"));
    let rows: Vec<_> =
        fs::read_dir(table).expect("listed").map(|row| row.expect("a row")).collect();
    for row in &rows {
        assert!(row.file_type().expect("a type").is_dir());
        assert_eq!(fs::read_dir(row.path()).expect("listed").count(), 0);
    }
    assert_eq!(rows.len() as u64, ROWS);
    // Lookups of the table itself and of the path to it.
    assert!(count("lookup") - looked_up <= 4, "{}", count("lookup") - looked_up);
    let listings = count("readdirplus") + count("readdir");
    assert!((2 * ROWS..2 * ROWS + 20).contains(&listings), "{listings}");
}
