//! Extended attributes: the read-only facts of an attachment, and those that programs attach to it (CONTRACT 6).
//! Does not list the facts: `rsync -X` and tar would copy them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use crate::library::names::attributes::{self, MIME_TYPE, OURS, is_ours};
use crate::library::publish::metadata::ORIGIN;
use crate::library::scratch::xattr;
use crate::tree::attr::AttributeMode;
use crate::tree::node::Node;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, node};
use words::attachment::{Attachment, AttachmentId, ScratchId};
use words::author::Author;
use words::place::Place;

const REFUSAL: &str = "user.mediafs.error";
/// `XATTR_NAME_MAX`
const NAME_MAX: usize = 255;

impl Tree {
    pub fn getxattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<Vec<u8>> {
        let name = name.to_str().ok_or(Error::NoAttribute)?;
        if !name.starts_with("user.") {
            return Err(Error::NotSupported);
        }
        let node = node(ino)?;
        if let Some(fenced) = self.library.fence.raised().filter(|_| name == REFUSAL) {
            return Ok(fenced.to_string().into_bytes());
        }
        let value = match node.as_model() {
            Node::Attachment(id, _) => self.attachment_attribute(who, node, id, name)?,
            Node::Trashed(id) => self.trashed_attribute(who, id, name)?,
            Node::Draft(id) => {
                let open = self.drafts.find(id).ok_or(Error::Stale)?;
                match name {
                    REFUSAL => self.refusal_of(open.place()),
                    _ => open.draft.attribute(&self.library.attributes, name)?,
                }
            }
            Node::Scratch(id) => xattr::value(&self.scratch_file(id)?, name),
            Node::Row(..) | Node::Collection(..) | Node::DropBox(_) if name == REFUSAL => {
                let folder = self.directory(ino)?.folder();
                self.library.journal.of_folder(&folder).map(|line| line.message.into_bytes())
            }
            _ => None,
        };
        value.ok_or(Error::NoAttribute)
    }

    /// The foreign attributes' names, each followed by a zero byte.
    pub fn listxattr(&self, _: Caller, ino: Ino) -> Result<Vec<u8>> {
        let names = match node(ino)?.as_model() {
            Node::Attachment(id, _) | Node::Trashed(id) => self.library.attributes.names(id)?,
            Node::Draft(id) => {
                let open = self.drafts.find(id).ok_or(Error::Stale)?;
                open.draft.attribute_names(&self.library.attributes)?
            }
            Node::Scratch(id) => {
                let names = xattr::names(&self.scratch_file(id)?).into_iter();
                names.filter(|name| name != ORIGIN).collect()
            }
            _ => Vec::new(),
        };
        Ok(names.into_iter().flat_map(|name| [name.into_bytes(), vec![0]].concat()).collect())
    }

    pub fn setxattr(
        &self,
        who: Caller,
        ino: Ino,
        name: &OsStr,
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<()> {
        self.still_named(who, ino)?;
        let name = foreign_name(name)?;
        let there = match (mode, name) {
            // Setting one of ours is ignored, on what there is.
            (_, None) => return node(ino).map(|_| ()),
            (AttributeMode::Set, _) => None,
            (_, Some(name)) => Some(self.has_attribute(ino, name)?),
        };
        match (mode, there) {
            (AttributeMode::Create, Some(true)) => return Err(Error::AttributeExists),
            (AttributeMode::Replace, Some(false)) => return Err(Error::NoAttribute),
            _ => {}
        }
        self.change_attribute(who, ino, name.unwrap_or_default(), Some(value)).map(|_| ())
    }

    pub fn removexattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<()> {
        self.still_named(who, ino)?;
        let Some(name) = foreign_name(name)? else { return Err(Error::NotPermitted) };
        if self.change_attribute(who, ino, name, None)? { Ok(()) } else { Err(Error::NoAttribute) }
    }

    /// What is set on an attachment that was replaced a moment ago is meant for its successor.
    pub(in crate::tree) fn still_named(&self, who: Caller, ino: Ino) -> Result<()> {
        let node = node(ino)?;
        match node.as_model() {
            Node::Attachment(id, _) if self.handles.open_attachment(id).is_none() => {
                self.living_at(who, node, id).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn change_attribute(
        &self,
        who: Caller,
        ino: Ino,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool> {
        let author = Self::author(who, &self.processes.owner(who.tid));
        let node = node(ino)?;
        match node.as_model() {
            Node::Attachment(id, _) => {
                let meant = || self.place_known(node).ok().flatten();
                Ok(self.library.attributes.set(id, name, value, author, meant)?)
            }
            Node::Draft(id) => {
                let open = self.drafts.find(id).ok_or(Error::Stale)?;
                Ok(open.draft.set_attribute(&self.library.attributes, name, value)?)
            }
            Node::Scratch(id) => self.set_scratch_attribute(id, name, value, author),
            Node::Row(..)
            | Node::Collection(..)
            | Node::DropBox(_)
            | Node::Table(_)
            | Node::Url(_)
            | Node::Link(_) => Err(Error::NotSupported),
            _ => Err(Error::ReadOnly),
        }
    }

    fn has_attribute(&self, ino: Ino, name: &str) -> Result<bool> {
        Ok(match node(ino)?.as_model() {
            Node::Attachment(id, _) => self.library.attributes.find(id, name)?.is_some(),
            Node::Draft(id) => {
                let open = self.drafts.find(id).ok_or(Error::Stale)?;
                open.draft.attribute(&self.library.attributes, name)?.is_some()
            }
            Node::Scratch(id) => xattr::value(&self.scratch_file(id)?, name).is_some(),
            _ => false,
        })
    }

    /// Those of scratch are the backing file's own, and bounded as those of what it may become.
    fn set_scratch_attribute(
        &self,
        id: ScratchId,
        name: &str,
        value: Option<&[u8]>,
        author: Author,
    ) -> Result<bool> {
        let file = self.scratch_file(id)?;
        if let Some(value) = value {
            let there = xattr::all(&file);
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = attributes::fits(there, name, value) {
                return Err(self.library.refusals.refuse_scratch(id, author, excess)?.into());
            }
        }
        set_file_attribute(&file, name, value)
    }

    fn scratch_file(&self, id: ScratchId) -> Result<File> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        Ok(self.library.scratch.open(&record)?)
    }

    fn attachment_attribute(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let attachment = match self.handles.open_attachment(id) {
            // As it is now: it may have been amended, or moved to another store, since it was opened.
            Some(open) => self.library.lookup.attachment(id)?.unwrap_or(open),
            None => self.living_at(who, node, id)?,
        };
        let attachment = Side::of(node).face(attachment);
        if name == REFUSAL {
            let known = self.place_known(node)?;
            let place = match known {
                None if self.handles.open_attachment(id).is_none() => self.place_of(who, node)?,
                None => return Ok(None),
                Some(place) => place,
            };
            return Ok(self.refusal_of(&place));
        }
        self.known_attribute(&attachment, name)
    }

    fn trashed_attribute(
        &self,
        who: Caller,
        id: AttachmentId,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        self.check_row_of(who, &retired)?;
        self.known_attribute(&retired.attachment, name)
    }

    /// What is the attachment's own, wherever it hangs.
    fn known_attribute(&self, attachment: &Attachment, name: &str) -> Result<Option<Vec<u8>>> {
        if name == MIME_TYPE {
            return Ok(Some(attachment.content.media_type.as_str().into()));
        }
        match name.strip_prefix(OURS) {
            Some(fact) => Ok(self.fact(attachment, fact).map(String::into_bytes)),
            None => Ok(self.library.attributes.find(attachment.id, name)?),
        }
    }

    fn refusal_of(&self, place: &Place) -> Option<Vec<u8>> {
        self.library.journal.of_place(place).map(|line| line.message.into_bytes())
    }

    /// `user.mediafs.<fact>`, as text.
    fn fact(&self, attachment: &Attachment, fact: &str) -> Option<String> {
        let content = &attachment.content;
        let size = content.dimensions;
        Some(match fact {
            "key" => attachment.blob.to_string(),
            "hash" => format!("blake3:{}", attachment.blob.digest),
            "content_type" => content.media_type.to_string(),
            "length" => content.length.to_string(),
            "width" => size?.width.to_string(),
            "height" => size?.height.to_string(),
            "ratio" => format!("{:.6}", size?.ratio()),
            "extension" => format!(".{}", content.media_type.extension()?),
            "original_filename" => attachment.original_filename.clone(),
            "timestamp" => attachment.committed.as_seconds(),
            "store" => self.library.store_names.of_blob(attachment.blob).ok()?,
            "url" => self.library.store_names.url(attachment),
            "version" => attachment.version.to_string(),
            _ => return None,
        })
    }
}

/// A name that programs may set: `None` for our own, which are ignored.
fn foreign_name(name: &OsStr) -> Result<Option<&str>> {
    if name.as_bytes().len() > NAME_MAX {
        return Err(Error::AttributeTooLong);
    }
    let name = name.to_str().ok_or(Error::NotSupported)?;
    // POSIX ACLs, capabilities and SELinux labels are not kept.
    if !name.starts_with("user.") {
        return Err(Error::NotSupported);
    }
    Ok((!is_ours(name)).then_some(name))
}

fn set_file_attribute(file: &File, name: &str, value: Option<&[u8]>) -> Result<bool> {
    let there = xattr::value(file, name).is_some();
    let changed = match value {
        Some(value) => rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty()),
        None if there => rustix::fs::fremovexattr(file, name),
        None => Ok(()),
    };
    changed.map(|()| there).map_err(|errno| match errno {
        rustix::io::Errno::OPNOTSUPP => Error::NotSupported,
        rustix::io::Errno::NOSPC | rustix::io::Errno::TOOBIG => Error::NoSpace,
        other => super::files::failed(other.into()),
    })
}
