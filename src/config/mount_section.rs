//! `[mount]`: how the tree is mounted.

use toml::de::DeValue;

use super::section::Section;
use super::{access_keys, value};
use words::access::Policy;

const MAX_THREADS: i64 = 64;

/// The ways to a read-only mount, for the message on `read_only = true`.
const READ_ONLY: &str = "; mount with `mediafs mount --read-only`, or with `-o ro`";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Whether users other than the one who mounts may enter.
    pub allow_other: bool,
    /// Threads that serve the kernel, 1 to 64. `None` is a number that suits the machine.
    pub threads: Option<usize>,
    /// Owner, group and modes in tables that do not fix their own.
    pub access: Policy,
}

pub(super) fn read(section: &Section<'_>) -> Mount {
    let default = Mount::default();
    let threads = |value: &DeValue<'_>| {
        let number = value::whole(value, 1, MAX_THREADS)?;
        usize::try_from(number).map_err(|error| error.to_string())
    };
    let mount = Mount {
        allow_other: section.key("allow_other", value::boolean).unwrap_or(default.allow_other),
        threads: section.key("threads", threads),
        access: access_keys::of_mount(section),
    };
    section.unsupported_unless("read_only", READ_ONLY, |value| value.as_bool() == Some(false));
    section.finish();
    mount
}
