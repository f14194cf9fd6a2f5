//! Keeping: the trash and its sweep, promises to put something back, and scratch that expires.

pub mod expiry;
pub mod promises;
pub mod sweeper;
pub mod trash;
pub mod variant_reads;
