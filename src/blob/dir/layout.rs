//! The layout of a store: its directories are made, and those of an older mediafs are migrated.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::folders::{DIRECTORY_MODE, Folders, entries, if_exists, make};
use crate::blob::Error;

/// The directory that marks a store whose blobs are one directory deep. Before, they were two deep: `1f/2e/1f2e...9a.7`.
const FLAT: &str = "layout-1";

/// Makes the directories that are missing, and syncs all of them.
pub(super) fn open(root: &Path, disk: Disk) -> Result<Folders, Error> {
    let unusable = |source| Error::Root { path: root.to_owned(), source };
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(root).map_err(unusable)?;
    let above = root.canonicalize().map_err(unusable)?;
    let folders = Folders::new(root, disk);
    let sync_path = |path: &Path| folders.sync_path(path).map_err(unusable);
    sync_path(above.parent().unwrap_or(Path::new("/")))?;
    make(&folders.pending()).map_err(unusable)?;
    migrate(&folders).map_err(unusable)?;
    sync_path(root)?;
    // The last process may have made a name just before it was killed.
    for first in 0..=u8::MAX {
        if_exists(folders.sync_path(&folders.first(first))).map_err(unusable)?;
    }
    Ok(folders)
}

/// Whether a reader finds the blobs of this store. A store that was not made yet has none.
pub(super) fn is_current(folders: &Folders) -> bool {
    mark(folders).exists() || !folders.pending().exists()
}

/// Moves the blobs up that are two directories deep, once for each store. After a crash the next start moves the rest.
fn migrate(folders: &Folders) -> io::Result<()> {
    if mark(folders).exists() {
        return Ok(());
    }
    let mut moved = 0_usize;
    for first in 0..=u8::MAX {
        let directory = folders.first(first);
        let found = entries(&directory)?.collect::<io::Result<Vec<_>>>()?;
        for deeper in found {
            if !deeper.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(deeper.path())? {
                let blob = entry?;
                fs::rename(blob.path(), directory.join(blob.file_name()))?;
                moved += 1;
            }
            fs::remove_dir(deeper.path())?;
        }
        if directory.exists() {
            folders.sync_path(&directory)?;
        }
    }
    if moved > 0 {
        tracing::info!(
            moved,
            "blobs were laid out anew: their public URLs have one directory less"
        );
    }
    make(&mark(folders))
}

fn mark(folders: &Folders) -> PathBuf {
    folders.root.join(FLAT)
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use crate::blob::BlobStore;
    use crate::blob::contract::{put, read};

    #[test]
    fn blobs_that_are_two_directories_deep_are_moved_up_by_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let blobs: Vec<_> = (0_u8..20).map(|n| (put(&store, &[n; 9]), [n; 9])).collect();
        drop(store);
        for (key, _) in &blobs {
            let place = folder.path().join(key.path());
            let deeper = place.with_file_name(&key.digest.to_string()[2..4]);
            std::fs::create_dir_all(&deeper).unwrap();
            std::fs::rename(&place, deeper.join(key.to_string())).unwrap();
        }
        std::fs::remove_dir(folder.path().join(super::FLAT)).unwrap();
        assert!(Store::open_to_read(folder.path()).is_err(), "a reader moves nothing");
        // A crash came when one blob was moved.
        let (first, _) = blobs[0];
        let digits = first.digest.to_string();
        let deeper = folder.path().join(&digits[..2]).join(&digits[2..4]).join(first.to_string());
        std::fs::rename(deeper, folder.path().join(first.path())).unwrap();
        let store = Store::open(folder.path()).unwrap();
        for (key, bytes) in &blobs {
            assert_eq!(read(&store, *key), bytes);
            store.delete(*key).unwrap();
        }
        let reader = Store::open_to_read(folder.path()).unwrap();
        assert!(reader.open(first).is_err());
    }
}
