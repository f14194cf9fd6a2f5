//! The settings of a library: the part of the configuration that an operator chooses for it.

use std::time::Duration;

use words::access::Policy;
use words::quarantine_bounds::Bounds;
use words::quota::Quotas;
use words::slot::Name;

#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an attachment without a name is kept for programs that delete first and write then (CONTRACT 2.11).
    pub hold: Duration,
    /// How long it stays in the trash, if that is longer.
    pub trash: Duration,
    /// How long scratch lives.
    pub scratch: Duration,
    /// Bytes of rendered variants that are kept.
    pub cache_bytes: u64,
    pub quarantine: Bounds,
    pub quotas: Quotas,
    /// The address of the tree in public URLs, without a slash at the end.
    pub base_url: Option<String>,
    /// The stores beside the library's own.
    pub stores: Vec<Store>,
    /// Owner, group and modes where a table fixes none.
    pub access: Policy,
    /// Where files may be fetched from.
    pub fetch: words::download::Policy,
}

/// A store beside the library's own, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub name: Name,
    /// The address of the tree in the public URLs of its files, if it is another; without a slash at the end.
    pub base_url: Option<String>,
}
