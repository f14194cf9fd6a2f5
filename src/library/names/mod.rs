//! Changes of names and metadata: rows, links, attributes, backups.

mod as_is;
pub mod attributes;
pub mod backups;
pub mod field_moves;
pub mod naming;
pub mod rows;
