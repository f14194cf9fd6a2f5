//! Laws of a start after a crash or the disk has damaged the log: the store is opened whatever the damage, and it has each
//! acknowledged blob whose record or file is intact.

use std::fs::OpenOptions;
use std::path::PathBuf;

use super::aligned::PAGE;
use super::record::Header;
use super::recovery::segments;
use super::tests::{NEVER, failing_at};
use super::*;
use crate::blob::contract::{self, put, read};

/// The length of a record's header.
const HEADER: usize = 104;
const LENGTHS: [usize; 4] = [10, 5000, 0, 9000];

fn blob(length: usize) -> Vec<u8> {
    (0_u8..=250).cycle().skip(length % 7).take(length).collect()
}

/// Puts a blob of each length into a store that is not closed. Returns its log, too.
fn crashed(root: &Path) -> ([BlobKey; 4], PathBuf) {
    let (store, _) = failing_at(root, usize::MAX, NEVER);
    let keys = LENGTHS.map(|length| put(&store, &blob(length)));
    std::mem::forget(store);
    (keys, segments(root).remove(0))
}

/// The offsets of the records, and the end of the last one.
fn starts() -> [usize; 5] {
    let size = |length| {
        let header = Header { epoch: 0, key: contract::key(b""), length: length as u64 };
        usize::try_from(header.size()).unwrap()
    };
    let mut starts = [0; 5];
    for (n, length) in LENGTHS.into_iter().enumerate() {
        starts[n + 1] = starts[n] + size(length);
    }
    starts
}

/// Removes the names of blobs, and directories that have no others: they never reached the disk.
fn take_away<'k>(root: &Path, keys: impl IntoIterator<Item = &'k BlobKey>) {
    let folders = Folders::new(root, Disk::real());
    for key in keys {
        std::fs::remove_file(folders.path(*key)).unwrap();
        std::fs::remove_file(folders.pending_path(*key)).unwrap();
        let _ = std::fs::remove_dir(folders.directory(*key));
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut text = std::fs::read(path).unwrap();
    change(&mut text);
    std::fs::write(path, text).unwrap();
}

/// Opens the store and checks that each blob is either pending or missing. Returns which ones are intact.
fn intact_after_a_start(root: &Path, keys: &[BlobKey]) -> Vec<bool> {
    let store = Store::open(root).expect("the store is opened");
    let pending = store.pending().unwrap();
    let is_there = |key: &BlobKey| {
        let is_there = store.open(*key).is_ok();
        assert_eq!(pending.contains(key), is_there, "{key} is pending, or missing");
        is_there && words::digest::Digest::of(&read(&store, *key)) == key.digest
    };
    keys.iter().map(is_there).collect()
}

/// The lengths to which the last record is cut.
fn cuts() -> impl Iterator<Item = usize> {
    let pages = (0..HEADER + 9000).step_by(PAGE);
    pages.chain([1, 50, 71, 72, 103, 104, 105, 4097, 9000, HEADER + 8999])
}

#[test]
fn a_store_opens_with_a_torn_last_record_and_has_all_others() {
    for cut in cuts() {
        let damages: [fn(&mut Vec<u8>, usize); 3] = [
            |text, at| text.truncate(at),
            |text, at| text[at..].fill(0),
            |text, at| text[at..].fill(0xa5),
        ];
        for (n, damage) in damages.into_iter().enumerate() {
            for names_are_there in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let (keys, log) = crashed(folder.path());
                change(&log, |text| damage(text, starts()[3] + cut));
                take_away(folder.path(), &keys[..3]);
                if !names_are_there {
                    take_away(folder.path(), [&keys[3]]);
                }
                // A blob that is intact at its path needs no record.
                let intact = intact_after_a_start(folder.path(), &keys);
                assert_eq!(intact, [true, true, true, names_are_there], "{cut} {n}");
                assert_eq!(
                    segments(folder.path()),
                    Vec::<PathBuf>::new(),
                    "nothing is left to restore"
                );
            }
        }
    }
}

#[test]
fn a_store_opens_with_a_torn_only_record() {
    for cut in [0, 50, HEADER, HEADER + 5] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = failing_at(folder.path(), usize::MAX, NEVER);
        let key = put(&store, &blob(10));
        std::mem::forget(store);
        change(&segments(folder.path())[0], |text| text.truncate(cut));
        take_away(folder.path(), [&key]);
        assert_eq!(intact_after_a_start(folder.path(), &[key]), [false]);
    }
}

#[test]
fn the_rest_of_a_torn_blob_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, log) = crashed(folder.path());
    change(&log, |text| text.truncate(starts()[3] + PAGE));
    let folders = Folders::new(folder.path(), Disk::real());
    std::fs::remove_file(folders.pending_path(keys[3])).unwrap();
    std::fs::remove_file(folders.path(keys[3])).unwrap();
    std::fs::write(folders.path(keys[3]), b"half").unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(store.pending().unwrap().contains(&keys[3]), "a sweep removes it");
}

#[test]
fn a_damaged_record_does_not_hide_others() {
    let flips = [0, 8, 24, 60, HEADER - 1, HEADER, HEADER + 4];
    for (n, is_empty) in LENGTHS.map(|length| length == 0).into_iter().enumerate() {
        for flip in flips.into_iter().filter(|flip| !is_empty || *flip < HEADER) {
            let folder = tempfile::tempdir().unwrap();
            let (keys, log) = crashed(folder.path());
            change(&log, |text| text[starts()[n] + flip] ^= 0x10);
            take_away(folder.path(), &keys);
            let intact = intact_after_a_start(folder.path(), &keys);
            let others: Vec<_> = (0..4).map(|other| other != n).collect();
            assert_eq!(intact, others, "{n} {flip}");
        }
    }
}

#[test]
fn a_blob_that_cannot_be_restored_is_read_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _) = crashed(folder.path());
    let folders = Folders::new(folder.path(), Disk::real());
    take_away(folder.path(), &keys);
    // A directory stands at the path of a blob.
    std::fs::create_dir_all(folders.path(keys[1]).join("strange")).unwrap();
    for _ in 0..2 {
        let store = Store::open(folder.path()).unwrap();
        for (key, length) in keys.iter().zip(LENGTHS) {
            assert_eq!(read(&store, *key), blob(length));
        }
        drop(store);
        assert_eq!(segments(folder.path()).len(), 1, "the log is still needed");
    }
    std::fs::remove_dir_all(folders.path(keys[1])).unwrap();
    assert_eq!(intact_after_a_start(folder.path(), &keys), [true; 4]);
    assert_eq!(segments(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_store_opens_with_strange_files_among_the_pending_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _) = crashed(folder.path());
    let pending = folder.path().join("pending");
    std::fs::create_dir(pending.join("directory.log")).unwrap();
    std::os::unix::fs::symlink("nowhere", pending.join("link.log")).unwrap();
    std::fs::write(pending.join("empty.log"), b"").unwrap();
    std::fs::write(pending.join("text.log"), "no records\n".repeat(9999)).unwrap();
    std::fs::write(pending.join("no key"), b"").unwrap();
    take_away(folder.path(), &keys);
    assert_eq!(intact_after_a_start(folder.path(), &keys), [true; 4]);
}

#[test]
fn once_the_disk_has_failed_the_blobs_of_the_log_are_read_from_it() {
    let folder = tempfile::tempdir().unwrap();
    // The syncs of the opening, of the segment's name, and of its bytes three times; then that of the first blob, which fails.
    let (store, _) = failing_at(folder.path(), 6, NEVER);
    let lengths = [10, 5000, 9000];
    let keys = lengths.map(|length| put(&store, &blob(length)));
    let log = Arc::clone(&store.write_ahead.as_ref().unwrap().log);
    log.close();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !store.folders.disk.fence.is_raised() {
        assert!(std::time::Instant::now() < deadline, "no checkpoint is made");
        std::thread::yield_now();
    }
    // The kernel drops the pages that it could not write: zeros are left, or nothing.
    for (n, key) in keys.iter().enumerate() {
        let path = store.folders.path(*key);
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(0).and_then(|()| file.set_len(if n == 0 { 0 } else { 5000 })).unwrap();
    }
    for (key, length) in keys.iter().zip(lengths) {
        assert_eq!(read(&store, *key), blob(length));
    }
    // A blob that is intact neither at its path nor in the log is not shown.
    change(&segments(folder.path())[0], |text| text[HEADER] ^= 1);
    assert!(matches!(store.open(keys[0]), Err(Error::Io { .. })));
    assert_eq!(read(&store, keys[1]), blob(5000));
}

#[test]
fn many_blobs_are_restored_and_made_durable_together() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = failing_at(folder.path(), usize::MAX, NEVER);
    let keys: Vec<_> = (0_u8..100).map(|n| put(&store, &[n; 30])).collect();
    std::mem::forget(store);
    take_away(folder.path(), keys.iter().step_by(3));
    let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
    let noted = std::mem::take(&mut *noted.lock().unwrap());
    assert_eq!((noted.matches('A').count(), noted.matches('F').count()), (2, 0), "{noted}");
    keys.iter().zip(0..).for_each(|(key, n)| assert_eq!(read(&store, *key), [n; 30]));
}

#[test]
fn a_start_whose_disk_fails_keeps_the_log_for_the_next_one() {
    for is_many in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = failing_at(folder.path(), usize::MAX, NEVER);
        let count = if is_many { 100 } else { 3 };
        let keys: Vec<_> = (0..count).map(|n| put(&store, &[n; 30])).collect();
        std::mem::forget(store);
        take_away(folder.path(), &keys);
        let sync = |reach, file: &File| match reach {
            Reach::Everything => Err(Errno::IO.into()),
            Reach::Whole if file.metadata()?.is_file() => Err(Errno::IO.into()),
            other => disk::sync(other, file),
        };
        let failing = Disk::new(Box::new(sync), Fence::default());
        let failed = Store::start(folder.path(), failing, NEVER).err();
        assert!(matches!(failed, Some(Error::NotDurable(_))), "{failed:?}");
        let store = Store::open(folder.path()).unwrap();
        keys.iter().zip(0..).for_each(|(key, n)| assert_eq!(read(&store, *key), [n; 30]));
    }
}
