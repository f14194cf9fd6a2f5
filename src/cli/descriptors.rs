//! How many descriptors this process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than this no mount keeps.
const MOST: u64 = 65_536;
/// Left for everything else.
const OTHER: u64 = 256;

/// Raises the limit of descriptors as far as it goes; how many may be kept open, at least one.
pub fn raise() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    usize::try_from(most.saturating_sub(OTHER).clamp(1, MOST)).unwrap_or(1)
}
