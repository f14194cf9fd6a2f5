//! Reading: open files of attachments and variants, and variants that are rendered when they are asked for.

mod open_files;
pub(super) mod renders;
pub mod stored_files;
pub mod variant_files;
