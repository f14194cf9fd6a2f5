//! `/.mediafs`. A control file is a line in the table of nodes and one in [`Control::source`].

use std::sync::Arc;

use crate::library::Library;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::open::Open;
use crate::tree::open::handles::{Caching, Handle, Holds, Opened};
use crate::tree::request::Caller;
use crate::tree::show::Show;
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::quarantine_entries::{QuarantineEntries, Source};
use crate::tree::view::status_json::Status;
use words::attachment::{Access, Times};
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Control {
    pub(super) library: Arc<Library>,
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
    pub status: Arc<Status>,
    pub quarantine: Arc<QuarantineEntries>,
}

impl Control {
    /// The mode and the bytes of each control file.
    fn source(&self, who: Caller, node: Node) -> Result<(u32, Source)> {
        // They ask each store for its space.
        if let Node::Status | Node::Metrics = node {
            session_thread::leave()?;
        }
        Ok(match node {
            Node::Status => (0o444, Source::Text(self.status.text()?)),
            Node::Metrics => (0o444, Source::Text(self.status.metrics()?)),
            Node::LastError => (0o444, Source::Text(self.last_error(who))),
            // It names other users and their paths.
            Node::Errors => (0o400, Source::File(self.library.journal.open_log()?)),
            _ => return Err(Error::Stale),
        })
    }

    pub fn lookup(&self, who: Caller, parent: Node, name: &Name) -> Result<Entry> {
        let node = match parent {
            Node::Control => parent.child(name.as_str()).ok_or(Error::NotFound)?,
            _ => self.quarantine.child(parent, name)?,
        };
        match self.stat(who, node) {
            Err(Error::Stale) => Err(Error::NotFound),
            shown => shown.map(Entry::fleeting),
        }
    }

    pub fn stat(&self, who: Caller, node: Node) -> Result<Attr> {
        match node {
            Node::Control => Ok(self.show.view(node, Times::all(self.show.started))),
            Node::Status | Node::Metrics | Node::LastError | Node::Errors => {
                let (mode, source) = self.source(who, node)?;
                let size = match source {
                    Source::Text(text) => text.len() as u64,
                    Source::File(file) => file.metadata()?.len(),
                };
                let access = Access { mode, ..self.show.daemon() };
                Ok(Attr::file(node, size, access, Times::all(Timestamp::now())))
            }
            _ => self.quarantine.stat(node),
        }
    }

    pub fn open(&self, who: Caller, node: Node) -> Result<Opened> {
        let source = match node {
            other if other.is_directory() => return Err(Error::IsDirectory),
            Node::QuarantineBytes(_) | Node::QuarantineReason(_) => self.quarantine.source(node)?,
            _ => self.source(who, node)?.1,
        };
        let handle = match source {
            Source::Text(text) => Handle::Text(text.into_bytes()),
            Source::File(file) => {
                Handle::Blob { file: Arc::new(file), key: None, holds: Holds::Nothing }
            }
        };
        Ok(Opened { fh: self.open.handles.add(who, handle), caching: Caching::Never })
    }

    pub fn list(&self, node: Node) -> Result<Vec<(Node, String)>> {
        match node {
            Node::Control => {
                Ok(node.children().map(|(node, name)| (node, name.to_owned())).collect())
            }
            _ => self.quarantine.list(node),
        }
    }

    /// The last refusal of a user's file, and why the disk was fenced if it was.
    fn last_error(&self, who: Caller) -> String {
        let fenced = self.library.fence.raised().map(|fenced| format!("{fenced}\n"));
        let refused = self.library.journal.last_of(who.uid).map(|line| line.text());
        [fenced, refused].into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}
