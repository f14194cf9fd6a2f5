//! Limits: what each user may do, how much each user and each table may have, and how much scratch each has now.

pub mod enforcement;
pub mod permission;
pub mod tally;
