//! The limit of open file descriptors (`RLIMIT_NOFILE`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most descriptors that a mount uses.
const MOST: u64 = 65_536;
/// Descriptors that are left for all else than stored files.
const OTHER: u64 = 256;

/// Raises the soft limit to the hard limit. Returns how many stored files may be kept open, at least one.
pub fn raise() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    usize::try_from(most.saturating_sub(OTHER).clamp(1, MOST)).unwrap_or(1)
}
