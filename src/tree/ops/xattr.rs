//! Extended attributes: the read-only facts of an attachment, and those that programs set (CONTRACT 6). Facts are not listed:
//! `rsync -X` and tar would copy them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::library::limit::permission::Act;
use crate::library::names::attributes::{MIME_TYPE, OURS, is_ours};
use crate::library::publish::metadata::ORIGIN;
use crate::library::scratch::xattr;
use crate::tree::error::{Error, Result};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{AttributeMode, Caller};
use words::attachment::{Attachment, AttachmentId};
use words::place::Place;

/// The attribute with the last refusal.
const REFUSAL: &str = "user.mediafs.error";
/// The attribute with the public URL of the name that is asked.
const URL: &str = "user.mediafs.url";

/// `XATTR_NAME_MAX`
const NAME_MAX: usize = 255;

impl Tree {
    pub fn getxattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<Vec<u8>> {
        let name = name.to_str().ok_or(Error::NoAttribute)?;
        if !name.starts_with("user.") {
            return Err(Error::NotSupported);
        }
        let (node, meant) = self.meant_to(who, Act::Read, ino)?;
        if let Some(fenced) = self.library.fence.raised().filter(|_| name == REFUSAL) {
            return Ok(fenced.to_string().into_bytes());
        }
        let value = match node.as_model() {
            Node::Attachment(id, _) => self.attachment_attribute(who, (node, meant), id, name)?,
            Node::Trashed(id) => {
                let retired = self.view.trash.readable(who, id)?;
                self.attribute_of(&retired.attachment, name)?
            }
            Node::Draft(id) => {
                let open = self.open.drafts.find(id)?;
                match name {
                    REFUSAL => self.refusal_at(open.place()),
                    _ => open.draft.attribute(&self.library.attributes, name)?,
                }
            }
            Node::Scratch(id) => xattr::value(&self.open.scratch.file(id)?, name),
            Node::Row(..) | Node::Collection(..) | Node::DropBox(_) if name == REFUSAL => {
                let folder = self.places.directory(ino)?.folder();
                self.library.journal.of_folder(&folder).map(|line| line.message.into_bytes())
            }
            _ => None,
        };
        value.ok_or(Error::NoAttribute)
    }

    /// The names of the attributes that programs have set, each followed by a zero byte.
    pub fn listxattr(&self, who: Caller, ino: Ino) -> Result<Vec<u8>> {
        let names = match self.meant_to(who, Act::Read, ino)?.0.as_model() {
            Node::Attachment(id, _) => self.library.attributes.names(id)?,
            Node::Trashed(id) => {
                self.view.trash.readable(who, id)?;
                self.library.attributes.names(id)?
            }
            Node::Draft(id) => {
                self.open.drafts.find(id)?.draft.attribute_names(&self.library.attributes)?
            }
            Node::Scratch(id) => {
                let names = xattr::names(&self.open.scratch.file(id)?).into_iter();
                names.filter(|name| name != ORIGIN).collect()
            }
            _ => Vec::new(),
        };
        Ok(names.into_iter().flat_map(|name| [name.into_bytes(), vec![0]].concat()).collect())
    }

    pub(super) fn set_attribute(
        &self,
        who: Caller,
        ino: Ino,
        name: &OsStr,
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<()> {
        let (node, _) = self.meant_to(who, Act::Describe, ino)?;
        self.open.paths.check_living(who, node)?;
        // Setting a fact is ignored.
        let Some(name) = foreign_name(name)? else { return Ok(()) };
        match mode {
            AttributeMode::Create if self.has_attribute(node, name)? => Err(Error::AttributeExists),
            AttributeMode::Replace if !self.has_attribute(node, name)? => Err(Error::NoAttribute),
            _ => self.change_attribute(who, node, name, Some(value)).map(|_| ()),
        }
    }

    pub(super) fn remove_attribute(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<()> {
        let (node, _) = self.meant_to(who, Act::Describe, ino)?;
        self.open.paths.check_living(who, node)?;
        let Some(name) = foreign_name(name)? else { return Err(Error::NotPermitted) };
        if self.change_attribute(who, node, name, None)? { Ok(()) } else { Err(Error::NoAttribute) }
    }

    /// The node that is meant by an inode, and by the inode of a place the place. What the place has now must permit the act.
    fn meant_to(&self, who: Caller, act: Act, ino: Ino) -> Result<(Node, Option<Place>)> {
        let (node, link) = self.open.paths.meant(who, ino)?;
        link.as_ref().map_or(Ok(()), |link| self.open.rights.check(who, act, link))?;
        Ok((node, link.map(|link| link.place)))
    }

    fn change_attribute(
        &self,
        who: Caller,
        node: Node,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool> {
        let author = self.open.processes.author(who);
        match node.as_model() {
            Node::Attachment(id, _) => {
                let meant = || self.places.name_of(node).ok().flatten();
                Ok(self.library.attributes.set(id, name, value, author, meant)?)
            }
            Node::Draft(id) => {
                let draft = &self.open.drafts.find(id)?.draft;
                Ok(draft.set_attribute(&self.library.attributes, name, value)?)
            }
            Node::Scratch(id) => self.open.scratch.set_attribute(id, name, value, author),
            Node::Litter(_) => Ok(true),
            Node::Row(..)
            | Node::Collection(..)
            | Node::DropBox(_)
            | Node::Table(_)
            | Node::Url(_)
            | Node::Delayed(..)
            | Node::DelayedItems(..)
            | Node::DelayedRows(_)
            | Node::Link(_) => Err(Error::NotSupported),
            _ => Err(Error::ReadOnly),
        }
    }

    fn has_attribute(&self, node: Node, name: &str) -> Result<bool> {
        Ok(match node.as_model() {
            Node::Attachment(id, _) => self.library.attributes.find(id, name)?.is_some(),
            Node::Draft(id) => {
                let draft = &self.open.drafts.find(id)?.draft;
                draft.attribute(&self.library.attributes, name)?.is_some()
            }
            Node::Scratch(id) => xattr::value(&self.open.scratch.file(id)?, name).is_some(),
            _ => false,
        })
    }

    fn attachment_attribute(
        &self,
        who: Caller,
        (node, meant): (Node, Option<Place>),
        id: AttachmentId,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let attachment = match self.open.handles.open_attachment(id) {
            // Read again: it may have been amended, or moved to another store, since it was opened.
            Some(open) => self.library.lookup.attachment(id)?.unwrap_or(open),
            None => self.open.paths.living(who, node, id)?,
        };
        let attachment = Side::of(node).face(attachment);
        if name == REFUSAL || name == URL {
            let place = match meant.map_or_else(|| self.attribute_place(node), |it| Ok(Some(it)))? {
                None if self.open.handles.is_open(node) => return Ok(None),
                None => self.open.paths.name(who, node)?,
                Some(place) => place,
            };
            return if name == URL {
                self.url_of(node, &place)
            } else {
                Ok(self.refusal_at(&place))
            };
        }
        self.attribute_of(&attachment, name)
    }

    /// The name of an inode for an attribute of its place. On a read-only tree all names of an attachment have one inode: the first
    /// of them is taken.
    fn attribute_place(&self, node: Node) -> Result<Option<Place>> {
        if self.places.is_read_only() {
            return Ok(self.places.names_of(node)?.into_iter().next());
        }
        self.places.name_of(node)
    }

    /// The value of an attribute that does not depend on the attachment's place.
    fn attribute_of(&self, attachment: &Attachment, name: &str) -> Result<Option<Vec<u8>>> {
        if name == MIME_TYPE {
            return Ok(Some(attachment.content.media_type.as_str().into()));
        }
        match name.strip_prefix(OURS) {
            Some(fact) => Ok(self.fact(attachment, fact).map(String::into_bytes)),
            None => Ok(self.library.attributes.find(attachment.id, name)?),
        }
    }

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
            "version" => attachment.version.to_string(),
            _ => return None,
        })
    }

    fn url_of(&self, node: Node, place: &Place) -> Result<Option<Vec<u8>>> {
        let Some(link) = self.library.lookup.link(place)? else { return Ok(None) };
        let (row, urls) = (self.places.row(place.row)?, &self.library.row_documents.urls);
        let url = match Side::of(node) {
            Side::Models => urls.of(&row, &link),
            Side::Originals => urls.of_original(&row, &Side::Originals.show(link)),
        };
        Ok(url.map(String::into_bytes))
    }

    fn refusal_at(&self, place: &Place) -> Option<Vec<u8>> {
        self.library.journal.of_place(place).map(|line| line.message.into_bytes())
    }
}

/// A name that programs may set; `None` for a fact.
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
