//! Changes of names and metadata: rows, links, attributes.

pub mod access;
pub mod attributes;
pub mod backups;
pub mod links;
pub mod rehome;
pub mod rows;
