//! Laws of the log: what a start restores after a crash, and when segments are used again.
//!
//! A store that is leaked leaves on the disk what a killed process leaves. What a power cut takes is removed by hand.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::tests::{NEVER, failing_at, files, take};
use super::*;
use crate::blob::contract::{file, key, put, read};

/// The segments of the store's log.
pub(super) fn segments(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root.join("pending")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(segment::SUFFIX)).collect()
}

/// Puts blobs of some sizes into a store that is not closed.
fn crashed(root: &Path) -> Vec<(BlobKey, Vec<u8>)> {
    let (store, _) = failing_at(root, usize::MAX, NEVER);
    let blobs: Vec<_> = [0_usize, 1, 4000, 50_000, 262_144]
        .map(|length| (0_u8..=250).cycle().take(length).collect::<Vec<_>>())
        .into_iter()
        .map(|bytes| (put(&store, &bytes), bytes))
        .collect();
    for (key, _) in &blobs {
        store.confirm(*key);
    }
    std::mem::forget(store);
    blobs
}

type Damage = fn(&Folders, BlobKey);

/// What a power cut may do to a blob that was not synced at its path.
const DAMAGES: [(&str, Damage); 7] = [
    ("nothing", |_, _| {}),
    ("its name is gone", |folders, key| std::fs::remove_file(folders.path(key)).unwrap()),
    ("its bytes are gone", |folders, key| writable(folders, key).set_len(0).unwrap()),
    ("its bytes are zeros", |folders, key| {
        let file = writable(folders, key);
        let length = file.metadata().unwrap().len();
        file.set_len(0).and_then(|()| file.set_len(length)).unwrap();
    }),
    ("it has more bytes", |folders, key| {
        let file = writable(folders, key);
        let length = file.metadata().unwrap().len();
        file.write_all_at(&vec![1; 70_000], length).unwrap();
    }),
    ("its directory is gone", |folders, key| {
        let _ = std::fs::remove_dir_all(folders.directory(key));
    }),
    ("its own name is gone, and it is empty", |folders, key| {
        std::fs::remove_file(folders.path(key)).unwrap();
        std::fs::write(folders.pending_path(key), b"").unwrap();
    }),
];

fn writable(folders: &Folders, key: BlobKey) -> File {
    let path = folders.path(key);
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_permissions(Permissions::from_mode(BLOB_MODE)).unwrap();
    file
}

#[test]
fn acknowledged_blobs_exist_and_are_pending_whatever_a_crash_took() {
    for (what, damage) in DAMAGES {
        let folder = tempfile::tempdir().unwrap();
        let blobs = crashed(folder.path());
        let folders = Folders::new(folder.path(), Disk::real());
        for (key, _) in &blobs {
            damage(&folders, *key);
        }
        let reader = Store::open_to_read(folder.path()).unwrap();
        for (key, bytes) in &blobs {
            assert_eq!(read(&reader, *key), *bytes, "{what}, to a reader");
        }
        let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
        let noted = take(&noted);
        assert!(noted.matches('F').count() >= blobs.len(), "{what}: {noted}");
        assert_eq!(segments(folder.path()), Vec::<PathBuf>::new(), "{what}");
        let mut pending = store.pending().unwrap();
        pending.sort();
        let mut keys: Vec<_> = blobs.iter().map(|(key, _)| *key).collect();
        keys.sort();
        assert_eq!(pending, keys, "{what}");
        for (key, bytes) in &blobs {
            assert_eq!(read(&store, *key), *bytes, "{what}");
            assert_eq!(
                std::fs::metadata(store.folders.path(*key)).unwrap().permissions().mode() & 0o7777,
                0o400
            );
        }
    }
}

#[test]
fn a_store_that_is_closed_syncs_the_blobs_of_its_log_before_it_removes_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
    let keys = [put(&store, b"one"), put(&store, b"two"), put(&store, b"three")];
    store.delete(keys[2]).unwrap();
    assert_eq!(segments(folder.path()).len(), 1);
    take(&noted);
    drop(store);
    let noted = take(&noted);
    assert_eq!(noted.matches('F').count(), 2, "{noted}: one was deleted");
    assert!(noted.matches('D').count() >= 3, "{noted}");
    assert_eq!(segments(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_log_has_two_segments_however_many_checkpoints_there_are_and_none_when_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds { capacity: 8192, span: Duration::ZERO };
    let (store, _) = failing_at(folder.path(), usize::MAX, bounds);
    let keys: Vec<_> = (0_u32..60).map(|n| put(&store, &n.to_le_bytes())).collect();
    let log = &store.write_ahead.as_ref().unwrap().log;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !log.is_empty() {
        assert!(Instant::now() < deadline, "no checkpoint is made");
        std::thread::yield_now();
    }
    put(&store, b"after the checkpoints");
    let count = segments(folder.path()).len();
    assert!((1..=2).contains(&count), "{count}");
    drop(store);
    assert_eq!(segments(folder.path()), Vec::<PathBuf>::new());
    let store = Store::open(folder.path()).unwrap();
    keys.iter().zip(0_u32..).for_each(|(key, n)| assert_eq!(read(&store, *key), n.to_le_bytes()));
}

#[test]
fn a_blob_that_cannot_be_synced_at_its_path_raises_the_fence_and_stays_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    // The syncs of the opening, of the segment's name and of its bytes; then that of the blob, which fails.
    let (store, noted) = failing_at(folder.path(), 4, NEVER);
    let key = put(&store, b"hello");
    drop(store);
    assert_eq!(take(&noted), "DDDLF");
    assert_eq!(segments(folder.path()).len(), 1);
    writable(&Folders::new(folder.path(), Disk::real()), key).set_len(1).unwrap();
    assert_eq!(read(&Store::open(folder.path()).unwrap(), key), b"hello");
}

/// A store whose filesystem reports a failed write of some file, after a checkpoint of many small blobs. One of them is changed
/// before the checkpoint.
fn checkpointed_beside_failures(meddle: Damage) -> (Store, Vec<BlobKey>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sync = |reach, file: &File| match reach {
        Reach::Everything => Err(Errno::NOSPC.into()),
        other => disk::sync(other, file),
    };
    let bounds = Bounds { capacity: 50 * 4096, ..NEVER };
    let store =
        Store::start(folder.path(), Disk::new(Box::new(sync), Fence::default()), bounds).unwrap();
    let keys: Vec<_> = (0_u8..50).map(|n| put(&store, &[n; 10])).collect();
    meddle(&store.folders, keys[7]);
    put(&store, b"one more than a segment holds");
    let log = &store.write_ahead.as_ref().unwrap().log;
    let deadline = Instant::now() + Duration::from_secs(30);
    while log.is_checkpointing() && !store.folders.disk.fence.is_raised() {
        assert!(Instant::now() < deadline, "no checkpoint is made");
        std::thread::yield_now();
    }
    (store, keys, folder)
}

#[test]
fn a_failed_write_of_another_file_raises_no_fence() {
    let gone: Damage = |folders, key| std::fs::remove_file(folders.path(key)).unwrap();
    for meddle in [DAMAGES[0].1, gone] {
        let (store, _keys, _folder) = checkpointed_beside_failures(meddle);
        assert!(!store.folders.disk.fence.is_raised());
        put(&store, b"another");
    }
}

#[test]
fn a_failed_write_of_a_blob_raises_the_fence_and_the_log_has_it() {
    let (store, keys, folder) = checkpointed_beside_failures(|folders, key| {
        writable(folders, key).write_all_at(b"x", 3).unwrap();
    });
    assert!(store.folders.disk.fence.is_raised());
    drop(store);
    assert_eq!(read(&Store::open(folder.path()).unwrap(), keys[7]), [7; 10]);
}

/// A store whose checkpointer reports each of its syncs and waits for a message before it.
fn held_up(root: &Path, capacity: u64) -> (Store, mpsc::Receiver<Reach>, mpsc::Sender<()>) {
    let (say, said) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let sync = move |reach, file: &File| {
        let is_checkpointer = std::thread::current().name() == Some("checkpointer");
        if is_checkpointer && say.send(reach).is_ok() {
            // An error means that the sender is gone: the store is being closed.
            let _ = gone.lock().unwrap().recv();
        }
        disk::sync(reach, file)
    };
    let store = Store::start(
        root,
        Disk::new(Box::new(sync), Fence::default()),
        Bounds { capacity, ..NEVER },
    )
    .unwrap();
    (store, said, go)
}

#[test]
fn no_put_waits_for_a_full_log_which_is_not_overwritten_before_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (store, said, go) = held_up(folder.path(), 8192);
    let blob = |n: u8| put(&store, &[n; 100]);
    let first = [blob(1), blob(2)];
    let second = [blob(3), blob(4)];
    said.recv_timeout(Duration::from_secs(30)).expect("the checkpointer begins");
    // Both segments are full and no checkpoint is made: the next blob is synced at its path.
    blob(5);
    let header = |path: &PathBuf| {
        let log = File::open(path).unwrap();
        record::Header::read_at(&log, 0).unwrap().map(|header| header.key)
    };
    let held = |key: BlobKey| segments(folder.path()).iter().any(|path| header(path) == Some(key));
    assert!(held(first[0]) && held(second[0]));
    drop(go);
    // The same segment is used again.
    let deadline = Instant::now() + Duration::from_secs(30);
    while held(first[0]) {
        assert!(Instant::now() < deadline, "no checkpoint is made");
        blob(6);
        store.delete(key(&[6; 100])).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(segments(folder.path()).len(), 2, "segments are used again");
}

#[test]
fn a_record_of_another_epoch_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = failing_at(folder.path(), usize::MAX, NEVER);
    let old = [put(&store, b"one"), put(&store, b"two"), put(&store, b"three")];
    for key in old {
        store.delete(key).unwrap();
    }
    let path = segments(folder.path()).remove(0);
    let text = std::fs::read(&path).unwrap();
    std::mem::forget(store);
    drop(Store::open(folder.path()).unwrap());
    // The first record gets another epoch than the rest.
    let newer = Folders::new(folder.path(), Disk::real());
    for key in old {
        let _ = std::fs::remove_file(newer.path(key));
        let _ = std::fs::remove_file(newer.pending_path(key));
    }
    let mut record = Record::read(key(b"new"), &file(b"new"), 3).unwrap();
    record.set_epoch(7);
    let both = [record.bytes(), &text[record.bytes().len()..]].concat();
    std::fs::write(&path, both).unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.pending().unwrap(), [key(b"new")]);
    assert_eq!(read(&store, key(b"new")), b"new");
}

#[test]
fn after_a_crash_a_deleted_blob_is_at_most_pending() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = failing_at(folder.path(), usize::MAX, NEVER);
    let key = put(&store, b"hello");
    store.delete(key).unwrap();
    std::mem::forget(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.pending().unwrap(), [key]);
    store.delete(key).unwrap();
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn writers_share_the_syncs_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) =
        failing_at(folder.path(), usize::MAX, Bounds { capacity: 16 << 20, ..NEVER });
    take(&noted);
    let bytes = |n: u32| n.to_le_bytes();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || (0..20).for_each(|n| _ = put(store, &bytes(thread * 100 + n))));
        }
    });
    let noted = take(&noted);
    assert!(noted.matches('L').count() <= 160 && !noted.contains('F'), "{noted}");
    std::mem::forget(store);
    let store = Store::open(folder.path()).unwrap();
    for n in (0..8).flat_map(|thread| (0..20).map(move |n| thread * 100 + n)) {
        assert_eq!(read(&store, key(&bytes(n))), bytes(n));
    }
}
