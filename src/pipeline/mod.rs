//! The pipeline: raw bytes in, kept bytes out, and nothing in between that has not passed the rules.
//! Does not know slots, catalogues or the kernel. Every image byte is decoded in a worker process.
//!
//! `Candidate` (identified) -> `Admitted` (rules) -> `Refined` (normalised): each step consumes the last.

mod animation;
mod container;
#[cfg(test)]
mod corpus;
mod decode;
mod encode;
pub mod exif;
pub mod job;
#[cfg(test)]
mod laws;
mod libwebp;
mod product;
mod raster;
mod refine;
mod render;
mod step;
pub mod work;
