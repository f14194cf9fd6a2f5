//! The errors of a directory that cannot be used for a library or for one of its stores.

use std::io;
use std::path::{Path, PathBuf};

use words::attachment::BlobKey;
use words::slot::Name;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the {what} {} cannot be used", path.display())]
    Unusable { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the {what} {} belongs to uid {owner}; run mediafs as that user, or give the directory to this one", path.display())]
    Foreign { what: &'static str, path: PathBuf, owner: u32 },
    #[error("the {what} {} lies on a FUSE filesystem, which cannot promise that a file is on disk; choose a path on a local disk", path.display())]
    OnFuse { what: &'static str, path: PathBuf },
    #[error("there is no library in {}; `mediafs mount` without --read-only makes one", path.display())]
    Absent { path: PathBuf },
    #[error("the library {} has lost its catalogue: catalog.sqlite is missing or empty, though the library was used; put the library's whole directory back from one backup, or choose another path for a new library", path.display())]
    CatalogGone { path: PathBuf },
    #[error("the catalogue of the library {} is an older copy: it does not know {}, nor any blob as new; put the library's directory back from one backup, or see what it knows with `mediafs mount --read-only`, or go on with that by `mediafs mount --accept-loss`", path.display(), key.path())]
    CatalogOlder { path: PathBuf, key: BlobKey },
    #[error("the library's blobs are not in {}, though its catalogue knows of {blobs}; mount the disk that has them, or put the library's directory back from one backup, or go on without them by `mediafs mount --accept-loss`: a file that is sent again is stored again", path.display())]
    BlobsGone { path: PathBuf, blobs: u64 },
    #[error("there is no store `{name}` in {}; `mediafs mount` without --read-only makes one", path.display())]
    NoStore { name: Name, path: PathBuf },
    #[error("the {what} {} is in use by another mediafs; unmount that one first, or choose another path", path.display())]
    InUse { what: &'static str, path: PathBuf },
    #[error("the filesystem of {} has no nameless files (O_TMPFILE); ext4, xfs, btrfs and tmpfs have", path.display())]
    NoNamelessFiles { path: PathBuf },
    #[error("{} is not the store `{name}` of this library: its mark is missing, though {blobs} files are kept there; is its disk mounted?", path.display())]
    Unmarked { name: Name, path: PathBuf, blobs: u64 },
    #[error("{} is the store `{found}` of another library; choose another path for `{name}`", path.display())]
    OfAnother { name: Name, path: PathBuf, found: String },
    #[error("{} is the store `{found}` of this library, and cannot be `{name}` too", path.display())]
    OtherStore { name: Name, path: PathBuf, found: String },
}

impl Error {
    pub(super) fn unusable(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Unusable { what, path: path.to_owned(), source }
    }
}
