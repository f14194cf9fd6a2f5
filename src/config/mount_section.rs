//! `[mount]`: how the tree is mounted.

use toml::de::DeValue;

use super::section::Section;
use super::{access_keys, value};
use words::access::Policy;
use words::normal_form::NormalForm;

const MAX_THREADS: i64 = 64;
const FORMS: [(&str, NormalForm); 2] =
    [("nfc", NormalForm::Composed), ("none", NormalForm::AsWritten)];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Whether users other than the mounting one may enter.
    pub allow_other: bool,
    /// Threads that serve the kernel, 1 to 64. `None` is a number that suits the machine.
    pub threads: Option<usize>,
    /// The Unicode form of names.
    pub names: NormalForm,
    /// Owner, group and modes in tables without their own.
    pub access: Policy,
}

pub(super) fn read(section: &Section<'_>) -> Mount {
    let mount = Mount {
        allow_other: section.key("allow_other", value::boolean).unwrap_or(false),
        threads: section.key("threads", |value| value::whole(value, 1, MAX_THREADS)),
        names: section.key("normalize", |value| value::one_of(value, &FORMS)).unwrap_or_default(),
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
