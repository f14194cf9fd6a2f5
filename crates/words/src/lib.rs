//! The words of mediafs: the values that rooms hand to one another. None of them does I/O.

pub mod access;
pub mod attachment;
pub mod byte_count;
pub mod day;
pub mod digest;
pub mod dimensions;
pub mod download;
pub mod link;
pub mod media_type;
pub mod place;
pub mod quota;
pub mod refusal;
pub mod rendition;
pub mod retired;
pub mod row;
pub mod rule;
pub mod schema;
pub mod scratch;
pub mod shortcut;
pub mod slot;
pub mod space;
pub mod template;
pub mod timestamp;
pub mod url;
pub mod variant;
