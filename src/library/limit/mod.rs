//! Limits: how much each user and each table may have.

pub mod quotas;
pub mod tally;
