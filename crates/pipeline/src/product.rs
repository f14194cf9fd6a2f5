//! The product of a job: the bytes to keep.

use words::dimensions::Dimensions;
use words::media_type::Format;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// The input itself, which has these dimensions as shown.
    Same(Dimensions),
    New {
        format: Format,
        dimensions: Dimensions,
        bytes: Vec<u8>,
    },
}
