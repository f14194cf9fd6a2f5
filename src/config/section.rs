//! The sections of the configuration beside the fields: which keys each has, and their defaults.
//! Does not know how a value is written (`value`) nor what a field's rules are (`field`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::boxes;
use super::reader::Section;
use super::{Cache, Config, Library, Mount, access, field, quota, store, value};
use crate::fetch;
use crate::fetch::address::Allowed;
use words::byte_count::ByteCount;
use words::quarantine_bounds::Bounds;
use words::schema::{IdRule, Schema, Table};
use words::slot::Name;

const HOLD: Duration = Duration::from_secs(60);
const SCRATCH: Duration = Duration::from_secs(24 * 3600);
const CACHE: ByteCount = ByteCount(1 << 30);
const MAX_THREADS: i64 = 64;
const MAX_NAME: usize = 40;
const MAX_PATIENCE: Duration = Duration::from_secs(3600);
/// Entries of the quarantine: each is known in memory.
const MAX_KEPT: i64 = 1_000_000;

/// Reads the whole file. `None` where something that has no default is missing; the problems say what.
pub(super) fn document(root: &Section<'_>, base: &Path) -> Option<Config> {
    let library = root.section("library").and_then(|section| library(&section, base));
    if !root.has("library") {
        root.missing("[library]", "it needs at least `path`, where everything is kept");
    }
    let mount = root.section("mount").as_ref().map_or_else(Mount::default, mount);
    let cache = root.section("cache").as_ref().map_or_else(Cache::default, cache);
    let quarantine = root.section("quarantine").as_ref().map_or_else(Bounds::default, quarantine);
    let stores = root.section("stores").map(|section| section.sections()).unwrap_or_default();
    let stores = store::Declared::read(stores, base, library.as_ref());
    let tables =
        root.section("tables").map_or_else(Vec::new, |section| tables(&section, &stores.names));
    if !root.has("tables") {
        root.missing("[tables]", "declare a table, such as [tables.user]");
    }
    let quotas = root.section("quotas").map(|section| quota::read(&section, &tables));
    let quotas = quotas.unwrap_or_default();
    let boxes = root.section("boxes").map(|section| boxes::read(&section, &tables));
    let boxes = boxes.unwrap_or_default();
    let fetch = root.section("fetch").as_ref().map_or_else(fetch::Policy::default, self::fetch);
    root.finish();
    let (stores, schema) = (stores.stores, Schema { tables, boxes });
    Some(Config { library: library?, stores, mount, cache, fetch, quarantine, quotas, schema })
}

fn library(section: &Section<'_>, base: &Path) -> Option<Library> {
    let path = section.key("path", directory);
    if !section.has("path") {
        section
            .missing("path", "say where everything is kept, such as path = \"/var/lib/mediafs\"");
    }
    let base_url = section.key("base_url", base_url);
    let hold = section.key("hold", value::duration).unwrap_or(HOLD);
    let scratch = section.key("scratch", lifetime).unwrap_or(SCRATCH);
    let trash = section.key("trash", value::duration).unwrap_or_default();
    quota::elsewhere(section);
    section.later("report");
    section.finish();
    let path = base.join(path?).components().collect();
    Some(Library { path, base_url, hold, trash, scratch })
}

pub(super) fn directory(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let written = value::text(value)?;
    if written.is_empty() || written.contains('\0') {
        return Err("expected the path of a directory".into());
    }
    Ok(PathBuf::from(written))
}

fn lifetime(value: &DeValue<'_>) -> Result<Duration, String> {
    let span = value::duration(value)?;
    if span.is_zero() {
        return Err("scratch must live for a while; 24h is usual".into());
    }
    Ok(span)
}

pub(super) fn base_url(value: &DeValue<'_>) -> Result<String, String> {
    let written = value::text(value)?;
    let rest = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://"));
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() && rest.bytes().all(plain) => {
            Ok(written.trim_end_matches('/').to_owned())
        }
        _ => {
            Err("expected an address such as \"https://media.example.org\", without ? or #".into())
        }
    }
}

fn mount(section: &Section<'_>) -> Mount {
    let default = Mount::default();
    let threads = |value: &DeValue<'_>| {
        let number = value::whole(value, 1, MAX_THREADS)?;
        usize::try_from(number).map_err(|error| error.to_string())
    };
    let mount = Mount {
        allow_other: section.key("allow_other", value::boolean).unwrap_or(default.allow_other),
        threads: section.key("threads", threads),
        access: access::of_mount(section),
    };
    section.later_unless("read_only", |value| value.as_bool() == Some(false));
    section.finish();
    mount
}

fn cache(section: &Section<'_>) -> Cache {
    let size = section.key("size", value::size).unwrap_or(CACHE);
    section.finish();
    Cache { size }
}

impl Default for Cache {
    fn default() -> Self {
        Self { size: CACHE }
    }
}

fn fetch(section: &Section<'_>) -> fetch::Policy {
    let default = fetch::Policy::default();
    let policy = fetch::Policy {
        allow: section.list("allow", allowed).unwrap_or_default(),
        max_size: section.key("max_size", value::size),
        timeout: section.key("timeout", patience).unwrap_or(default.timeout),
    };
    if policy.max_size == Some(ByteCount(0)) {
        section.complain("max_size", "nothing could ever be fetched");
    }
    section.finish();
    policy
}

fn allowed(value: &DeValue<'_>) -> Result<Allowed, String> {
    let wanted = "a range such as \"192.168.0.0/16\", or a host such as \"cdn.internal\"";
    let written = value::string(value, wanted)?;
    Allowed::parse(written).map_err(|error| format!("{error}; found \"{written}\""))
}

/// Whoever writes the URL waits for it.
fn patience(value: &DeValue<'_>) -> Result<Duration, String> {
    let span = value::duration(value)?;
    if span.is_zero() || span > MAX_PATIENCE {
        return Err("a download takes from 1s to 1h".into());
    }
    Ok(span)
}

fn quarantine(section: &Section<'_>) -> Bounds {
    let default = Bounds::default();
    let count = |value: &DeValue<'_>| {
        let number = value::whole(value, 1, MAX_KEPT)?;
        usize::try_from(number).map_err(|error| error.to_string())
    };
    let bounds = Bounds {
        age: section.key("age", value::duration).unwrap_or(default.age),
        count: section.key("count", count).unwrap_or(default.count),
        bytes: section.key("size", value::size).map_or(default.bytes, |size| size.0),
    };
    section.finish();
    bounds
}

fn tables(section: &Section<'_>, stores: &[Name]) -> Vec<Table> {
    let children = section.sections();
    if children.is_empty() {
        section.misnamed("no table is declared; write a section such as [tables.user]");
    }
    children.iter().filter_map(|(name, child)| table(name, child, stores)).collect()
}

fn table(name: &str, section: &Section<'_>, stores: &[Name]) -> Option<Table> {
    let name = checked_name(name, section);
    let rules = [("integer", IdRule::Integer), ("uuid", IdRule::Uuid), ("name", IdRule::Name)];
    let id = section.key("id", |value| value::one_of(value, &rules));
    if !section.has("id") {
        section.missing("id", "say what a row is called: id = \"integer\", \"uuid\" or \"name\"");
    }
    let children = section.section("fields").map(|fields| fields.sections()).unwrap_or_default();
    if children.is_empty() {
        section.misnamed("the table has no field, so nothing could be written to it");
    }
    let fields = children.iter().filter_map(|(name, child)| {
        let name = checked_name(name, child);
        field::read(name?, child, stores)
    });
    let fields = fields.collect();
    let access = access::of_table(section);
    quota::elsewhere(section);
    section.later("max_rows");
    section.finish();
    Some(Table { name: name?, id: id?, access, fields })
}

/// Names of tables and fields are a part of every path, of URLs and of `field@spec.ext`.
pub(super) fn checked_name(written: &str, section: &Section<'_>) -> Option<Name> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let valid = (1..=MAX_NAME).contains(&written.len()) && written.bytes().all(plain);
    if !valid {
        section.misnamed(
            "a table, field or store is named by 1 to 40 of the characters a-z, 0-9, _ and -",
        );
        return None;
    }
    Name::parse(written).map_err(|error| section.misnamed(&error.to_string())).ok()
}
