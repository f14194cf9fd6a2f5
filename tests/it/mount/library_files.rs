//! The files of a library on the disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use crate::wait::until;

/// Checks that after a collection the blob folder has exactly these contents, and the staging folder is empty.
pub fn holds_exactly(mount: &Mount, library: &Path, contents: &[&[u8]]) {
    mount.collect();
    let expected: BTreeSet<String> =
        contents.iter().map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
    assert_eq!(blobs(library), expected, "the blob folder holds exactly what is linked");
    nothing_is_staged(mount, library);
}

/// Waits until no draft is open: the kernel sends the release of a draft after its writer has gone on.
pub fn nothing_is_staged(mount: &Mount, library: &Path) {
    until("no draft is open", || mount.status()["open"]["drafts"] == 0);
    until("the staging folder is empty", || files(&library.join("staging")).is_empty());
}

/// The digests in the names of all files in the blob folder. A file that is no blob counts with its whole name.
fn blobs(library: &Path) -> BTreeSet<String> {
    let digest = |name: String| name.split('.').next().map(str::to_owned).unwrap_or(name);
    files(&library.join("blobs")).into_iter().map(digest).collect()
}

/// The names of all files below a folder, sorted, without the logs of stores.
pub fn files(folder: &Path) -> Vec<String> {
    let paths = below(folder).into_iter().filter(|path| !is_log(path));
    let name = |path: &PathBuf| path.file_name()?.to_str().map(str::to_owned);
    let mut found: Vec<_> = paths.map(|path| name(&path).expect("UTF-8")).collect();
    found.sort();
    found
}

/// The length of all files below a folder, without the logs of stores.
pub fn length(folder: &Path) -> u64 {
    let paths = below(folder).into_iter().filter(|path| !is_log(path));
    paths.map(|path| fs::metadata(path).map_or(0, |meta| meta.len())).sum()
}

/// All files below a folder.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    walk(folder)
}

/// Passes over what the daemon deletes meanwhile.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Whether a file is the log of a store.
pub fn is_log(name: impl AsRef<Path>) -> bool {
    name.as_ref().extension().is_some_and(|extension| extension == "log")
}
