//! `row.json`: a row with all its attachments as one document. A document that is written to it is applied whole or not at all.

pub mod composed;
mod describe;
mod merge;
mod objection;
mod patch;
pub mod row_json;
pub mod unreadable;

/// The document's name in a row.
pub const ROW_JSON: &str = "row.json";
/// The key for facts of the row itself; no field has this name. It is not patched.
const ROW: &str = "$row";
/// The facts of the row.
const FACTS: [&str; 5] = ["table", "id", FREE_FIELDS, "writing", "errors"];
/// The key, among the facts of the row, for empty fields. A `null` of them detaches no file that was attached since.
const FREE_FIELDS: &str = "free";
/// The key for the names of collections whose `null` is meant: it detaches all that they hold.
const DETACH: &str = "$detach";
/// The key for the name of a list's item. The order of a list is that of these names.
const NAME: &str = "name";
/// The keys for the public URLs of a file and of its presets. They are not patched.
const URL: &str = "url";
const PRESETS: &str = "presets";
