//! Refusals: recorded in the journal, reported beside the file, and their bytes kept in the quarantine.

pub mod journal;
pub mod kept;
pub mod quarantine;
pub mod reports;
pub mod shares;
