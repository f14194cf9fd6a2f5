//! The configuration: a TOML file in, typed and checked values out, with every mistake named by line and column.
//! Does not know what the values are used for, and asks nothing of the machine but the names of users and groups.

mod access;
mod boxes;
mod field;
mod owner;
mod problem;
mod quota;
mod reader;
mod section;
mod store;
mod value;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use crate::fetch;
use words::access::Policy;
use words::byte_count::ByteCount;
use words::quarantine_bounds::Bounds;
use words::quota::Quotas;
use words::schema::Schema;
use words::slot::Name;

pub use problem::{Errors, Problem};

use problem::Problems;
use reader::Section;

/// The commented sample that `mediafs init` writes. It is valid as it stands.
pub const SAMPLE: &str = include_str!("sample.toml");

/// The largest configuration that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that `mediafs.toml` says, with defaults for what it does not.
#[derive(Debug, Clone)]
pub struct Config {
    pub library: Library,
    /// In the order of the file; names are unique, and so are paths.
    pub stores: Vec<Store>,
    pub mount: Mount,
    pub cache: Cache,
    /// `[fetch]`: what may be downloaded when a URL is attached.
    pub fetch: fetch::Policy,
    pub quarantine: Bounds,
    pub quotas: Quotas,
    pub schema: Schema,
}

/// `[library]`: where things are kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Relative paths count from the directory of the configuration file.
    pub path: PathBuf,
    /// Without a trailing slash.
    pub base_url: Option<String>,
    /// How long a blob without a name is held before it may be deleted.
    pub hold: Duration,
    /// How long what was removed lies in the trash.
    pub trash: Duration,
    /// How long a scratch file lives.
    pub scratch: Duration,
}

/// `[stores.<name>]`: a directory for the blobs of fields that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub name: Name,
    /// Relative paths count from the directory of the configuration file.
    pub path: PathBuf,
    /// Without a trailing slash.
    pub base_url: Option<String>,
}

/// `[mount]`: how the tree is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Whether other users than the one who mounts may enter.
    pub allow_other: bool,
    /// Threads that serve the kernel, 1 to 64. `None`: as many as suit the machine.
    pub threads: Option<usize>,
    /// Owner, group and modes in tables that say nothing else.
    pub access: Policy,
}

/// `[cache]`: bounds of what can be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Rendered variants, all together.
    pub size: ByteCount,
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
    Ok(read(&text, &path.to_string_lossy(), base)?)
}

/// Checks the text of a configuration. `file_name` is what messages call it; relative paths count from its directory.
pub fn parse(text: &str, file_name: &str) -> Result<Config, Errors> {
    read(text, file_name, Path::new(file_name).parent().unwrap_or(Path::new("")))
}

fn read(text: &str, file_name: &str, base: &Path) -> Result<Config, Errors> {
    let problems = Problems::of(file_name, text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let at = fault.span().map_or(0, |span| span.start);
        problems.add(at, fault.message().replace('\n', ", "));
    }
    // A walk over what a syntax error left behind would complain of what is not there.
    let config = if faults.is_empty() {
        section::document(&Section::root(document.get_ref(), &problems), base)
    } else {
        None
    };
    problems.verdict(config)
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is larger than {limit}: is it a configuration?", path.display())]
    TooLarge { path: PathBuf, limit: ByteCount },
    #[error("{} is not UTF-8 text", .0.display())]
    NotUtf8(PathBuf),
    #[error(transparent)]
    Invalid(#[from] Errors),
}

#[cfg(test)]
mod tests;
