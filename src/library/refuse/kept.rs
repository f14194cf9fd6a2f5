//! One entry of the quarantine on the disk: a directory with the bytes and the reason why they are there.
//!
//! The reason is written first. The bytes come last, by one link, so that an entry with bytes has its reason even after a crash;
//! an entry without bytes is removed at the next start. If the reason cannot be read (a newer mediafs wrote it, or the disk is
//! bad), the bytes stay, and the entry says what is known.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fd;
use words::refusal::{RefusalId, Rule};
use words::timestamp::Timestamp;

/// The name of the reason beside the bytes.
pub const REASON: &str = "reason.json";

/// Kept bytes, with the reason why they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: String,
    /// The file's name in the quarantine: the field's, with the extension that the client wrote.
    pub name: String,
    /// The slot that the file was sent to, `user/42/avatar`.
    pub path: String,
    pub uid: u32,
    /// [`Rule::Unreadable`] if `reason.json` cannot be read.
    pub rule: Rule,
    pub message: String,
    pub hint: String,
    pub length: u64,
    pub time: Timestamp,
}

impl Kept {
    /// The text of `reason.json`, as the mount shows it even if the file on the disk cannot be read.
    pub fn reason(&self) -> String {
        // A struct of texts and numbers always becomes JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Makes an entry in `folder`, which must not exist. Durable when it returns; on an error the bytes have no name there.
pub(super) fn make(folder: &Path, bytes: &File, kept: &Kept) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let made = write_reason(folder, kept).and_then(|()| place(bytes, folder, kept));
    made.inspect_err(|_| {
        // The source still has the bytes. The next start removes a directory that remains here.
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

/// Reads an entry. None if there are no bytes in it.
pub(super) fn read(folder: &Path, id: RefusalId) -> io::Result<Option<Kept>> {
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
    let (known, why) = match text.and_then(|text| Ok(serde_json::from_str(&text)?)) {
        Ok(known) => (known, "it is not as this version of mediafs writes it".to_owned()),
        Err(error) => (Value::Null, error.to_string()),
    };
    let text_of = |key: &str| known.get(key).and_then(Value::as_str).map(str::to_owned);
    let path = text_of("path").unwrap_or_else(|| format!("?/{name}"));
    let said =
        text_of("message").map_or_else(String::new, |message| format!("; it says: {message}"));
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

/// The largest file beside the reason.
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

/// Removes an entry: the bytes first, so that no bytes are left without their reason.
pub(super) fn remove(folder: &Path, kept: &Kept) -> io::Result<()> {
    match fs::remove_file(folder.join(&kept.name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir_all(folder),
    }
}

/// Removes an entry without bytes. Errors: `DirectoryNotEmpty` if anything but a reason lies in it.
pub(super) fn tidy(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != REASON {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
    }
    fs::remove_dir_all(folder)
}
