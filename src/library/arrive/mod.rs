//! Files that come by other ways than a write: drop boxes, URLs, and what a crash left behind.

pub mod boxes;
pub mod downloads;
pub mod recovery;
pub mod urls;
