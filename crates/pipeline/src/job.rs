//! A job for a worker process, its limits, and its outcome.

use serde::{Deserialize, Serialize};

use words::dimensions::Dimensions;
use words::media_type::Format;
use words::rule::Normal;
use words::variant::Variant;

/// The work on one image. The descriptors of input and output are sent beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// Decode the input completely; write its normal form to the output if that differs from the input.
    Refine { format: Format, normal: Normal, limits: Limits },
    /// Write a variant of the input, which is a stored original, to the output.
    Render { format: Format, variant: Variant, quality: Option<u8>, limits: Limits },
}

/// The limits of decoding. An image that passes a limit is a decompression bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Pixels of one frame.
    pub max_pixels: u64,
    /// Frames of an animation.
    pub max_frames: u32,
    /// Pixels of all frames together, at least as many as of one.
    pub max_total_pixels: u64,
    /// Scans of a progressive JPEG.
    pub max_scans: u32,
    /// Bytes of a colour profile or another decompressed chunk of metadata.
    pub max_metadata: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 100_000_000,
            max_frames: 1_000,
            max_total_pixels: 1_000_000_000,
            max_scans: 100,
            max_metadata: 4 << 20,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The input has its normal form already and was decoded to its end; nothing was written.
    Untouched {
        dimensions: Dimensions,
    },
    /// The output holds the result and nothing else.
    Written {
        format: Format,
        dimensions: Dimensions,
        length: u64,
    },
    Fault(Fault),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The bytes end before the image does. Holds the decoder's message.
    Truncated(String),
    /// The bytes break the rules of their format. Holds the decoder's message.
    Corrupt(String),
    /// A limit was passed by the count of `what`.
    Bomb { what: String, measured: u64, allowed: u64 },
    /// A valid image of a kind that this build cannot read, or cannot write in the wanted format.
    Unsupported(String),
    /// The output could not be written. Holds the number of the OS error, such as `ENOSPC`.
    Output(i32),
    /// The input could not be read. Holds the number of the OS error.
    Input(i32),
}

/// Passes a count that is within its limit.
pub fn at_most(what: &str, measured: u64, allowed: u64) -> Result<(), Fault> {
    if measured > allowed {
        return Err(Fault::Bomb { what: what.into(), measured, allowed });
    }
    Ok(())
}
