//! Reading: open files of attachments and variants, and variants that are rendered when they are asked for.

mod open_files;
pub mod opener;
pub(super) mod renders;
pub mod variant_files;
