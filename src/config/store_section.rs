//! `[stores.<name>]`: the stores beside the library's own, and the fields that name them.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::library_section::Library;
use super::section::Section;
use super::{section_name, value};
use words::slot::Name;

/// The name of the library's own store in messages.
const OWN: &str = "default";

/// A directory for the blobs of the fields that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub name: Name,
    /// A relative path counts from the directory of the configuration file.
    pub path: PathBuf,
    /// Without a trailing slash.
    pub base_url: Option<String>,
}

/// The stores of a configuration.
pub(super) struct Declared {
    pub stores: Vec<Store>,
    /// The names of all stores, also of those whose sections have mistakes, so that fields may name them.
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
            let name = section_name::checked(name, &section);
            if name.as_ref().is_some_and(|name| name.as_str() == OWN) {
                section.reject("the library's own store is called so; choose another name");
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
    let path = section.key("path", value::directory);
    if !section.has("path") {
        section.missing("path", "say where its files are kept, such as path = \"/mnt/archive\"");
    }
    let base_url = section.key("base_url", value::base_url);
    section.finish();
    Some((base.join(path?).components().collect(), base_url))
}

/// The store that a field names. Errors: it is not one of these.
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
