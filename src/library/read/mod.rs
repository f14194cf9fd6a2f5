//! Reading: open files and rendered variants.

pub mod open_files;
pub mod opener;
pub mod variants;
