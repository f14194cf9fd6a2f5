//! The product of a job: what is to be kept of an image.
//! Does not know descriptors.

use words::dimensions::Dimensions;
use words::media_type::Format;

/// What a job made of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// The input is as it should be.
    Same(Dimensions),
    /// These bytes take its place.
    New { format: Format, dimensions: Dimensions, bytes: Vec<u8> },
}
