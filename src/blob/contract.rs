//! The laws of a blob store: one suite that every store runs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::blob::{BlobStore, Error};
use words::attachment::{BlobKey, StoreId};
use words::digest::Digest;

/// Makes each law a test for each store.
macro_rules! laws {
    ($($law:ident)*) => {
        mod memory {
            $(#[test]
            fn $law() {
                super::$law(&crate::blob::memory::Memory::new());
            })*
        }
        mod router {
            $(#[test]
            fn $law() {
                let (own, other) = (crate::blob::memory::Memory::new(), crate::blob::router::Route::Closed("x".into()));
                super::$law(&crate::blob::router::Router::new(std::sync::Arc::new(own), [(words::attachment::StoreId(1), other)]));
            })*
        }
        mod dir {
            $(#[test]
            fn $law() {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let root = folder.path().join("blobs");
                super::$law(&crate::blob::dir::Store::open(&root).expect("a store"));
            })*
        }
    };
}

laws! {
    a_blob_that_was_put_is_opened
    an_empty_blob_is_a_blob
    a_large_blob_is_stored_whole
    a_file_is_stored_whole_wherever_its_cursor_stands
    a_key_is_never_rewritten
    a_blob_that_does_not_exist_is_missing
    deleting_twice_is_no_error
    an_open_file_stays_readable_after_the_delete
    a_key_of_another_generation_is_another_key
    readers_do_not_share_a_cursor
    an_opened_blob_cannot_be_written_to
    a_blob_is_pending_from_its_put_until_it_is_confirmed_or_deleted
    threads_put_different_keys_at_once
    the_space_is_consistent
}

pub(super) fn key(bytes: &[u8]) -> BlobKey {
    BlobKey { store: StoreId::default(), digest: Digest::of(bytes), generation: 1 }
}

/// A file without a name that has these bytes.
pub(super) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("written");
    file
}

pub(super) fn put(store: &dyn BlobStore, bytes: &[u8]) -> BlobKey {
    store.put(key(bytes), &file(bytes)).expect("put");
    key(bytes)
}

pub(super) fn read(store: &dyn BlobStore, key: BlobKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.open(key).expect("opened").as_ref().read_to_end(&mut bytes).expect("read");
    bytes
}

fn a_blob_that_was_put_is_opened(store: &dyn BlobStore) {
    assert_eq!(read(store, put(store, b"hello")), b"hello");
}

fn an_empty_blob_is_a_blob(store: &dyn BlobStore) {
    assert_eq!(read(store, put(store, b"")), b"");
}

fn a_large_blob_is_stored_whole(store: &dyn BlobStore) {
    let bytes: Vec<u8> =
        (0..3_000_001_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let found = read(store, put(store, &bytes));
    assert_eq!((found.len(), Digest::of(&found)), (bytes.len(), Digest::of(&bytes)));
}

fn a_file_is_stored_whole_wherever_its_cursor_stands(store: &dyn BlobStore) {
    let mut file = file(b"hello");
    file.seek(SeekFrom::Start(3)).unwrap();
    store.put(key(b"hello"), &file).unwrap();
    assert_eq!(file.stream_position().unwrap(), 3);
    assert_eq!(read(store, key(b"hello")), b"hello");
}

fn a_key_is_never_rewritten(store: &dyn BlobStore) {
    let key = put(store, b"first");
    let again = store.put(key, &file(b"second"));
    assert!(matches!(again, Err(Error::Exists(found)) if found == key), "{again:?}");
    assert_eq!(read(store, key), b"first");
}

fn a_blob_that_does_not_exist_is_missing(store: &dyn BlobStore) {
    let missing = store.open(key(b"x"));
    assert!(matches!(missing, Err(Error::Missing(found)) if found == key(b"x")), "{missing:?}");
}

fn deleting_twice_is_no_error(store: &dyn BlobStore) {
    let key = put(store, b"hello");
    store.delete(key).unwrap();
    store.delete(key).unwrap();
    assert!(matches!(store.open(key), Err(Error::Missing(_))));
    store.delete(self::key(b"never there")).unwrap();
}

fn an_open_file_stays_readable_after_the_delete(store: &dyn BlobStore) {
    let key = put(store, b"hello");
    let open = store.open(key).unwrap();
    store.delete(key).unwrap();
    let mut bytes = Vec::new();
    open.as_ref().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"hello");
}

fn a_key_of_another_generation_is_another_key(store: &dyn BlobStore) {
    let first = put(store, b"hello");
    let second = BlobKey { generation: 2, ..first };
    store.put(second, &file(b"hello")).unwrap();
    store.delete(first).unwrap();
    assert!(matches!(store.open(first), Err(Error::Missing(_))));
    assert_eq!(read(store, second), b"hello");
}

fn readers_do_not_share_a_cursor(store: &dyn BlobStore) {
    let key = put(store, b"hello");
    let first = store.open(key).unwrap();
    first.as_ref().read_exact(&mut [0; 3]).unwrap();
    assert_eq!(read(store, key), b"hello");
}

fn an_opened_blob_cannot_be_written_to(store: &dyn BlobStore) {
    let key = put(store, b"hello");
    let open = store.open(key).unwrap();
    assert!(open.as_ref().write_all(b"X").is_err());
    assert!(open.set_len(0).is_err());
    assert_eq!(read(store, key), b"hello");
}

fn a_blob_is_pending_from_its_put_until_it_is_confirmed_or_deleted(store: &dyn BlobStore) {
    assert_eq!(store.pending().unwrap(), []);
    let (kept, deleted) = (put(store, b"kept"), put(store, b"deleted"));
    let mut pending = store.pending().unwrap();
    pending.sort_by_key(|key| *key != kept);
    assert_eq!(pending, [kept, deleted]);
    for _ in 0..2 {
        store.confirm(kept);
        store.delete(deleted).unwrap();
        assert_eq!(store.pending().unwrap(), []);
    }
    assert_eq!(read(store, kept), b"kept");
}

fn threads_put_different_keys_at_once(store: &dyn BlobStore) {
    let blob = |n: u32| format!("blob {n}").into_bytes();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..10).for_each(|n| _ = put(store, &blob(thread * 10 + n))));
        }
    });
    for n in 0..40 {
        assert_eq!(read(store, key(&blob(n))), blob(n));
    }
}

fn the_space_is_consistent(store: &dyn BlobStore) {
    let space = store.space(StoreId::default()).unwrap();
    assert!(space.block_size > 0 && space.blocks > 0, "{space:?}");
    assert!(space.available <= space.free && space.free <= space.blocks, "{space:?}");
    assert!(space.files_free <= space.files, "{space:?}");
}

#[test]
fn a_memory_store_past_its_capacity_is_full_and_takes_blobs_again_after_a_delete() {
    let store = crate::blob::memory::Memory::with_capacity(8192);
    let key = put(&store, &[1; 8000]);
    let full = store.put(self::key(b"more"), &file(&[2; 200]));
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    assert_eq!(store.space(StoreId::default()).unwrap().free, 0);
    store.delete(key).unwrap();
    assert_eq!(store.space(StoreId::default()).unwrap().free, 2);
    put(&store, &[2; 200]);
}
