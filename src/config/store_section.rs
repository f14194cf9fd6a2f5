//! `[stores.<name>]`: the stores beside the library's own, and the fields that name them.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::library_section::Library;
use super::section::Section;
use super::value;
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

/// Reads the stores. The names are those of all stores, also of those whose sections have mistakes, so that fields may name them.
pub(super) fn read(
    section: &Section<'_>,
    base: &Path,
    library: Option<&Library>,
) -> (Vec<Store>, Vec<Name>) {
    let (mut stores, mut names) = (Vec::new(), Vec::new());
    for (name, section) in section.sections() {
        let name = section.name(name);
        if name.as_ref().is_some_and(|name| name.as_str() == OWN) {
            section.reject("the library's own store is called so; choose another name");
        }
        names.extend(name.clone());
        let hint = "say where its files are kept, such as path = \"/mnt/archive\"";
        let path = section.required("path", hint, value::directory);
        let base_url = section.key("base_url", value::base_url);
        section.finish();
        let Some(path) = path else { continue };
        let path: PathBuf = base.join(path).components().collect();
        check_place(&section, &path, library, &stores);
        stores.extend(name.map(|name| Store { name, path, base_url }));
    }
    (stores, names)
}

fn check_place(section: &Section<'_>, path: &Path, library: Option<&Library>, others: &[Store]) {
    if library.is_some_and(|library| library.path == path) {
        section.complain("path", "the library itself lies there; choose another directory");
    }
    if let Some(other) = others.iter().find(|other| other.path == path) {
        let reason = format!("the store `{}` lies there; choose another directory", other.name);
        section.complain("path", &reason);
    }
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
