//! `/.Trash-<uid>`: the trash that desktops look for at the top of a mount
//! (<https://specifications.freedesktop.org/trash-spec/latest/>). A file that is moved into its `files` is detached, as by `rm`, and
//! lies in `/trash`. The notes in `info`, which tell a desktop where each file was, are taken and forgotten: `/trash` tells it.

use std::sync::Arc;

use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::open::Open;
use crate::tree::open::document::View;
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::request::Caller;
use crate::tree::show::Show;
use crate::tree::show::attr::{Attr, Entry};
use words::attachment::{Access, Times};
use words::slot::Name;

const PREFIX: &str = ".Trash-";
const NOTE: &str = ".trashinfo";

pub struct DesktopTrash {
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
}

impl DesktopTrash {
    /// The trash that a name at the root means: `.Trash-1000`. Every user has one.
    pub fn named(name: &Name) -> Option<Node> {
        let uid: u32 = name.as_str().strip_prefix(PREFIX)?.parse().ok()?;
        (name.as_str() == format!("{PREFIX}{uid}")).then_some(Node::DesktopTrash(uid.into()))
    }

    pub fn lookup(&self, parent: Node, name: &Name) -> Result<Entry> {
        let child = Self::list(parent).into_iter().find(|(_, known)| *known == name.as_str());
        Ok(Entry::fleeting(self.stat(child.ok_or(Error::NotFound)?.0)?))
    }

    /// The trash is its user's alone, as the specification wants it. A note without a handle is empty.
    pub fn stat(&self, node: Node) -> Result<Attr> {
        let (uid, mode) = match node {
            Node::DesktopTrashNote(uid) => (uid, 0o600),
            Node::DesktopTrash(uid)
            | Node::DesktopTrashFiles(uid)
            | Node::DesktopTrashInfo(uid) => (uid, 0o700),
            _ => return Err(Error::Stale),
        };
        let uid = u32::try_from(uid).map_err(|_| Error::Stale)?;
        let access = Access { uid, mode, ..self.show.daemon() };
        let times = Times::all(self.show.started);
        Ok(match node {
            Node::DesktopTrashNote(_) => Attr::file(node, 0, access, times),
            _ => Attr::directory(node, access, times),
        })
    }

    pub fn list(node: Node) -> Vec<(Node, &'static str)> {
        match node {
            Node::DesktopTrash(uid) => {
                vec![(Node::DesktopTrashFiles(uid), "files"), (Node::DesktopTrashInfo(uid), "info")]
            }
            _ => Vec::new(),
        }
    }

    /// `create` in `info`.
    pub fn note(&self, who: Caller, uid: u64, name: &Name) -> Result<(Entry, Opened)> {
        if !name.as_str().ends_with(NOTE) {
            return Err(Error::NotPermitted);
        }
        let opener = self.open.processes.owner(who.tid);
        let node = Node::DesktopTrashNote(uid);
        let view = View::TrashNote(uid);
        let document = Arc::new(self.open.documents.open(view, true, opener, Vec::new())?);
        let fh = self.open.handles.add(who, Handle::Document(document));
        Ok((Entry::fleeting(self.stat(node)?), Opened { fh, caching: Caching::Never }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trash_is_named_by_a_uid_alone() {
        let named = |text| DesktopTrash::named(&Name::parse(text).expect("a name"));
        assert_eq!(named(".Trash-1000"), Some(Node::DesktopTrash(1000)));
        for other in [".Trash", ".Trash-", ".Trash-x", ".Trash-01", ".Trash-4294967296"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
