//! Reading: open files of attachments and variants, variants that are rendered when they are asked for, and public URLs.

mod open_files;
pub mod public_urls;
pub(super) mod renders;
pub mod stored_files;
pub mod variant_files;
