//! What the configuration declares and what the catalogue finds: tables, fields, rows, links.

pub mod table;
pub mod target;
