//! The bytes of a control file.

use std::fs::File;

#[derive(Debug)]
pub enum Source {
    /// Composed when the file is opened.
    Text(String),
    File(File),
}
