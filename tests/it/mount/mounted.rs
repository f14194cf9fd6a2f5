//! Filesystems that a test mounts beside the daemon's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::tool::run;

/// A mounted filesystem. Dropping this unmounts it.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Runs mount(8) with these arguments and the mountpoint.
    pub fn at(mountpoint: &Path, arguments: &[&str]) -> Self {
        let mut all: Vec<_> = arguments.iter().map(OsStr::new).collect();
        all.push(mountpoint.as_os_str());
        run("mount", &all).succeeded();
        Self(mountpoint.to_owned())
    }

    /// A filesystem in memory, of a size such as `8m`.
    pub fn in_memory(mountpoint: &Path, size: &str) -> Self {
        Self::at(mountpoint, &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, since a failed test may have left files open.
        let _ = run("umount", &[Path::new("-l"), &self.0]);
    }
}
