//! The container that HEIF images share (ISO/IEC 23008-12), whatever codes their pictures: AVIF is one of them.

pub mod brands;
pub mod isobmff;
