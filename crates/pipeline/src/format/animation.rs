//! Frames, and what encodes them.

use crate::job::Fault;
use crate::raster::Raster;

/// One frame of an animation, composed: the whole canvas as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub raster: Raster,
    /// Milliseconds.
    pub duration: u32,
}

/// How often an animation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    Forever,
    /// In all, at least once.
    Times(u16),
}

/// Assembles a file frame by frame.
pub trait AnimationEncoder {
    /// Errors: `Unsupported` for a canvas of another size than the animation's.
    fn add(&mut self, frame: Frame) -> Result<(), Fault>;
    /// The file's bytes.
    fn finish(self: Box<Self>) -> Result<Vec<u8>, Fault>;
}
