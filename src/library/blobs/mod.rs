//! Stored bytes: whole or damaged, and in which store.

pub mod damage;
pub mod store_names;
