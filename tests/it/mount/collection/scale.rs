//! Collections of ten thousand items.

use std::fs;
use std::time::{Duration, Instant};

use super::super::{EDQUOT, errno, listed, names};
use super::config;

#[test]
fn a_list_holds_ten_thousand_items_and_no_more() {
    // In memory, since the speed of the disk is not measured.
    let library = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
    let path = format!("library.path = '{}'", library.path().join("library").display());
    let Some(mount) = config().with(&path).mount() else { return };
    let papers = mount.row().join("papers");
    let fill = |numbers: std::ops::Range<u32>| {
        let since = Instant::now();
        for number in numbers {
            fs::write(papers.join(format!("{number:05}.txt")), b"a paper").expect("taken");
        }
        since.elapsed()
    };
    let first = fill(0..1_000);
    fill(1_000..9_000);
    let last = fill(9_000..10_000);
    // The cost of an item must not grow with their number. The bound allows for other load on the machine.
    assert!(last < first * 5 + Duration::from_secs(5), "{first:?}, then {last:?}");
    assert_eq!(errno(fs::write(papers.join("more.txt"), b"x")), EDQUOT);
    let listed = listed(&papers);
    assert_eq!((listed.len(), listed[9_999].as_str()), (10_000, "09999.txt"));
    assert!(fs::metadata(papers.join("05000.txt")).is_ok());
    assert_eq!(names(&mount.row()), ["papers", "photos", "sides"]);
}
