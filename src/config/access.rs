//! The keys that fix owner, group and modes, of a table and of the mount.
//! Does not know what they do (`words::access` does), nor how users are looked up (`owner` does).

use toml::de::DeValue;

use super::reader::Section;
use super::{owner, value};
use words::access::Policy;

/// `[mount]` has one word for user and group.
pub(super) fn of_mount(section: &Section<'_>) -> Policy {
    let (uid, gid) = section.key("owner", whole).unzip();
    Policy { uid, gid, ..modes(section) }
}

/// Of a table a group may be fixed alone, for users who share one.
pub(super) fn of_table(section: &Section<'_>) -> Policy {
    let group = section.key("group", group);
    let (uid, gid) = if section.has("group") {
        (section.key("owner", alone), group)
    } else {
        section.key("owner", whole).unzip()
    };
    Policy { uid, gid, ..modes(section) }
}

fn modes(section: &Section<'_>) -> Policy {
    Policy {
        file_mode: section.key("file_mode", value::mode),
        dir_mode: section.key("dir_mode", value::mode),
        ..Policy::default()
    }
}

/// A user with a group: the one that is written, or the user's own.
fn whole(value: &DeValue<'_>) -> Result<(u32, u32), String> {
    owner::resolve(user(value)?)
}

/// A user whose group is said elsewhere.
fn alone(value: &DeValue<'_>) -> Result<u32, String> {
    let written = user(value)?;
    if written.contains(':') {
        return Err(format!("\"{written}\" names a group, and so does `group`; say it once"));
    }
    owner::user(written)
}

fn user<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value::string(value, "a user such as \"www-data\" or \"1000:1000\"")
}

fn group(value: &DeValue<'_>) -> Result<u32, String> {
    owner::group(value::string(value, "a group such as \"www-data\" or \"1000\"")?)
}
