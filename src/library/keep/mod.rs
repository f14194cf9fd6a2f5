//! How long something is kept: what may be put back, what is swept, and scratch that expires.

pub mod expiry;
pub mod promises;
pub mod sweeper;
pub mod trash;
pub mod variant_reads;
