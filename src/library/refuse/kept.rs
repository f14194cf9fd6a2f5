//! One entry of the quarantine on the disk: a directory with the bytes and, beside them, why they are there.
//!
//! The reason is written first and the bytes come last, by one link: an entry with bytes has its reason, also after a crash, and
//! what has no bytes is nobody's. A reason that cannot be read all the same (of a newer mediafs, on a bad disk) takes no bytes
//! with it: the entry says what is known.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fd;
use words::refusal::{RefusalId, Rule};
use words::timestamp::Timestamp;

pub const REASON: &str = "reason.json";

/// Kept bytes with the reason they are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: String,
    /// The file's name in the quarantine: the field's, with the extension it was written with.
    pub name: String,
    /// Where it was going, `user/42/avatar`.
    pub path: String,
    pub uid: u32,
    /// [`Rule::Unreadable`] where `reason.json` does not tell.
    pub rule: Rule,
    pub message: String,
    pub hint: String,
    pub length: u64,
    pub time: Timestamp,
}

impl Kept {
    /// `reason.json`, which the mount shows also where that on the disk cannot be read.
    pub fn reason(&self) -> String {
        // Texts and numbers: there is nothing in it that JSON cannot have.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Makes the entry in `folder`, which must not be there. Durable when it returns; on an error the bytes have no name there.
pub(crate) fn lay(folder: &Path, bytes: &File, kept: &Kept) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let laid = write_reason(folder, kept).and_then(|()| place(bytes, folder, kept));
    laid.inspect_err(|_| {
        // The bytes are still where they came from. What remains here is tidied up at the next start.
        let _ = fs::remove_dir_all(folder);
    })
}

fn write_reason(folder: &Path, kept: &Kept) -> io::Result<()> {
    let mut reason =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(REASON))?;
    reason.write_all(kept.reason().as_bytes())?;
    reason.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Links the bytes if they lie on the same disk, else a copy of them.
fn place(bytes: &File, folder: &Path, kept: &Kept) -> io::Result<()> {
    let path = folder.join(&kept.name);
    bytes.sync_all()?;
    if fd::link(bytes, &path).is_err() {
        let copy = fd::nameless(folder, 0o600)?;
        fd::copy(bytes, &copy, kept.length)?;
        copy.sync_all()?;
        fd::link(&copy, &path)?;
    }
    File::open(folder)?.sync_all()?;
    folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
}

/// What an entry holds; none if there are no bytes in it.
pub(crate) fn read(folder: &Path, id: RefusalId) -> io::Result<Option<Kept>> {
    let text = fs::read_to_string(folder.join(REASON));
    if let Ok(text) = &text
        && let Ok(kept) = serde_json::from_str::<Kept>(text)
        && folder.join(&kept.name).try_exists()?
    {
        return Ok(Some(kept));
    }
    let Some((name, length)) = largest_file(folder)? else { return Ok(None) };
    let meta = fs::metadata(folder)?;
    let time = Timestamp::from(meta.modified()?);
    let (known, why) = match text {
        Err(error) => (Value::Null, error.to_string()),
        Ok(text) => match serde_json::from_str(&text) {
            Ok(known) => (known, "it is not as this version of mediafs writes it".to_owned()),
            Err(error) => (Value::Null, error.to_string()),
        },
    };
    let told = |key: &str| known.get(key).and_then(Value::as_str).map(str::to_owned);
    let path = told("path").unwrap_or_else(|| format!("?/{name}"));
    let said = told("message").map_or_else(String::new, |message| format!("; it says: {message}"));
    let uid = known.get("uid").and_then(Value::as_u64).and_then(|uid| uid.try_into().ok());
    Ok(Some(Kept {
        id: id.to_string(),
        message: format!("{path}: reason unreadable ({why}){said}"),
        hint: "move the file onto a field, or drop it if nobody wants it back".into(),
        uid: uid.unwrap_or_else(|| meta.uid()),
        rule: Rule::Unreadable,
        name,
        path,
        length,
        time,
    }))
}

/// The file beside the reason; should there be several, the largest.
fn largest_file(folder: &Path) -> io::Result<Option<(String, u64)>> {
    let mut largest: Option<(String, u64)> = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, meta) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata()?);
        let larger = largest.as_ref().is_none_or(|(_, length)| *length < meta.len());
        if meta.is_file() && name != REASON && larger {
            largest = Some((name, meta.len()));
        }
    }
    Ok(largest)
}

/// Removes an entry: the bytes first, so that none are left without their reason.
pub(crate) fn remove(folder: &Path, kept: &Kept) -> io::Result<()> {
    match fs::remove_file(folder.join(&kept.name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir_all(folder),
    }
}

/// Removes what is left of an entry without bytes. Whatever else lies there keeps it.
pub(crate) fn tidy(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != REASON {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
    }
    fs::remove_dir_all(folder)
}
