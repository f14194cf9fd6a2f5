//! `[library]`: where things are kept, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::section::Section;
use super::{quota_section, value};

const HOLD: Duration = Duration::from_secs(60);
const SCRATCH: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// A relative path counts from the directory of the configuration file.
    pub path: PathBuf,
    /// Without a trailing slash.
    pub base_url: Option<String>,
    /// How long an attachment without a name is held, so that a program that deletes before it writes gets it back.
    pub hold: Duration,
    /// How long a removed attachment lies in the trash.
    pub trash: Duration,
    /// How long a scratch file lives.
    pub scratch: Duration,
}

/// `None` if the path is missing or wrong.
pub(super) fn read(section: &Section<'_>, base: &Path) -> Option<Library> {
    let hint = "say where everything is kept, such as path = \"/var/lib/mediafs\"";
    let path = section.required("path", hint, value::directory);
    let base_url = section.key("base_url", value::base_url);
    let hold = section.key("hold", value::duration).unwrap_or(HOLD);
    let scratch = section.key("scratch", lifetime).unwrap_or(SCRATCH);
    let trash = section.key("trash", value::duration).unwrap_or_default();
    quota_section::elsewhere(section);
    section.refuse("report", "not yet supported");
    section.finish();
    let path = base.join(path?).components().collect();
    Some(Library { path, base_url, hold, trash, scratch })
}

fn lifetime(value: &DeValue<'_>) -> Result<Duration, String> {
    let span = value::span(value)?;
    if span.is_zero() {
        return Err("scratch must live for a while; 24h is usual".into());
    }
    Ok(span)
}
