//! An attachment: an inode with one blob, attributes and times; and the keys and numbers of its parts.

use std::fmt;

use crate::digest::Digest;
use crate::dimensions::Dimensions;
use crate::media_type::MediaType;
use crate::timestamp::Timestamp;

/// The key of one blob for ever: the digest of its bytes and a generation. A key is never written twice and never used again
/// after its blob is deleted, so that a late delete cannot hit a new blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    /// The store that holds the blob. It is no part of the text of a key: generations are unique over all stores.
    pub store: StoreId,
    pub digest: Digest,
    pub generation: u64,
}

impl BlobKey {
    /// Accepts what `Display` prints, `<64 hexadecimal digits>.<generation>`, as the key of a blob in this store.
    pub fn parse(store: StoreId, text: &str) -> Option<Self> {
        let (digest, generation) = text.split_once('.')?;
        let digest = Digest::parse(digest)?;
        let key = Self { store, digest, generation: generation.parse().ok()? };
        (key.to_string() == text).then_some(key)
    }

    /// The path of the blob in its store, and behind the base of its public URL: `1f/1f2e...9a.7`. It needs no encoding.
    pub fn path(&self) -> String {
        let [first, ..] = *self.digest.as_bytes();
        format!("{first:02x}/{self}")
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.digest, self.generation)
    }
}

// Numbers that the catalogue gives out and never uses again, so that inode numbers made of them are stable and unique.

/// A table of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u64);

/// A field of a table. The catalogue keeps the number also while the field is not configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u64);

/// A blob store; 0 is the library's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u64);

/// A row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// An attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttachmentId(pub u64);

/// A rendered variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantId(pub u64);

/// A scratch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScratchId(pub u64);

/// Owner, group and permission bits, as `stat` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    pub uid: u32,
    pub gid: u32,
    /// The lower twelve bits of `st_mode`.
    pub mode: u32,
}

/// A new file in a directory with this bit gets the directory's group, and a new directory the bit too (`inode(7)`).
const SET_GROUP_ID: u32 = 0o2000;

impl Access {
    /// The access of a new file in a directory with this access.
    #[must_use]
    pub fn of_file_inside(self, asked: Self) -> Self {
        let inherits = self.mode & SET_GROUP_ID != 0;
        Self { gid: if inherits { self.gid } else { asked.gid }, ..asked }
    }

    /// The access of a new directory in a directory with this access.
    #[must_use]
    pub fn of_directory_inside(self, asked: Self) -> Self {
        let mode = asked.mode | self.mode & SET_GROUP_ID;
        Self { mode, ..self.of_file_inside(asked) }
    }
}

/// `st_atime`, `st_mtime`, `st_ctime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub accessed: Timestamp,
    pub modified: Timestamp,
    pub changed: Timestamp,
}

impl Times {
    pub fn all(at: Timestamp) -> Self {
        Self { accessed: at, modified: at, changed: at }
    }
}

/// A change by `chmod`, `chown` or `utimens`. `None` leaves a part as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amendment {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mode: Option<u32>,
    pub accessed: Option<Timestamp>,
    pub modified: Option<Timestamp>,
}

impl Amendment {
    /// Applies the parts that are given; `changed` becomes `now`.
    pub fn apply(self, access: &mut Access, times: &mut Times, now: Timestamp) {
        access.uid = self.uid.unwrap_or(access.uid);
        access.gid = self.gid.unwrap_or(access.gid);
        access.mode = self.mode.unwrap_or(access.mode);
        times.accessed = self.accessed.unwrap_or(times.accessed);
        times.modified = self.modified.unwrap_or(times.modified);
        times.changed = now;
    }
}

/// Type, length and dimensions of a blob, the same for every attachment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub media_type: MediaType,
    /// Bytes.
    pub length: u64,
    /// Only of images.
    pub dimensions: Option<Dimensions>,
}

/// The bytes of an attachment as they were sent, before they were normalised (`keep_original`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub blob: BlobKey,
    pub content: Content,
}

/// An attachment as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: AttachmentId,
    pub blob: BlobKey,
    pub content: Content,
    pub access: Access,
    pub times: Times,
    /// The time of the commit.
    pub committed: Timestamp,
    /// 1 for the first attachment of a slot; rises by one with each commit.
    pub version: u64,
    /// The name that the client wrote, `IMG_1234.JPG`.
    pub original_filename: String,
    /// The URL that the file was downloaded from.
    pub source: Option<String>,
    /// The file as it was sent, if the field keeps it.
    pub original: Option<Box<Original>>,
    /// How many slots link it: `st_nlink`. 0 while it is held or in the trash.
    pub links: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_key_prints_as_digest_and_generation_and_parses_back() {
        let key = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 7 };
        assert_eq!(BlobKey::parse(StoreId(0), &key.to_string()), Some(key));
        assert_eq!(BlobKey::parse(StoreId(0), &format!("{}.07", key.digest)), None);
        assert_eq!(BlobKey::parse(StoreId(0), "../x.1"), None);
    }

    #[test]
    fn a_set_group_id_directory_gives_its_group_and_to_directories_the_bit() {
        let asked = Access { uid: 1, gid: 2, mode: 0o640 };
        let directory = |mode| Access { uid: 8, gid: 9, mode };
        let shared = directory(0o2775);
        assert_eq!(shared.of_file_inside(asked), Access { gid: 9, ..asked });
        assert_eq!(shared.of_directory_inside(asked), Access { gid: 9, mode: 0o2640, ..asked });
        let plain = directory(0o775);
        assert_eq!((plain.of_file_inside(asked), plain.of_directory_inside(asked)), (asked, asked));
    }

    #[test]
    fn an_amendment_changes_only_what_it_names() {
        let mut access = Access { uid: 1, gid: 2, mode: 0o644 };
        let mut times = Times::all(Timestamp(5));
        let amendment = Amendment { mode: Some(0o600), ..Amendment::default() };
        amendment.apply(&mut access, &mut times, Timestamp(9));
        assert_eq!(access, Access { uid: 1, gid: 2, mode: 0o600 });
        assert_eq!((times.modified, times.changed), (Timestamp(5), Timestamp(9)));
    }
}
