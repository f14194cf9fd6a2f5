//! `/.mediafs`: what went wrong, what was kept, and how the daemon is. A control file is a line in the table of nodes and one in
//! [`Control::source`].

mod metrics;
pub mod quarantine_entries;
mod source;
pub mod status_json;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::activity::Activity;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::{Kind, Node};
use crate::tree::open::Open;
use crate::tree::open::handles::{Handle, Handles, Holds};
use crate::tree::open::opened::{Caching, Opened};
use crate::tree::request::Caller;
use crate::tree::show::Show;
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::control::metrics::Metrics;
use crate::tree::view::control::quarantine_entries::{QuarantineEntries, Removed};
use crate::tree::view::control::source::Source;
use crate::tree::view::control::status_json::Status;
use words::attachment::{Access, Times};
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Control {
    library: Arc<Library>,
    show: Arc<Show>,
    handles: Arc<Handles>,
    metrics: Arc<Metrics>,
    pub status: Arc<Status>,
    pub quarantine: Arc<QuarantineEntries>,
}

impl Control {
    pub fn new(
        library: &Arc<Library>,
        kernel: &Arc<Knowledge>,
        show: &Arc<Show>,
        open: &Open,
        activity: &Arc<Activity>,
    ) -> Self {
        let Open { handles, drafts, box_files, .. } = open;
        Self {
            library: Arc::clone(library),
            show: Arc::clone(show),
            handles: Arc::clone(handles),
            metrics: part!(Metrics: library, activity, handles, drafts, box_files),
            status: part!(Status: library, kernel, show, handles, drafts, box_files),
            quarantine: part!(QuarantineEntries: library, show; removed: Removed::default()),
        }
    }

    /// The mode and the bytes of each control file.
    fn source(&self, who: Caller, node: Node) -> Result<(u32, Source)> {
        Ok(match node {
            Node::Status => (0o444, Source::Text(self.status.text()?)),
            Node::Metrics => (0o444, Source::Text(self.metrics.text()?)),
            Node::LastError => (0o444, Source::Text(self.last_error(who))),
            // Other users' names and paths stand in it.
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
            Node::Control => Ok(self.show.view(node, Times::all(self.show.started()))),
            Node::Status | Node::Metrics | Node::LastError | Node::Errors => {
                let (mode, source) = self.source(who, node)?;
                let size = match source {
                    Source::Text(text) => text.len() as u64,
                    Source::File(file) => file.metadata()?.len(),
                };
                let access = Access { mode, ..self.show.daemon() };
                let (ino, times) = (node.ino(), Times::all(Timestamp::now()));
                Ok(Attr { ino, kind: Kind::File, size, links: 1, access, times })
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
        Ok(Opened { fh: self.handles.add(handle), caching: Caching::Never })
    }

    pub fn list(&self, node: Node) -> Result<Vec<(Node, String)>> {
        match node {
            Node::Control => {
                Ok(node.children().map(|(node, name)| (node, name.to_owned())).collect())
            }
            _ => self.quarantine.list(node),
        }
    }

    /// What a user was told last.
    fn last_error(&self, who: Caller) -> String {
        let fenced = self.library.fence.raised().map(|fenced| format!("{fenced}\n"));
        let refused = self.library.journal.last_of(who.uid).map(|line| line.text());
        [fenced, refused].into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}
