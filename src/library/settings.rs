//! Settings of a library: the part of the configuration that an operator chooses for it.

use std::time::Duration;

use crate::library::quarantine::Bounds;
use crate::library::stores::Store;
use words::access::Policy;
use words::quota::Quotas;

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an attachment without a name is kept for whoever deletes first and writes then (CONTRACT 2.11).
    pub hold: Duration,
    /// How long it can be put back by anybody, if that is longer.
    pub trash: Duration,
    /// How long scratch lives.
    pub scratch: Duration,
    /// Bytes of rendered variants that are kept.
    pub cache_bytes: u64,
    pub quarantine: Bounds,
    pub quotas: Quotas,
    /// In front of a blob's path in public URLs, without a slash at the end.
    pub base_url: Option<String>,
    /// The stores beside the library's own.
    pub stores: Vec<Store>,
    /// Owner, group and modes where no table has a word of its own.
    pub access: Policy,
    /// Where files may be fetched from.
    pub fetch: words::download::Policy,
}
