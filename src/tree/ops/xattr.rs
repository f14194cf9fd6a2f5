//! Extended attributes: the read-only facts of an attachment, and those that programs attach to it (CONTRACT 6). The facts are not
//! listed: `rsync -X` and tar would copy them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::library::names::attributes::is_ours;
use crate::library::publish::metadata::ORIGIN;
use crate::library::scratch::xattr;
use crate::tree::error::{Error, Result};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{AttributeMode, Caller};
use crate::tree::view::facts::REFUSAL;
use words::attachment::AttachmentId;

/// `XATTR_NAME_MAX`
const NAME_MAX: usize = 255;

impl Tree {
    pub fn getxattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<Vec<u8>> {
        let name = name.to_str().ok_or(Error::NoAttribute)?;
        if !name.starts_with("user.") {
            return Err(Error::NotSupported);
        }
        let node = Node::at(ino)?;
        if let Some(fenced) = self.library.fence.raised().filter(|_| name == REFUSAL) {
            return Ok(fenced.to_string().into_bytes());
        }
        let value = match node.as_model() {
            Node::Attachment(id, _) => self.attachment_attribute(who, node, id, name)?,
            Node::Trashed(id) => {
                let retired = self.view.trash.readable(who, id)?;
                self.view.facts.of(&retired.attachment, name)?
            }
            Node::Draft(id) => {
                let open = self.open.drafts.find(id).ok_or(Error::Stale)?;
                match name {
                    REFUSAL => self.view.facts.refusal(open.place()),
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
    pub fn listxattr(&self, _: Caller, ino: Ino) -> Result<Vec<u8>> {
        let names = match Node::at(ino)?.as_model() {
            Node::Attachment(id, _) | Node::Trashed(id) => self.library.attributes.names(id)?,
            Node::Draft(id) => {
                let open = self.open.drafts.find(id).ok_or(Error::Stale)?;
                open.draft.attribute_names(&self.library.attributes)?
            }
            Node::Scratch(id) => {
                let names = xattr::names(&self.open.scratch.file(id)?).into_iter();
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
        self.open.paths.check_living(who, Node::at(ino)?)?;
        let name = foreign_name(name)?;
        let there = match (mode, name) {
            // Setting one of our own is ignored, if the inode is there.
            (_, None) => return Node::at(ino).map(|_| ()),
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
        self.open.paths.check_living(who, Node::at(ino)?)?;
        let Some(name) = foreign_name(name)? else { return Err(Error::NotPermitted) };
        if self.change_attribute(who, ino, name, None)? { Ok(()) } else { Err(Error::NoAttribute) }
    }

    fn change_attribute(
        &self,
        who: Caller,
        ino: Ino,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool> {
        let author = self.open.processes.author(who);
        let node = Node::at(ino)?;
        match node.as_model() {
            Node::Attachment(id, _) => {
                let meant = || self.places.name_of(node).ok().flatten();
                Ok(self.library.attributes.set(id, name, value, author, meant)?)
            }
            Node::Draft(id) => {
                let open = self.open.drafts.find(id).ok_or(Error::Stale)?;
                Ok(open.draft.set_attribute(&self.library.attributes, name, value)?)
            }
            Node::Scratch(id) => self.open.scratch.set_attribute(id, name, value, author),
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
        Ok(match Node::at(ino)?.as_model() {
            Node::Attachment(id, _) => self.library.attributes.find(id, name)?.is_some(),
            Node::Draft(id) => {
                let open = self.open.drafts.find(id).ok_or(Error::Stale)?;
                open.draft.attribute(&self.library.attributes, name)?.is_some()
            }
            Node::Scratch(id) => xattr::value(&self.open.scratch.file(id)?, name).is_some(),
            _ => false,
        })
    }

    fn attachment_attribute(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let attachment = match self.open.handles.open_attachment(id) {
            // As it is now: it may have been amended, or moved to another store, since it was opened.
            Some(open) => self.library.lookup.attachment(id)?.unwrap_or(open),
            None => self.open.paths.living(who, node, id)?,
        };
        let attachment = Side::of(node).face(attachment);
        if name == REFUSAL {
            let known = self.places.name_of(node)?;
            let place = match known {
                None if self.open.handles.open_attachment(id).is_none() => {
                    self.open.paths.name(who, node)?
                }
                None => return Ok(None),
                Some(place) => place,
            };
            return Ok(self.view.facts.refusal(&place));
        }
        self.view.facts.of(&attachment, name)
    }
}

/// A name that programs may set; `None` for one of our own.
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
