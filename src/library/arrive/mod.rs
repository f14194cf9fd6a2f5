//! Files that arrive without a write: through drop boxes, from URLs, and from before a crash.

pub mod boxes;
pub mod downloads;
pub mod recovery;
mod url_violations;
pub mod urls;
