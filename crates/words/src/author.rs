//! An author: the user and the process whose write is judged.

/// The user and the process whose write is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    pub uid: u32,
    /// The process; 0 if it is unknown.
    pub pid: u32,
}
