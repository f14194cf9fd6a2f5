//! Extended attributes of a path, read and set by system calls.

use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
use rustix::io::Errno;

/// The buffer of a read, larger than any value or list.
const ROOM: usize = 1 << 17;

pub fn value(path: &Path, name: &str) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; ROOM];
    let length = getxattr(path, name, &mut buffer[..])?;
    buffer.truncate(length);
    Ok(buffer)
}

/// The value as text. Empty if the file has no such attribute.
pub fn text(path: &Path, name: &str) -> String {
    String::from_utf8(value(path, name).unwrap_or_default()).expect("UTF-8")
}

pub fn set(path: &Path, name: &str, value: &[u8]) -> Result<(), Errno> {
    setxattr(path, name, value, XattrFlags::empty())
}

/// The names of the attributes of a file.
pub fn listed(path: &Path) -> Vec<String> {
    let mut buffer = vec![0; ROOM];
    let length = listxattr(path, &mut buffer[..]).expect("listxattr");
    split(&buffer[..length])
}

/// The names in the answer of listxattr(2), which ends each with a zero.
pub fn split(names: &[u8]) -> Vec<String> {
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8(name.to_vec()).expect("UTF-8")).collect()
}
