//! Renaming: between scratch, fields, items, rows and the quarantine (CONTRACT 2.8).
//! Does not copy attachments: what the target's rules would change is `EXDEV`, and the client copies.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::library::lookup::target::Target;
use crate::library::names::backups::Destination;
use crate::library::names::links::Move;
use crate::tree::attr::RenameMode;
use crate::tree::directory::Directory;
use crate::tree::mark::Mark;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::ops::attach::outlives;
use crate::tree::permission::owned;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, made, node, sought};
use words::attachment::{RowId, TableId};
use words::link::{Collision, Link};
use words::place::{Folder, Place};
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;

/// What a rename moves.
enum Source {
    /// As it is under `/models`, and where it was found.
    Link(Link, Arc<Field>, Side),
    Scratch(ScratchRecord),
    /// `row.json`
    Json(RowId),
}

/// Where it moves to.
pub(in crate::tree) enum Goal {
    File(Place, Arc<Field>),
    Scratch(Folder),
    /// `<field>.url`: what is moved there is read as a text with a URL.
    Url(Place, Arc<Field>),
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
        let (from, to) = (node(parent)?, node(new_parent)?);
        let sides = (Side::of(from), Side::of(to));
        match (from.as_model(), to.as_model()) {
            (Node::Table(from), Node::Table(to)) if from == to => {
                let row = self.rename_row(from, &name, &new_name, collision(mode))?;
                if sides != (Side::Models, Side::Models) {
                    self.forget_row(from, row, &name);
                    self.forget_row(from, row, &new_name);
                }
                Ok(())
            }
            (Node::Table(_), Node::Table(_)) => Err(Error::CrossDevice),
            (
                Node::Row(..) | Node::Collection(..) | Node::DropBox(_),
                Node::Row(..) | Node::Collection(..) | Node::DropBox(_),
            ) => {
                let (from, to) = (self.directory(parent)?, self.directory(new_parent)?);
                self.rename_between(who, (&from, &name), (&to, &new_name), mode)
            }
            (
                Node::QuarantineEntry(id),
                Node::Row(..) | Node::Collection(..) | Node::DropBox(_),
            ) => {
                let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
                if kept.name != name.as_str() {
                    return Err(Error::NotPermitted);
                }
                match self.goal(&self.directory(new_parent)?, &new_name)? {
                    Goal::File(place, field) => {
                        let target = self.target(&place, &field, &new_name)?;
                        self.retry(who, id, (&target, sides.1), mode)
                    }
                    Goal::Scratch(_) | Goal::Url(..) | Goal::Json(_) => Err(Error::CrossDevice),
                }
            }
            (Node::TrashDay(day), Node::Row(..) | Node::Collection(..)) => {
                match self.goal(&self.directory(new_parent)?, &new_name)? {
                    Goal::File(place, field) => {
                        let target = self.target(&place, &field, &new_name)?;
                        let before = self.library.lookup.link(&place)?;
                        self.restore_by_name(who, (day, &name), &target, mode)?;
                        if let Some(before) = before.filter(|_| sides.1 == Side::Originals) {
                            self.forget_link(&before);
                        }
                        Ok(())
                    }
                    // Whoever wants the bytes elsewhere copies them.
                    Goal::Scratch(_) | Goal::Url(..) | Goal::Json(_) => Err(Error::NotPermitted),
                }
            }
            // Directories in a row are the configuration's.
            (Node::Root | Node::Models, _)
            | (_, Node::Root | Node::Models | Node::Table(_))
            | (Node::Table(_), Node::Row(..) | Node::Collection(..) | Node::DropBox(_)) => {
                Err(Error::NotPermitted)
            }
            _ => Err(Error::ReadOnly),
        }
    }

    /// Between directories that take files. What is renamed onto a link that waits takes its place.
    fn rename_between(
        &self,
        who: Caller,
        (from, name): (&Directory<'_>, &Name),
        (to, new_name): (&Directory<'_>, &Name),
        mode: RenameMode,
    ) -> Result<()> {
        if let Some(link) = self.links.named(&from.folder(), name) {
            return self.rename_pending(who, &link, to, new_name, mode);
        }
        let source = self.source(who, from, name)?;
        let goal = self.goal(to, new_name)?;
        self.rename_file(who, source, (goal, to.side()), new_name, mode)?;
        self.links.remove(&to.folder(), new_name);
        self.scratch_changed(from);
        self.scratch_changed(to);
        Ok(())
    }

    fn rename_row(
        &self,
        table: TableId,
        name: &Name,
        to: &Name,
        collision: Collision,
    ) -> Result<RowId> {
        let table = self.table(table)?;
        if !table.rule.allows(to) {
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.lookup.row(table.id, name)?.ok_or(Error::NotFound)?;
        self.library.rows.rename(row.id, to, collision)?;
        self.table_changed(table.id);
        self.row_renamed(table.id, row.id, &[name, to]);
        Ok(row.id)
    }

    fn source(&self, who: Caller, parent: &Directory<'_>, name: &Name) -> Result<Source> {
        match self.meaning(parent, name)? {
            Meaning::File(place, field) => {
                let side = parent.side();
                let leads =
                    |it: &Link| name::resolves(&side.show(it.clone()), field.collection, name);
                match self.library.lookup.link(&place)?.filter(leads) {
                    Some(link) => {
                        if side == Side::Models {
                            self.forget_listed(&link, &field, name);
                        }
                        Ok(Source::Link(link, field, side))
                    }
                    None if self.lookup_is_draft(who, &place) => Err(Error::Busy),
                    None => Err(Error::NotFound),
                }
            }
            Meaning::Scratch => {
                let record =
                    self.library.scratch.find(&parent.folder(), name)?.ok_or(Error::NotFound)?;
                check_owner(&record, who)?;
                Ok(Source::Scratch(record))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) | Meaning::Report => Err(Error::NotPermitted),
            Meaning::RowJson => Ok(Source::Json(parent.row)),
            Meaning::Url(..) | Meaning::Nothing => Err(Error::NotFound),
        }
    }

    /// What another user has under a scratch name is not replaced.
    pub(in crate::tree) fn check_displaced(
        &self,
        who: Caller,
        folder: &Folder,
        name: &Name,
    ) -> Result<()> {
        if let Some(link) = self.links.named(folder, name) {
            owned(link.lead.uid, who)?;
        }
        let displaced = self.library.scratch.find(folder, name)?;
        displaced.map_or(Ok(()), |record| check_owner(&record, who))
    }

    fn lookup_is_draft(&self, who: Caller, place: &Place) -> bool {
        self.first_draft(place, self.processes.group(who.tid)).is_some()
    }

    pub(in crate::tree) fn goal(&self, parent: &Directory<'_>, name: &Name) -> Result<Goal> {
        match self.meaning(parent, name)? {
            Meaning::File(place, field) => Ok(Goal::File(place, field)),
            Meaning::Scratch => Ok(Goal::Scratch(parent.folder())),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson => Ok(Goal::Json(parent.row)),
            Meaning::Url(place, field) => Ok(Goal::Url(place, field)),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Report | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }

    fn rename_file(
        &self,
        who: Caller,
        source: Source,
        (goal, side): (Goal, Side),
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        match (source, goal) {
            (Source::Scratch(record), Goal::Scratch(folder)) => {
                self.check_displaced(who, &folder, name)?;
                self.library.scratch.rename(record.id, &folder, name, collision(mode))?;
                self.renamed_in_box(record.id)
            }
            (Source::Scratch(record), Goal::File(place, field)) => {
                let target = self.target(&place, &field, name)?;
                self.check_extension(who, &place, &field, name)?;
                let before = self.way_in(who, (&target, side), mode)?;
                let unlinked = self.take_unlinked(who, &place);
                let attached = self.attach_scratch(who, &record, &target, before.as_ref());
                // Refused, also in silence; what was attached keeps the slot.
                self.hang_unlinked(unlinked, &place);
                attached
            }
            (Source::Scratch(record), Goal::Url(place, field)) => {
                self.attach_shortcut(who, &record, &place, &field)
            }
            (Source::Link(link, from, own), Goal::File(place, to)) => {
                let target = self.target(&place, &to, name)?;
                let before = self.library.lookup.link(&place)?;
                self.move_link(who, &link, &from, &target, mode)?;
                if (own, side) != (Side::Models, Side::Models) {
                    [Some(link), before].iter().flatten().for_each(|link| self.forget_link(link));
                }
                Ok(())
            }
            (Source::Link(link, _, own), Goal::Scratch(folder)) => {
                self.demote(who, &own.show(link.clone()), &folder, name, mode)?;
                if own == Side::Originals {
                    self.forget_link(&link);
                }
                Ok(())
            }
            (Source::Scratch(record), Goal::Json(row)) if mode == RenameMode::Replace => {
                self.patch_by_rename(who, &record, row)
            }
            (Source::Scratch(_), Goal::Json(_)) if mode == RenameMode::NoReplace => {
                Err(Error::Exists)
            }
            (Source::Json(row), Goal::Scratch(folder)) if mode != RenameMode::Exchange => {
                self.copy_row_json(who, row, (&folder, name), mode)
            }
            // A view is moved nowhere, and nothing but a patch becomes one.
            (Source::Json(_), _) | (_, Goal::Json(_) | Goal::Url(..)) => Err(Error::NotPermitted),
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
        let before = self.library.lookup.link(&target.place)?;
        // rename(2): of two names of one file neither goes.
        if before.as_ref().is_some_and(|before| before.attachment.id == link.attachment.id) {
            // But the kernel takes the inode of the one along to the other.
            self.sole.take(&link.attachment.id);
            return Ok(());
        }
        if mode == RenameMode::Exchange {
            let other = before.as_ref().ok_or(Error::NotFound)?;
            let from = self.field_at(&link.place)?;
            let back = self.target(&link.place, &from, &link.written)?;
            let rules = &target.field.rules;
            self.library.links.check_transfer(&other.attachment, rules, &back, author)?;
        }
        self.check_arrival(who, target, before.is_some(), Some(&link.place))?;
        let before = before.filter(|link| outlives(link, target));
        let table = self.table(self.row(link.place.row)?.table)?;
        let back = table.files(from);
        let displaced = self.library.links.rename(
            &Move { from: link, rules: &from.rules, back, target, collision: collision(mode) },
            author,
        )?;
        self.moved_sole(link.attachment.id, &link.place, &target.place);
        // The kernel keeps the inode, and another table may have fixed other bits of it.
        self.forget_attributes(Node::Attachment(link.attachment.id, Mark::SOLE));
        self.row_changed(&link.place);
        self.row_changed(&target.place);
        self.forget_thumbs(&link.place);
        self.forget_thumbs(&target.place);
        self.drop_placeholders(&target.place, 0);
        if let Some(displaced) = displaced {
            self.displaced_by_name(&target.place, &displaced, before.as_ref());
        }
        Ok(())
    }

    /// A field renamed to a scratch name becomes scratch (editors' backups) of whoever renames it.
    fn demote(
        &self,
        who: Caller,
        link: &Link,
        folder: &Folder,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        self.check_displaced(who, folder, name)?;
        if mode == RenameMode::Exchange {
            return Err(Error::Invalid("scratch and fields cannot be exchanged"));
        }
        let (uid, gid, collision) = (who.uid, who.gid, collision(mode));
        let to = Destination { folder, name, uid, gid, collision };
        let backup = self.library.backups.make(link, to)?;
        if let Some(lost) = self.library.links.unlink(&link.place)? {
            // Editors write the new file next; if that is refused, the old one has not left.
            self.note_unlinked(who, link, &lost);
        }
        self.row_changed(&link.place);
        self.renamed_in_box(backup)
    }
}

/// Scratch is its user's alone, also where others may write to the row: attached, everybody could read it (CONTRACT 1).
pub(in crate::tree) fn check_owner(record: &ScratchRecord, who: Caller) -> Result<()> {
    owned(record.access.uid, who)
}

pub(super) fn collision(mode: RenameMode) -> Collision {
    match mode {
        RenameMode::Replace => Collision::Replace,
        RenameMode::NoReplace => Collision::Refuse,
        RenameMode::Exchange => Collision::Exchange,
    }
}
