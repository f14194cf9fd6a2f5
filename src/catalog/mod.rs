//! The catalogue: which slot has which attachment, which blobs there are, and what still needs each of them.
//!
//! A trait for each noun, and [`Catalog`], their sum. Each method is one transaction: it happens completely or not at all, and a
//! change that returned `Ok` survives a power cut. The one exception is [`reserve`](blobs::Blobs::reserve): a crash forgets
//! reservations. Numbers of rows, attachments, variants and scratch files are never given out twice.

pub mod attachments;
pub mod blobs;
mod error;
pub mod memory;
pub mod quotas;
pub mod rows;
pub mod scratch;
pub mod slots;
pub mod sql;
pub mod sqlite;
pub mod summary;
pub mod trash;
pub mod variants;

#[cfg(test)]
mod contract;

pub use error::Error;

use attachments::Attachments;
use blobs::Blobs;
use quotas::Quotas;
use rows::Rows;
use scratch::Scratch;
use slots::Slots;
use summary::Summary;
use trash::Trash;
use variants::Variants;

/// The whole catalogue. Threads share it; a method waits for its own I/O at most.
pub trait Catalog:
    Rows + Slots + Attachments + Blobs + Trash + Variants + Scratch + Quotas + Summary + Send + Sync
{
}

impl Catalog for memory::Memory {}

impl Catalog for sql::SqlCatalog {}
