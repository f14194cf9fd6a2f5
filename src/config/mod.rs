//! The configuration: a TOML file in, typed and checked values out, with every mistake named by line and column. Of the machine
//! only the names of users and groups are asked for.

mod access_keys;
mod box_section;
mod cache_section;
mod error;
mod fetch_section;
mod field_section;
mod library_section;
mod mount_section;
mod problem;
mod quarantine_section;
mod quota_section;
mod section;
pub mod store_section;
mod syntax;
mod table_section;
mod users;
mod value;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::DeTable;

use self::library_section::Library;
use self::mount_section::Mount;
use self::problem::Problems;
use self::section::Section;
use self::store_section::Store;
use words::byte_count::ByteCount;
use words::download::Policy;
use words::quarantine_bounds::Bounds;
use words::quota::Quotas;
use words::schema::Schema;

pub use error::Error;

/// The sample that `mediafs init` writes. It is a valid configuration.
pub const SAMPLE: &str = include_str!("sample.toml");

/// The largest configuration that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The values in `mediafs.toml`, with defaults for those that it does not set.
#[derive(Debug, Clone)]
pub struct Config {
    pub library: Library,
    /// In the order of the file. Names are unique, and so are paths.
    pub stores: Vec<Store>,
    pub mount: Mount,
    /// `[cache] size`: the size of all rendered variants together.
    pub cache: ByteCount,
    /// `[fetch]`: the policy for downloads, when a URL is attached.
    pub fetch: Policy,
    pub quarantine: Bounds,
    pub quotas: Quotas,
    pub schema: Schema,
}

/// Reads and checks a configuration file. Errors: the file cannot be read, or [`Error::Invalid`] with all its mistakes.
pub fn load(path: &Path) -> Result<Config, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge { path: path.to_owned(), limit: ByteCount(MAX_BYTES) });
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::NotUtf8(path.to_owned()))?;
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    read(&text, &path.to_string_lossy(), base)
}

/// Checks the text of a configuration. Messages call it `file_name`, from whose directory relative paths count.
pub fn parse(text: &str, file_name: &str) -> Result<Config, Error> {
    read(text, file_name, Path::new(file_name).parent().unwrap_or(Path::new("")))
}

fn read(text: &str, file_name: &str, base: &Path) -> Result<Config, Error> {
    let problems = Problems::of(file_name, text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let at = fault.span().map_or(0, |span| span.start);
        let (at, message) = syntax::explain(text, at, fault.message());
        problems.add(at, message);
    }
    // After a syntax error the document may lack sections that stand in the file.
    let config = if faults.is_empty() {
        sections(&Section::root(document.get_ref(), &problems), base)
    } else {
        None
    };
    problems.verdict(config)
}

/// Reads all sections. `None` if a value without a default is missing, which is then among the problems.
fn sections(root: &Section<'_>, base: &Path) -> Option<Config> {
    let library = root.section("library").and_then(|section| library_section::read(&section, base));
    if !root.has("library") {
        root.missing("[library]", "it needs at least `path`, where everything is kept");
    }
    let mount = mount_section::read(&root.section_or_empty("mount"));
    let cache = cache_section::read(&root.section_or_empty("cache"));
    let quarantine = quarantine_section::read(&root.section_or_empty("quarantine"));
    let stores = root.section_or_empty("stores");
    let (stores, names) = store_section::read(&stores, base, library.as_ref());
    let tables = root.section("tables").map(|section| table_section::read(&section, &names));
    let tables = tables.unwrap_or_default();
    if !root.has("tables") {
        root.missing("[tables]", "declare a table, such as [tables.user]");
    }
    let quotas = quota_section::read(&root.section_or_empty("quotas"), &tables);
    let boxes = box_section::read(&root.section_or_empty("boxes"), &tables);
    let fetch = fetch_section::read(&root.section_or_empty("fetch"));
    root.finish();
    let schema = Schema { tables, boxes };
    Some(Config { library: library?, stores, mount, cache, fetch, quarantine, quotas, schema })
}

#[cfg(test)]
mod tests;
