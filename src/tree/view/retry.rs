//! Another try with what the quarantine keeps: by `mv` onto a field, or where it was going (`mediafs refused --retry`).

use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::publish::Raw;
use crate::library::publish::metadata::Metadata;
use crate::library::refuse::kept::Kept;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::directory::Directory;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::admission::Admission;
use crate::tree::open::contents::{Contents, Goal};
use crate::tree::open::drafts::Drafts;
use crate::tree::open::processes::Processes;
use crate::tree::request::{Caller, RenameMode};
use words::access::FILE_MODE;
use words::attachment::Times;
use words::place::Folder;
use words::refusal::RefusalId;
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Retry {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) contents: Arc<Contents>,
    pub(super) admission: Arc<Admission>,
    pub(super) processes: Processes,
}

impl Retry {
    /// Tries again onto a field. Errors: [`Error::Refused`] leaves the entry.
    pub fn onto(
        &self,
        who: Caller,
        id: RefusalId,
        target: &Target,
        side: Side,
        mode: RenameMode,
    ) -> Result<()> {
        let before = self.admission.check_rename(who, target, side, mode)?;
        let quarantine = &self.library.quarantine;
        let entry = quarantine.find(id).ok_or(Error::NotFound)?;
        let kept = quarantine.open_bytes(id)?;
        // Expired scratch may still be open for writing.
        let sent = self.library.staging.snapshot(&kept, kept.metadata()?.len())?;
        let author = self.processes.author(who);
        let times = Times::all(Timestamp::now());
        let metadata = Metadata::written(who.makes(FILE_MODE), times, Vec::new());
        let raw = Raw::quarantined(&sent, id, &entry.name)?;
        let published = self.library.publisher.publish(raw, target, author, &metadata)?;
        self.drafts.drop_placeholders(&target.place, 0);
        let lost = published.displaced.as_ref();
        let displaced = lost.map(|lost| Displaced::by_name(lost, before.as_ref()));
        let (place, id_now) = (&target.place, published.attachment.id);
        self.kernel.tell(&Change::Attached { place, id: id_now, displaced });
        Ok(quarantine.remove(id)?)
    }

    /// Tries again where an entry of the quarantine was going, for the user who sent it.
    /// Errors: [`Error::NotFound`] if there is no such entry, row or field any more; [`Error::Refused`] leaves the entry.
    pub fn where_it_was_going(&self, id: RefusalId) -> Result<()> {
        let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
        let (target, row) = self.target_of(&kept)?;
        // Its group is not on record: that of the row is as near as one comes.
        let who = Caller { uid: kept.uid, gid: row.access.gid, tid: 0 };
        self.onto(who, id, &target, Side::Models, RenameMode::Replace)
    }

    /// Where an entry was going, if a field or a collection of that name is there still.
    fn target_of(&self, kept: &Kept) -> Result<(Target, RowRecord)> {
        let names: Option<Vec<_>> =
            kept.path.split('/').map(|part| Name::parse(part).ok()).collect();
        let Some([table, id, rest @ ..]) = names.as_deref() else { return Err(Error::NotFound) };
        let table = self.library.lookup.table_named(table.as_str()).ok_or(Error::NotFound)?;
        let row = self.library.lookup.row(table.id, id)?.ok_or(Error::NotFound)?;
        let written = Name::parse(&kept.name).map_err(|_| Error::NotFound)?;
        let (field, name) = match rest {
            [field] => (None, field),
            [field, _] => (Some(field), &written),
            _ => return Err(Error::NotFound),
        };
        let node = directory(table, &Folder { row: row.id, field: field.cloned() });
        let parent = Directory::of(&self.library, node.ok_or(Error::NotFound)?);
        match self.contents.goal(&parent.ok_or(Error::NotFound)?, name)? {
            Goal::File(spot) => Ok((self.places.target(&spot, &written)?, row)),
            Goal::Scratch(_) | Goal::Url(_) | Goal::Json(_) => Err(Error::NotFound),
        }
    }
}

fn directory(table: &Table, folder: &Folder) -> Option<Node> {
    match &folder.field {
        Some(field) => Some(Node::Collection(table.number(field)?, folder.row)),
        None => Some(Node::Row(table.id, folder.row)),
    }
}
