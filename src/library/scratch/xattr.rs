//! Extended attributes of files on the backing disk: the `user.*` attributes that were set on scratch, if its filesystem has any.

use std::fs::File;

/// The most bytes of one attribute, or of all names.
const MAX_BYTES: usize = 64 << 10;

/// All `user.*` attributes of a file.
pub fn all(file: &File) -> Vec<(String, Vec<u8>)> {
    let with_value = |name: String| value(file, &name).map(|value| (name, value));
    names(file).into_iter().filter_map(with_value).collect()
}

/// The names of a file's `user.*` attributes.
pub fn names(file: &File) -> Vec<String> {
    let mut buffer = vec![0_u8; MAX_BYTES];
    let Ok(length) = rustix::fs::flistxattr(file, &mut buffer[..]) else { return Vec::new() };
    let names = buffer[..length].split(|&byte| byte == 0);
    names
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| name.starts_with("user."))
        .map(str::to_owned)
        .collect()
}

/// The value of one attribute.
pub fn value(file: &File, name: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0_u8; MAX_BYTES];
    let length = rustix::fs::fgetxattr(file, name, &mut buffer[..]).ok()?;
    buffer.truncate(length);
    Some(buffer)
}

/// Sets attributes, as far as the filesystem takes them.
pub fn set_all(file: &File, attributes: &[(String, Vec<u8>)]) {
    for (name, value) in attributes {
        let flags = rustix::fs::XattrFlags::empty();
        if let Err(error) = rustix::fs::fsetxattr(file, name, value, flags) {
            tracing::debug!(name, %error, "an attribute does not fit on the backing disk");
        }
    }
}
