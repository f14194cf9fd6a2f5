//! Renaming and linking: between scratch, fields, rows and the quarantine (CONTRACT 2.8).
//! Does not copy attachments: what the target's rules would change is `EXDEV`, and the client copies.

use std::ffi::OsStr;
use std::sync::{Arc, PoisonError};

use crate::attachment::{AttachmentId, RowId, ScratchId, TableId};
use crate::catalog::{Collision, Folder, Link, Place, Published, ScratchRecord};
use crate::library::Target;
use crate::library::draft::Draft;
use crate::library::publish::{Metadata, Raw};
use crate::refusal::RefusalId;
use crate::schema::Field;
use crate::slot::Name;
use crate::tree::attr::{Entry, RenameMode};
use crate::tree::handles::OpenScratch;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::ops::stat::link_entry;
use crate::tree::{Caller, Error, Ino, Result, Tree, made, node, sought};

/// What a rename moves.
enum Source {
    Link(Link, Arc<Field>),
    Scratch(ScratchRecord),
    /// `row.json`
    Json(RowId),
}

/// Where it moves to.
enum Goal {
    Field(Place, Arc<Field>),
    Scratch(RowId),
    /// `row.json`
    Json(RowId),
}

impl Tree {
    pub fn rename(
        &self,
        who: Caller,
        (parent, name): (Ino, &OsStr),
        (new_parent, new_name): (Ino, &OsStr),
        mode: RenameMode,
    ) -> Result<()> {
        let (name, new_name) = (sought(name)?, made(new_name)?);
        match (node(parent)?, node(new_parent)?) {
            (Node::Table(from), Node::Table(to)) if from == to => {
                self.rename_row(from, &name, &new_name, collision(mode))
            }
            (Node::Table(_), Node::Table(_)) => Err(Error::CrossDevice),
            (Node::Row(from, from_row), Node::Row(to, to_row)) => {
                let source = self.source(who, from, from_row, &name)?;
                let goal = self.goal(to, to_row, &new_name)?;
                self.rename_file(who, source, goal, &new_name, mode)
            }
            (Node::QuarantineEntry(id), Node::Row(to, to_row)) => {
                let kept = self.library.quarantine().find(id).ok_or(Error::NotFound)?;
                if kept.name != name.as_str() {
                    return Err(Error::NotPermitted);
                }
                match self.goal(to, to_row, &new_name)? {
                    Goal::Field(place, field) => {
                        let target = self.target(&place, &field, &new_name)?;
                        self.retry(who, id, &target, mode)
                    }
                    Goal::Scratch(_) | Goal::Json(_) => Err(Error::CrossDevice),
                }
            }
            (Node::Root | Node::Models, _) | (_, Node::Root | Node::Models | Node::Table(_)) => {
                Err(Error::NotPermitted)
            }
            _ => Err(Error::ReadOnly),
        }
    }

    fn rename_row(
        &self,
        table: TableId,
        name: &Name,
        to: &Name,
        collision: Collision,
    ) -> Result<()> {
        let table = self.table(table)?;
        if !table.rule.allows(to) {
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.row(table.id, name)?.ok_or(Error::NotFound)?;
        self.library.rename_row(row.id, to, collision)?;
        self.table_changed(table.id);
        Ok(())
    }

    fn source(&self, who: Caller, table: TableId, row: RowId, name: &Name) -> Result<Source> {
        match name::meaning(self.table(table)?, name) {
            Meaning::Field(field) => {
                let place = Place::one(row, field.name.clone());
                let link = self.library.find(&place)?.filter(|link| name::resolves(link, name));
                match link {
                    Some(link) => {
                        self.forget_listed(&link, name);
                        Ok(Source::Link(link, field))
                    }
                    None if self.lookup_is_draft(who, &place) => Err(Error::Busy),
                    None => Err(Error::NotFound),
                }
            }
            Meaning::Scratch => {
                let record =
                    self.library.find_scratch(&Folder::row(row), name)?.ok_or(Error::NotFound)?;
                check_owner(&record, who)?;
                Ok(Source::Scratch(record))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson => Ok(Source::Json(row)),
            Meaning::View => Err(Error::NotFound),
        }
    }

    fn lookup_is_draft(&self, who: Caller, place: &Place) -> bool {
        self.first_draft(place, self.processes.group(who.tid)).is_some()
    }

    fn goal(&self, table: TableId, row: RowId, name: &Name) -> Result<Goal> {
        match name::meaning(self.table(table)?, name) {
            Meaning::Field(field) => Ok(Goal::Field(Place::one(row, field.name.clone()), field)),
            Meaning::Scratch => Ok(Goal::Scratch(row)),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson => Ok(Goal::Json(row)),
            Meaning::View => Err(Error::NotPermitted),
        }
    }

    fn rename_file(
        &self,
        who: Caller,
        source: Source,
        goal: Goal,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        match (source, goal) {
            (Source::Scratch(record), Goal::Scratch(row)) => Ok(self.library.rename_scratch(
                record.id,
                &Folder::row(row),
                name,
                collision(mode),
            )?),
            (Source::Scratch(record), Goal::Field(place, field)) => {
                self.check_extension(who, &place, &field, name)?;
                let before = self.way_in(&place, mode)?.filter(|link| outlives(link, name));
                let target = self.target(&place, &field, name)?;
                let attached = self.attach_scratch(who, &record, &target, before.as_ref());
                attached.inspect_err(|_| self.put_back_after_rename(who, &target))
            }
            (Source::Link(link, from), Goal::Field(place, to)) => {
                let target = self.target(&place, &to, name)?;
                self.move_link(who, &link, &from, &target, mode)
            }
            (Source::Link(link, _), Goal::Scratch(row)) => self.demote(who, &link, row, name, mode),
            (Source::Scratch(record), Goal::Json(row)) if mode == RenameMode::Replace => {
                self.patch_by_rename(who, &record, row)
            }
            (Source::Scratch(_), Goal::Json(_)) if mode == RenameMode::NoReplace => {
                Err(Error::Exists)
            }
            (Source::Json(id), Goal::Scratch(row)) if mode != RenameMode::Exchange => {
                let folder = Folder::row(row);
                match self.library.find_scratch(&folder, name)? {
                    Some(_) if mode == RenameMode::NoReplace => return Err(Error::Exists),
                    Some(old) => self.library.remove_scratch(old.id)?,
                    None => {}
                }
                self.copy_row_json(who, id, (&folder, name))
            }
            // A view is moved nowhere, and nothing but a patch becomes one.
            (Source::Json(_), _) | (_, Goal::Json(_)) => Err(Error::NotPermitted),
        }
    }

    /// What hangs from the slot, if the mode lets it be replaced.
    fn way_in(&self, place: &Place, mode: RenameMode) -> Result<Option<Link>> {
        let before = self.library.find(place)?;
        match (mode, &before) {
            (RenameMode::NoReplace, Some(_)) => Err(Error::Exists),
            (RenameMode::Exchange, _) => {
                Err(Error::Invalid("scratch and fields cannot be exchanged"))
            }
            _ => Ok(before),
        }
    }

    fn attach_scratch(
        &self,
        who: Caller,
        record: &ScratchRecord,
        target: &Target,
        before: Option<&Link>,
    ) -> Result<()> {
        let handles = self.handles.open_scratch(record.id);
        let gates: Vec<_> = handles
            .iter()
            .map(|open| open.gate.write().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let author = Self::author(who, &self.processes.owner(who.tid));
        let (published, sent) = self.library.attach_scratch(record, target, author)?;
        self.published(&target.place, &published, before);
        // Asked for afterwards: it may have been opened while it was judged.
        for scratch in self.handles.open_scratch(record.id) {
            let sent = sent.try_clone().map_err(super::files::failed)?;
            self.become_draft(&scratch, target, &published, sent);
        }
        drop(gates);
        Ok(())
    }

    /// An open handle of scratch that was attached goes on as a draft of the field.
    fn become_draft(
        &self,
        scratch: &Arc<OpenScratch>,
        target: &Target,
        published: &Published,
        sent: std::fs::File,
    ) {
        let attachment = &published.attachment;
        let author = crate::library::refuse::Author {
            uid: attachment.access.uid,
            pid: scratch.opener.pid(),
        };
        let draft =
            Draft::committed(target.clone(), author, attachment.id, attachment.access, sent);
        let open = self.drafts.add(draft, Some(attachment.id), scratch.opener.clone());
        open.hide();
        open.hold(&scratch.opener);
        // Set once: scratch is attached once, then it is gone.
        let _ = scratch.became.set(Arc::clone(&open));
        // The kernel sends a release after `close` has returned: one that came while the file was judged found no draft.
        let handles = self.handles.open_scratch(scratch.id);
        if !handles.iter().any(|other| Arc::ptr_eq(other, scratch)) && open.let_go() {
            self.end_draft(&open);
        }
    }

    fn published(&self, place: &Place, published: &Published, before: Option<&Link>) {
        self.row_changed(place);
        self.drop_placeholders(place, 0);
        match &published.displaced {
            Some(displaced) => self.displaced_by_name(displaced, before),
            None => self.forget_attributes(Node::Attachment(published.attachment.id)),
        }
    }

    fn move_link(
        &self,
        who: Caller,
        link: &Link,
        from: &Field,
        target: &Target,
        mode: RenameMode,
    ) -> Result<()> {
        if link.place == target.place {
            return Ok(());
        }
        let author = Self::author(who, &self.processes.owner(who.tid));
        if mode == RenameMode::Exchange {
            let other = self.library.find(&target.place)?.ok_or(Error::NotFound)?;
            let from = self.field_at(&link.place)?;
            let back = self.target(&link.place, &from, &link.written)?;
            let rules = &target.field.rules;
            self.library.check_transfer(&other.attachment, rules, &back, author)?;
        }
        let before = self.library.find(&target.place)?;
        let before = before.filter(|link| outlives(link, &target.written));
        let displaced =
            self.library.move_link(link, &from.rules, target, collision(mode), author)?;
        self.row_changed(&link.place);
        self.row_changed(&target.place);
        self.drop_placeholders(&target.place, 0);
        if let Some(displaced) = displaced {
            self.displaced_by_name(&displaced, before.as_ref());
        }
        Ok(())
    }

    /// A field renamed to a scratch name becomes scratch (editors' backups) of whoever renames it.
    fn demote(
        &self,
        who: Caller,
        link: &Link,
        row: RowId,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        let folder = Folder::row(row);
        match (mode, self.library.find_scratch(&folder, name)?) {
            (RenameMode::Exchange, _) => {
                return Err(Error::Invalid("scratch and fields cannot be exchanged"));
            }
            (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
            (RenameMode::Replace, Some(old)) => self.library.remove_scratch(old.id)?,
            (_, None) => {}
        }
        self.library.scratch_from_blob(link, &folder, name, (who.uid, who.gid))?;
        if let Some(lost) = self.library.unlink(&link.place)? {
            // Editors write the new file next; if that is refused, the old one has not left.
            self.note_unlinked(who, link, &lost);
        }
        self.row_changed(&link.place);
        Ok(())
    }

    /// `mv` out of the quarantine onto a field tries again.
    fn retry(&self, who: Caller, id: RefusalId, target: &Target, mode: RenameMode) -> Result<()> {
        let before = self.way_in(&target.place, mode)?;
        let before = before.filter(|link| outlives(link, &target.written));
        let quarantine = self.library.quarantine();
        let kept = quarantine.open_bytes(id).map_err(super::files::failed)?;
        let length = kept.metadata().map_err(super::files::failed)?.len();
        // Expired scratch may still be open for writing.
        let sent = self.library.snapshot(&kept, length)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let metadata = Metadata {
            access: self.library.file_access(who.uid, who.gid, &target.field),
            times: crate::attachment::Times::all(crate::timestamp::Timestamp::now()),
            attributes: Vec::new(),
            source: None,
        };
        let published = self.library.publish(Raw::new(&sent)?, target, author, &metadata)?;
        self.published(&target.place, &published, before.as_ref());
        quarantine.remove(id).map_err(super::files::failed)
    }

    /// A second name for an attachment, or an attachment made of scratch.
    pub fn link(&self, who: Caller, ino: Ino, new_parent: Ino, new_name: &OsStr) -> Result<Entry> {
        let (table, row) = Self::row_node(new_parent)?;
        let name = made(new_name)?;
        let goal = self.goal(table, row, &name)?;
        match (node(ino)?, goal) {
            (Node::Attachment(id), Goal::Field(place, field)) => {
                let target = self.target(&place, &field, &name)?;
                self.link_attachment(who, id, &target)
            }
            (Node::Scratch(id), Goal::Field(place, field)) => {
                self.check_extension(who, &place, &field, &name)?;
                let target = self.target(&place, &field, &name)?;
                self.link_scratch(who, id, &target)
            }
            (Node::Attachment(_), Goal::Scratch(_)) => Err(Error::CrossDevice),
            (Node::Draft(_), _) => Err(Error::Busy),
            _ => Err(Error::NotPermitted),
        }
    }

    fn link_attachment(&self, who: Caller, id: AttachmentId, target: &Target) -> Result<Entry> {
        let from = self.library.find(&self.place_of(id)?)?.ok_or(Error::Stale)?;
        let source = self.field_at(&from.place)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        self.library.share(&from, &source.rules, target, author)?;
        self.drop_placeholders(&target.place, 0);
        self.forget_attributes(Node::Attachment(id));
        self.entry_of(target)
    }

    fn link_scratch(&self, who: Caller, id: ScratchId, target: &Target) -> Result<Entry> {
        let record = self.library.scratch_by_id(id)?.ok_or(Error::Stale)?;
        if self.library.find(&target.place)?.is_some() {
            return Err(Error::Exists);
        }
        check_owner(&record, who)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let published = self.library.copy_scratch(&record, target, author)?;
        self.published(&target.place, &published, None);
        self.entry_of(target)
    }

    fn entry_of(&self, target: &Target) -> Result<Entry> {
        let link = self.library.find(&target.place)?.ok_or(Error::NotFound)?;
        Ok(link_entry(&link, &target.written))
    }
}

/// Whether the kernel may still know what was displaced by its listed name. The name that is renamed onto it replaces itself,
/// and holds its directory's lock meanwhile: waiting for it would be in vain.
fn outlives(displaced: &Link, name: &Name) -> bool {
    name::listed(displaced) != *name
}

/// Scratch is its user's alone, also where others may write to the row: attached, everybody could read it (CONTRACT 1).
fn check_owner(record: &ScratchRecord, who: Caller) -> Result<()> {
    if who.uid == 0 || who.uid == record.access.uid { Ok(()) } else { Err(Error::Denied) }
}

fn collision(mode: RenameMode) -> Collision {
    match mode {
        RenameMode::Replace => Collision::Replace,
        RenameMode::NoReplace => Collision::Refuse,
        RenameMode::Exchange => Collision::Exchange,
    }
}
