//! `row.json`: a row with all its attachments as one document. A document that is written to it is applied whole or not at all.

pub mod composed;
mod describe;
mod patch;
pub mod row_json;

/// The document's name in a row.
pub const ROW_JSON: &str = "row.json";
/// The key for facts of the row itself; no field has this name. It is not patched.
const ROW: &str = "$row";
/// The key, among the facts of the row, for empty fields. A `null` of them detaches no file that was attached since.
const FREE_FIELDS: &str = "free";
/// The key for the name of a list's item. The order of a list is that of these names.
const NAME: &str = "name";
