//! What a worker process is asked, and what it answers: the words of the protocol between daemon and worker.
//! Does not know sockets, descriptors or codecs.

use serde::{Deserialize, Serialize};

use words::dimensions::Dimensions;
use words::media_type::Format;
use words::rule::Normal;
use words::variant::Variant;

/// One image's work. The input and output descriptors travel beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// Decode the input completely; write its normal form to the output if that differs from the input.
    Refine { format: Format, normal: Normal, limits: Limits },
    /// Write a variant of the input, which was stored by us, to the output.
    Render { format: Format, variant: Variant, quality: Option<u8>, limits: Limits },
}

/// What decoding may cost before it is a bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Pixels of one frame.
    pub max_pixels: u64,
    /// Frames of an animation.
    pub max_frames: u32,
    /// Pixels of all frames together.
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

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The input is in its normal form already and decoded to the end; nothing was written.
    Untouched {
        dimensions: Dimensions,
    },
    /// The output holds the result, from its first byte to its last.
    Written {
        format: Format,
        dimensions: Dimensions,
        length: u64,
    },
    Fault(Fault),
}

/// Why an image was not worked on to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The bytes end before the image does; the decoder's words.
    Truncated(String),
    /// The bytes are not what their format says; the decoder's words.
    Corrupt(String),
    /// A limit was passed: what was counted, how much of it, and the limit.
    Bomb { what: String, measured: u64, allowed: u64 },
    /// A valid image of a kind that this build cannot read or turn into the wanted format.
    Unsupported(String),
    /// The output could not be written: the OS error's number (`ENOSPC` among them).
    Output(i32),
    /// The input could not be read: the OS error's number.
    Input(i32),
}
