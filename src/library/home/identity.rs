//! The identity of a library: a random number in its directory that tells it from every other library.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::library::home::error::Error;

const FILE: &str = "id";

/// The file that holds the identity of one library. Made when the identity is first asked for, and never changed.
#[derive(Debug)]
pub struct Identity {
    root: PathBuf,
}

impl Identity {
    pub(super) fn in_directory(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Whether the library has this identity. Makes none.
    pub(super) fn is(&self, identity: &str) -> bool {
        fs::read_to_string(self.path()).is_ok_and(|known| known.trim() == identity)
    }

    /// The identity. A new one is on the disk when it is returned.
    pub(super) fn read_or_make(&self) -> Result<String, Error> {
        let path = self.path();
        let unusable = |source| Error::unusable("library", &path, source);
        match fs::read_to_string(&path) {
            Ok(known) => return Ok(known.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            Err(_) => {}
        }
        self.make().map_err(unusable)
    }

    fn make(&self) -> io::Result<String> {
        let made = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let temporary = self.root.join("id.new");
        let mut file = File::create(&temporary)?;
        file.write_all(made.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path())?;
        File::open(&self.root)?.sync_all()?;
        Ok(made.trim().to_owned())
    }

    fn path(&self) -> PathBuf {
        self.root.join(FILE)
    }
}
