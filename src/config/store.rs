//! The stores beside the library's own: which keys each has, and which fields may name it.
//! Does not look at the directories.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::reader::Section;
use super::section::{base_url, checked_name, directory};
use super::{Library, Store, value};
use words::slot::Name;

/// What the library's own store is called where a store is told.
const OWN: &str = "default";

/// The stores of a configuration.
pub(super) struct Declared {
    pub stores: Vec<Store>,
    /// Also of those in whose sections something is wrong: a field that names one is right to.
    pub names: Vec<Name>,
}

impl Declared {
    pub fn read(
        sections: Vec<(&str, Section<'_>)>,
        base: &Path,
        library: Option<&Library>,
    ) -> Self {
        let mut declared = Self { stores: Vec::new(), names: Vec::new() };
        for (name, section) in sections {
            let name = checked_name(name, &section);
            if name.as_ref().is_some_and(|name| name.as_str() == OWN) {
                section.misnamed("the library's own store is called so; choose another name");
            }
            declared.names.extend(name.clone());
            let Some((path, base_url)) = store(&section, base) else { continue };
            declared.check_place(&section, &path, library);
            declared.stores.extend(name.map(|name| Store { name, path, base_url }));
        }
        declared
    }

    fn check_place(&self, section: &Section<'_>, path: &Path, library: Option<&Library>) {
        if library.is_some_and(|library| library.path == path) {
            section.complain("path", "the library itself lies there; choose another directory");
        }
        if let Some(other) = self.stores.iter().find(|other| other.path == path) {
            let reason = format!("the store `{}` lies there; choose another directory", other.name);
            section.complain("path", &reason);
        }
    }
}

fn store(section: &Section<'_>, base: &Path) -> Option<(PathBuf, Option<String>)> {
    let path = section.key("path", directory);
    if !section.has("path") {
        section.missing("path", "say where its files are kept, such as path = \"/mnt/archive\"");
    }
    let base_url = section.key("base_url", base_url);
    section.finish();
    Some((base.join(path?).components().collect(), base_url))
}

/// The store that a field names, which must be one of these.
pub(super) fn named(value: &DeValue<'_>, stores: &[Name]) -> Result<Name, String> {
    let written = value::text(value)?;
    let found = stores.iter().find(|name| name.as_str() == written);
    found.cloned().ok_or_else(|| {
        let known: Vec<_> = stores.iter().map(|name| format!("`{name}`")).collect();
        let hint = if known.is_empty() {
            format!("declare it as [stores.{written}]")
        } else {
            format!("the stores are {}", known.join(", "))
        };
        format!("there is no store `{written}`; {hint}")
    })
}
