//! `[mount]`: how the tree is mounted.

use toml::de::DeValue;

use super::section::Section;
use super::{access_keys, value};
use words::access::Policy;

const MAX_THREADS: i64 = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Whether users other than the mounting one may enter.
    pub allow_other: bool,
    /// Threads that serve the kernel, 1 to 64. `None` is a number that suits the machine.
    pub threads: Option<usize>,
    /// Owner, group and modes in tables without their own.
    pub access: Policy,
}

pub(super) fn read(section: &Section<'_>) -> Mount {
    let mount = Mount {
        allow_other: section.key("allow_other", value::boolean).unwrap_or(false),
        threads: section.key("threads", |value| value::whole(value, 1, MAX_THREADS)),
        access: access_keys::of_mount(section),
    };
    section.key("read_only", writable);
    section.finish();
    mount
}

/// Accepts `false` alone: one configuration serves the mount that writes and those that only read.
fn writable(value: &DeValue<'_>) -> Result<(), String> {
    if value::boolean(value)? {
        return Err("mount with `mediafs mount --read-only` instead, or with `-o ro`".into());
    }
    Ok(())
}
