//! The keys of `[mount]` and of tables that fix owner, group and modes.

use toml::de::DeValue;

use super::section::Section;
use super::users::Users;
use super::value;
use words::access::Policy;

/// The policy of the mount, which has one key for user and group.
pub(super) fn of_mount(section: &Section<'_>) -> Policy {
    let (uid, gid) = section.key("owner", user_and_group).unzip();
    Policy { uid, gid, ..modes(section) }
}

/// The policy of a table, which may fix a group alone, for users who share it.
pub(super) fn of_table(section: &Section<'_>) -> Policy {
    let group = section.key("group", group);
    let (uid, gid) = if section.has("group") {
        (section.key("owner", user_alone), group)
    } else {
        section.key("owner", user_and_group).unzip()
    };
    Policy { uid, gid, ..modes(section) }
}

fn modes(section: &Section<'_>) -> Policy {
    Policy {
        file_mode: section.key("file_mode", value::mode),
        dir_mode: section.key("dir_mode", value::dir_mode),
        ..Policy::default()
    }
}

/// A user with a group: the one that is written, or the user's own.
fn user_and_group(value: &DeValue<'_>) -> Result<(u32, u32), String> {
    Users::read().resolve(user(value)?)
}

/// A user whose group is the value of another key.
fn user_alone(value: &DeValue<'_>) -> Result<u32, String> {
    let written = user(value)?;
    if written.contains(':') {
        return Err(format!("\"{written}\" names a group, and so does `group`; say it once"));
    }
    Users::read().user(written)
}

fn user<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value::string(value, "a user such as \"www-data\" or \"1000:1000\"")
}

fn group(value: &DeValue<'_>) -> Result<u32, String> {
    Users::read().group(value::string(value, "a group such as \"www-data\" or \"1000\"")?)
}
