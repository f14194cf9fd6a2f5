//! Laws of a store on disk, beyond those that every store keeps: syncs in their order, the fence, the full disk.

use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;
use crate::blob::contract::{file, key, put, read};

/// Makes no checkpoint before the store is closed.
pub(super) const NEVER: Bounds = Bounds { capacity: 1 << 20, span: Duration::MAX };

/// Too large for the log.
fn large() -> Vec<u8> {
    vec![7; 300_000]
}

/// The files below a directory by their paths from there, without segments of a log.
pub(super) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.retain(|name| !name.ends_with(segment::SUFFIX));
    found.sort();
    found
}

#[test]
fn a_reopened_store_has_its_blobs_at_the_paths_of_their_digits() {
    let folder = tempfile::tempdir().unwrap();
    let key = put(&Store::open(folder.path()).unwrap(), b"hello");
    let reopened = Store::open(folder.path()).unwrap();
    assert_eq!(read(&reopened, key), b"hello");
    let digits = key.digest.to_string();
    let place = format!("{}/{digits}.1", &digits[..2]);
    assert_eq!(files(folder.path()), [place.clone(), format!("pending/{digits}.1")]);
    assert_eq!(reopened.pending().unwrap(), [key], "it was not confirmed");
    reopened.confirm(key);
    assert_eq!(files(folder.path()), [place]);
}

#[test]
fn a_blob_is_read_only_and_its_directories_are_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/blobs");
    let store = Store::open(&root).unwrap();
    let key = put(&store, b"hello");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&store.folders.path(key)), 0o400);
    assert_eq!((mode(&root), mode(&store.folders.directory(key))), (0o700, 0o700));
}

#[test]
fn a_file_with_a_name_is_linked_and_one_whose_name_is_gone_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("blobs")).unwrap();
    let staged = folder.path().join("staged");
    std::fs::write(&staged, b"named").unwrap();
    store.put(key(b"named"), &File::open(&staged).unwrap()).unwrap();
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&store.folders.path(key(b"named"))), inode(&staged));
    let gone = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
    gone.as_file().write_all_at(b"gone", 0).unwrap();
    let open = File::open(gone.path()).unwrap();
    gone.close().unwrap();
    store.put(key(b"gone"), &open).unwrap();
    assert_eq!(read(&store, key(b"gone")), b"gone");
}

#[test]
fn a_file_of_another_filesystem_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let memory = rustix::fs::memfd_create("staged", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut memory: File = memory.into();
    memory.write_all(b"elsewhere").unwrap();
    store.put(key(b"elsewhere"), &memory).unwrap();
    assert_eq!(read(&store, key(b"elsewhere")), b"elsewhere");
    memory.write_all_at(b"---", 0).unwrap();
    assert_eq!(read(&store, key(b"elsewhere")), b"elsewhere");
    let again = store.put(key(b"elsewhere"), &memory);
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    store.confirm(key(b"elsewhere"));
    assert_eq!(files(folder.path()).len(), 1);
}

/// A store that notes its syncs (`F` a file, `D` a directory, `L` the log, `A` the whole filesystem) and fails at the n-th.
pub(super) fn failing_at(root: &Path, n: usize, bounds: Bounds) -> (Store, Arc<Mutex<String>>) {
    let noted = Arc::new(Mutex::new(String::new()));
    let (writer, count) = (Arc::clone(&noted), AtomicUsize::new(0));
    let sync = move |reach, file: &File| {
        let is_directory = file.metadata()?.is_dir();
        writer.lock().unwrap().push(match reach {
            Reach::Bytes => 'L',
            Reach::Everything => 'A',
            Reach::Whole if is_directory => 'D',
            Reach::Whole => 'F',
        });
        if count.fetch_add(1, Ordering::SeqCst) == n {
            return Err(Errno::IO.into());
        }
        file.sync_all()
    };
    let disk = Disk::new(Box::new(sync), Fence::default());
    let store = Store::start(root, disk, bounds);
    (store.unwrap(), noted)
}

pub(super) fn take(noted: &Mutex<String>) -> String {
    std::mem::take(&mut *noted.lock().unwrap())
}

#[test]
fn a_blob_stays_pending_until_its_deletion_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) = failing_at(folder.path(), 5, NEVER);
    let key = put(&store, &large());
    assert_eq!(take(&noted), "DDFDD", "the next sync is that of the deletion");
    store.delete(key).unwrap_err();
    assert_eq!(store.pending().unwrap(), [key]);
}

#[test]
fn the_bytes_of_a_large_blob_are_synced_then_their_directory_and_fresh_directories_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
    assert_eq!(take(&noted), "DD", "the names of the root and of the pending directory");
    let first = put(&store, &large());
    assert_eq!(take(&noted), "FDD");
    store.put(BlobKey { generation: 2, ..first }, &file(&large())).unwrap();
    // A file from another filesystem is copied, and the copy is synced as well.
    let second = take(&noted);
    assert!(["FD", "FFD"].contains(&second.as_str()), "{second}");
    store.delete(first).unwrap();
    assert_eq!(take(&noted), "D");
}

#[test]
fn many_deletes_sync_each_directory_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
    let keys: Vec<_> = (0_u32..600).map(|n| put(&store, &n.to_le_bytes())).collect();
    let directories = keys.iter().map(|key| store.folders.directory(*key));
    let directories = directories.collect::<std::collections::BTreeSet<_>>().len();
    take(&noted);
    assert!(store.delete_all(&keys).iter().all(Result::is_ok));
    let noted = take(&noted);
    assert!(directories <= 256 && noted == "D".repeat(directories), "{noted}");
    assert!(keys.iter().all(|key| matches!(store.open(*key), Err(Error::Missing(_)))));
}

#[test]
fn a_blob_whose_directory_cannot_be_synced_is_not_deleted_for_sure() {
    let folder = tempfile::tempdir().unwrap();
    // The syncs of the opening, and of the log's segment and its bytes for two blobs.
    let (store, noted) = failing_at(folder.path(), 5, NEVER);
    let keys = [put(&store, b"one"), put(&store, b"two")];
    assert_eq!(take(&noted), "DDDLL");
    let deleted = store.delete_all(&keys);
    assert!(deleted.iter().all(Result::is_err), "{deleted:?}");
    assert!(deleted.iter().any(|it| matches!(it, Err(Error::Io { .. }))), "{deleted:?}");
}

#[test]
fn a_small_blob_is_durable_after_one_sync_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, noted) = failing_at(folder.path(), usize::MAX, NEVER);
    take(&noted);
    put(&store, b"first");
    assert_eq!(take(&noted), "DL", "the segment's name once");
    for n in 0..3 {
        put(&store, format!("blob {n}").as_bytes());
        assert_eq!(take(&noted), "L");
    }
    put(&store, &vec![1; usize::try_from(LARGEST).unwrap()]);
    assert_eq!(take(&noted), "L");
}

#[test]
fn after_one_failed_sync_nothing_more_is_acknowledged() {
    // Syncs 0 and 1 are those of the opening. Then come the file, the blob's directory and the root; or the segment's name and
    // its bytes.
    for (n, bytes) in [2, 3, 4].map(|n| (n, large())).into_iter().chain([(3, b"hello".to_vec())]) {
        let folder = tempfile::tempdir().unwrap();
        let staged = tempfile::tempfile_in(folder.path()).unwrap();
        staged.write_all_at(&bytes, 0).unwrap();
        let root = folder.path().join("blobs");
        let (store, _) = failing_at(&root, n, NEVER);
        let failed = store.put(key(&bytes), &staged);
        assert!(matches!(failed, Err(Error::Io { .. })), "{n}: {failed:?}");
        assert_eq!(files(&root), Vec::<String>::new(), "{n}: nothing half done");
        let fenced = store.put(key(b"other"), &file(b"other"));
        assert!(matches!(fenced, Err(Error::Fenced(_))), "{n}: {fenced:?}");
        assert!(matches!(store.delete(key(&bytes)), Err(Error::Fenced(_))), "{n}");
        assert!(matches!(store.open(key(&bytes)), Err(Error::Missing(_))), "{n}");
        drop(store);
        let reopened = Store::open(&root).unwrap();
        // The log may have a blob that was not acknowledged. It is pending then.
        let key = BlobKey { generation: 2, ..key(&bytes) };
        reopened.put(key, &file(&bytes)).unwrap();
        assert_eq!(read(&reopened, key), bytes);
    }
}

#[test]
fn bytes_that_did_not_fit_when_they_were_synced_are_not_acknowledged_by_a_second_try() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("blobs");
    let tries = AtomicUsize::new(0);
    // The error is reported once, as the kernel does.
    let sync = move |reach, file: &File| {
        let is_blob = reach == Reach::Whole && file.metadata()?.is_file();
        if is_blob && tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Errno::NOSPC.into());
        }
        file.sync_all()
    };
    let store = Store::start(&root, Disk::new(Box::new(sync), Fence::default()), NEVER).unwrap();
    let bytes = large();
    let staged = tempfile::tempfile_in(folder.path()).unwrap();
    staged.write_all_at(&bytes, 0).unwrap();
    for _ in 0..2 {
        let full = store.put(key(&bytes), &staged);
        assert!(matches!(full, Err(Error::Full)), "{full:?}");
        assert_eq!(files(&root), Vec::<String>::new());
    }
    assert_eq!(read(&store, put(&store, &bytes)), bytes, "a new file is accepted");
}

#[test]
fn a_blob_has_its_pending_name_before_its_own_and_both_before_the_sync() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("blobs");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (noted, inside) = (Arc::clone(&seen), root.clone());
    let sync = move |reach, file: &File| {
        if reach != Reach::Whole || file.metadata()?.is_file() {
            *noted.lock().unwrap() = files(&inside);
        }
        file.sync_all()
    };
    let store = Store::start(&root, Disk::new(Box::new(sync), Fence::default()), NEVER).unwrap();
    let staged = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
    store.put(key(b"hello"), staged.as_file()).unwrap();
    assert_eq!(seen.lock().unwrap().len(), 2, "both names exist when the log is synced");

    // If its own name cannot be made, the blob is not pending. If its pending name cannot be made, there is no blob.
    let taken = key(b"taken");
    std::fs::create_dir_all(store.folders.path(taken)).unwrap();
    assert!(matches!(store.put(taken, staged.as_file()), Err(Error::Exists(_))));
    assert_eq!(store.pending().unwrap(), [key(b"hello")]);
    let blocked = key(b"blocked");
    std::fs::create_dir(store.folders.pending_path(blocked)).unwrap();
    assert!(matches!(store.put(blocked, staged.as_file()), Err(Error::Exists(_))));
    assert!(matches!(store.open(blocked), Err(Error::Missing(_))));
}

/// A mounted filesystem. It is unmounted when this is dropped.
struct Small(tempfile::TempDir);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

/// A filesystem of 1 MiB. Without the privilege to mount, the test says that it is skipped, and fails if CI is set.
fn small_disk() -> Option<Small> {
    let folder = tempfile::tempdir().unwrap();
    match mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), c"size=1m,mode=700") {
        Ok(()) => Some(Small(folder)),
        Err(errno) if std::env::var_os("CI").is_some() => panic!("cannot mount a tmpfs: {errno}"),
        Err(errno) => {
            // Written past the test runner, which hides what passing tests print.
            let _ = writeln!(std::io::stderr(), "NOT TESTED: cannot mount a tmpfs: {errno}");
            None
        }
    }
}

#[test]
fn a_full_disk_leaves_nothing_and_deleting_still_works() {
    let Some(disk) = small_disk() else { return };
    let store = Store::open(&disk.0.path().join("blobs")).unwrap();
    let kept = put(&store, b"small");
    let large = vec![7; 400_000];
    let first = put(&store, &large);
    let free = store.space(StoreId::default()).unwrap().free;
    let full = store.put(key(b"too large"), &file(&vec![8; 900_000]));
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    assert_eq!(files(&disk.0.path().join("blobs")).len(), 4, "two blobs, both pending");
    let lost = free - store.space(StoreId::default()).unwrap().free;
    assert!(lost <= 2, "only the directories stay, not {lost} blocks");
    assert_eq!(read(&store, kept), b"small");
    store.delete(first).unwrap();
    store.put(key(b"now"), &file(&vec![8; 900_000])).unwrap();
    assert_eq!(read(&store, key(b"now")).len(), 900_000);
}

#[test]
fn the_error_for_a_directory_that_cannot_be_made_names_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file/blobs");
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let refused = Store::open(&blocked).err().unwrap();
    assert!(matches!(&refused, Error::Root { path, .. } if *path == blocked), "{refused:?}");
}

#[test]
fn a_blob_is_not_opened_through_a_symbolic_link() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let key = put(&store, b"hello");
    std::fs::rename(store.folders.path(key), folder.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("aside"), store.folders.path(key)).unwrap();
    assert!(matches!(store.open(key), Err(Error::Io { .. })));
    assert!(folder.path().join("aside").exists());
}
