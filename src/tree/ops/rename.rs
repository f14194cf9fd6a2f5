//! `rename`: between scratch, fields, items, rows, the trash and the quarantine (CONTRACT 2.8).

use std::sync::Arc;

use crate::library::limit::permission::Act;
use crate::library::lookup::target::Target;
use crate::library::names::backups::{Destination, temporary_name};
use crate::library::names::naming::Move;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::node::meaning::{self, Directory, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::admission::outlives;
use crate::tree::open::paths::Goal;
use crate::tree::ops::Tree;
use crate::tree::ops::delayed::placed_name;
use crate::tree::request::{Caller, NameIn, RenameMode};
use words::attachment::{Access, RowId, ScratchId, TableId};
use words::day::Day;
use words::link::{Collision, Link};
use words::place::Folder;
use words::refusal::RefusalId;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;

/// The file that a rename moves.
enum Source {
    Link(Found),
    Scratch(ScratchRecord),
    /// `row.json`
    Json(RowId),
}

/// A link as it is under `/models`, and the side on which it was asked for.
struct Found {
    link: Link,
    field: Arc<Field>,
    side: Side,
}

/// One end of a rename: a name in a directory that takes files.
#[derive(Clone, Copy)]
struct End<'a> {
    parent: Directory<'a>,
    name: &'a Name,
}

/// The caller, the new name and the mode of a rename.
#[derive(Clone, Copy)]
struct Renaming<'a> {
    who: Caller,
    to: End<'a>,
    mode: RenameMode,
}

impl Tree {
    pub(super) fn rename_any(
        &self,
        who: Caller,
        from: NameIn<'_>,
        to: NameIn<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        let (mut old, mut new) = Default::default();
        let (from, to) = (placed_name(from, &mut old), placed_name(to, &mut new));
        if self.rename_litter(who, from, to)? {
            return Ok(());
        }
        let name = self.sought(from.parent, from.name)?;
        let new_name = self.made(to.parent, to.name)?;
        self.rename_stored(who, (from.parent, &name), (to.parent, &new_name), mode)?;
        self.tell_form(from.parent, from.name, &name)?;
        self.tell_form(to.parent, to.name, &new_name)
    }

    fn rename_stored(
        &self,
        who: Caller,
        (parent, name): (Ino, &Name),
        (new_parent, new_name): (Ino, &Name),
        mode: RenameMode,
    ) -> Result<()> {
        let (from, to) = (Node::at(parent)?, Node::at(new_parent)?);
        let takes_files =
            |node| matches!(node, Node::Row(..) | Node::Collection(..) | Node::DropBox(_));
        let onto = || {
            let to = End { parent: self.places.directory(new_parent)?, name: new_name };
            Ok::<_, Error>(Renaming { who, to, mode })
        };
        match (from.as_model(), to.as_model()) {
            (Node::Table(table), Node::Table(other)) if table == other => {
                let row = self.move_row(table, name, new_name, mode)?;
                if [from, to].map(Side::of).contains(&Side::Originals) {
                    for name in [name, new_name] {
                        self.kernel.tell(&Change::RowByOriginal { table, row, name });
                    }
                }
                Ok(())
            }
            (Node::Table(_), Node::Table(_)) => Err(Error::CrossDevice),
            (source, goal) if takes_files(source) && takes_files(goal) => {
                let from = End { parent: self.places.directory(parent)?, name };
                self.rename_file(from, onto()?)
            }
            (Node::QuarantineEntry(id), goal) if takes_files(goal) => {
                self.rename_quarantined(id, name, onto()?)
            }
            (Node::TrashDay(day), Node::Row(..) | Node::Collection(..)) => {
                self.rename_trashed(day, name, onto()?)
            }
            (source, Node::DesktopTrashFiles(_))
                if takes_files(source) && mode != RenameMode::Exchange =>
            {
                self.discard(who, parent, name)
            }
            // The configuration makes the directories in a row.
            (Node::Root | Node::Models, _)
            | (_, Node::Root | Node::Models | Node::Table(_) | Node::DesktopTrashFiles(_))
            | (Node::Table(_), Node::Row(..) | Node::Collection(..) | Node::DropBox(_)) => {
                Err(Error::NotPermitted)
            }
            _ => Err(Error::ReadOnly),
        }
    }

    /// Detaches a file that a desktop moves to its trash.
    fn discard(&self, who: Caller, parent: Ino, name: &Name) -> Result<()> {
        match self.open.paths.meaning(&self.places.directory(parent)?, name)? {
            Meaning::File(_) => self.unlink_any(who, parent, name.as_str().as_ref()),
            // Scratch, which would be deleted for good.
            _ => Err(Error::NotPermitted),
        }
    }

    fn move_row(&self, table: TableId, from: &Name, to: &Name, mode: RenameMode) -> Result<RowId> {
        if !self.places.table(table)?.rule.allows(to) {
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.lookup.row(table, from)?.ok_or(Error::NotFound)?.id;
        self.library.rows.rename(row, to, mode.into())?;
        self.kernel.tell(&Change::RowRenamed { table, row, from, to });
        Ok(row)
    }

    /// Tries again with a file of the quarantine.
    fn rename_quarantined(&self, id: RefusalId, name: &Name, how: Renaming<'_>) -> Result<()> {
        let Renaming { who, to, mode } = how;
        let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
        if kept.name != name.as_str() {
            return Err(Error::NotPermitted);
        }
        let Goal::File(spot) = self.open.paths.goal(&to.parent, to.name)? else {
            return Err(Error::CrossDevice);
        };
        let target = self.places.target(&spot, to.name)?;
        self.retry_onto(who, id, &target, to.parent.side(), mode)
    }

    /// Puts a file of the trash back.
    fn rename_trashed(&self, day: Day, name: &Name, how: Renaming<'_>) -> Result<()> {
        let Renaming { who, to, mode } = how;
        // For any other place, a program can copy the bytes.
        let Goal::File(spot) = self.open.paths.goal(&to.parent, to.name)? else {
            return Err(Error::NotPermitted);
        };
        let target = self.places.target(&spot, to.name)?;
        let before = self.library.lookup.link(&spot.place)?;
        self.view.trash.restore_by_name(who, day, name, &target, mode)?;
        if let Some(link) = before.as_ref().filter(|_| to.parent.side() == Side::Originals) {
            self.kernel.tell(&Change::ByOriginal(link));
        }
        Ok(())
    }

    /// Renames between directories that take files. A link that waits under the new name is removed.
    fn rename_file(&self, from: End<'_>, how: Renaming<'_>) -> Result<()> {
        let Renaming { who, to, mode } = how;
        let links = &self.open.links;
        if let Some(link) = links.named(&from.parent.folder(), from.name) {
            return self.view.url_links.rename(who, &link, &to.parent, to.name, mode);
        }
        let source = self.source(who, from)?;
        let goal = self.open.paths.goal(&to.parent, to.name)?;
        match source {
            Source::Link(found) => self.rename_link(&found, goal, how)?,
            Source::Scratch(record) => self.rename_scratch(&record, goal, how)?,
            Source::Json(row) => match goal {
                // A view is moved nowhere: a rename to a scratch name leaves a copy there.
                Goal::Scratch(folder) if mode != RenameMode::Exchange => {
                    let copy = self.view.rows.copy(who, row, &folder, to.name, mode)?;
                    self.open.boxes.renamed(copy)?;
                }
                _ => return Err(Error::NotPermitted),
            },
        }
        links.remove(&to.parent.folder(), to.name);
        self.kernel.tell(&Change::Scratch(&from.parent));
        self.kernel.tell(&Change::Scratch(&to.parent));
        Ok(())
    }

    fn rename_link(&self, found: &Found, goal: Goal, how: Renaming<'_>) -> Result<()> {
        let (Found { link, side, .. }, to) = (found, how.to);
        match goal {
            Goal::File(spot) => {
                let target = self.places.target(&spot, to.name)?;
                let before = self.library.lookup.link(&spot.place)?;
                self.move_link(found, &target, how)?;
                if (*side, to.parent.side()) != (Side::Models, Side::Models) {
                    for link in [Some(link), before.as_ref()].into_iter().flatten() {
                        self.kernel.tell(&Change::ByOriginal(link));
                    }
                }
                Ok(())
            }
            Goal::Scratch(folder) if how.mode == RenameMode::Exchange => {
                let scratch = self.library.scratch.find(&folder, to.name)?;
                let scratch = scratch.ok_or(Error::NotFound)?;
                self.exchange(how.who, &scratch, &side.show(link.clone()))
            }
            Goal::Scratch(folder) => {
                let backup = self.demote(&side.show(link.clone()), &folder, how)?;
                self.open.boxes.renamed(backup)?;
                if *side == Side::Originals {
                    self.kernel.tell(&Change::ByOriginal(link));
                }
                Ok(())
            }
            Goal::Url(_) | Goal::Json(_) => Err(Error::NotPermitted),
        }
    }

    /// Moves a link of this field to another slot. A name whose rules would change the bytes is `EXDEV`, and the client copies.
    fn move_link(&self, found: &Found, target: &Target, how: Renaming<'_>) -> Result<()> {
        let (Found { link, field, .. }, Renaming { who, mode, .. }) = (found, how);
        let (from, to, id) = (&link.place, &target.place, link.attachment.id);
        if from == to {
            return Ok(());
        }
        let author = self.open.processes.author(who);
        let before = self.library.lookup.link(to)?;
        // rename(2): if both are names of one file, both stay.
        if before.as_ref().is_some_and(|before| before.attachment.id == id) {
            // But the kernel now uses the inode of the old name for the new one.
            self.places.forget_first_name(id);
            return Ok(());
        }
        let rights = &self.open.rights;
        before.as_ref().map_or(Ok(()), |other| rights.check(who, Act::Displace, other))?;
        let there = self.library.lookup.fixed(target).of(link.attachment.access);
        rights.check_access(who, link, there)?;
        let back = self.places.table(self.places.row(from.row)?.table)?.files(field);
        if mode == RenameMode::Exchange {
            let other = before.as_ref().ok_or(Error::NotFound)?;
            let spot = Spot { place: from.clone(), field: self.places.field_at(from)? };
            let origin = self.places.target(&spot, &link.written)?;
            rights.check_access(who, other, back.of(other.attachment.access))?;
            let rules = &target.field.rules;
            self.library.links.check_transfer(&other.attachment, rules, &origin, author)?;
        }
        self.open.admission.check_arrival(who, target, before.is_some(), Some(from))?;
        let before = before.filter(|link| outlives(link, target));
        let rules = &field.rules;
        let movement = Move { from: link, rules, back, target, collision: mode.into() };
        let displaced = self.library.links.rename(&movement, author)?;
        self.places.move_first_name(id, from, to);
        self.open.drafts.drop_placeholders(to, 0);
        let displaced = displaced.as_ref().map(|lost| Displaced::by_name(lost, before.as_ref()));
        self.kernel.tell(&Change::Moved { id, from, to, displaced });
        Ok(())
    }

    /// Renames a link, as its side shows it, to scratch of the caller (editors' backups). Returns the scratch file.
    fn demote(&self, link: &Link, folder: &Folder, how: Renaming<'_>) -> Result<ScratchId> {
        let Renaming { who, to: End { name, .. }, mode } = how;
        self.open.admission.check_displaced(who, folder, name)?;
        let backup = self.back_up(who, link, (folder, name), mode.into())?;
        match self.library.links.unlink(&link.place)? {
            // Editors write the new file next; if that is refused, the old one is put back.
            Some(lost) => self.open.unlinked.note(who, link, &lost),
            None => self.kernel.tell(&Change::Names(link.place.row)),
        }
        Ok(backup)
    }

    /// Copies an attachment to scratch. The copy is the caller's to put back or remove, unless the caller may not read the file:
    /// then it stays the owner's.
    fn back_up(
        &self,
        who: Caller,
        link: &Link,
        (folder, name): (&Folder, &Name),
        collision: Collision,
    ) -> Result<ScratchId> {
        let Access { uid, gid, .. } = link.attachment.access;
        let uid = if self.open.rights.may(who, Act::Read, link)? { who.uid } else { uid };
        let to = Destination { folder, name, uid, gid, collision };
        Ok(self.library.backups.make(link, to)?)
    }

    /// Exchanges scratch and the file of a field, as its side shows it: the scratch is attached, and a copy of the file gets its
    /// name. A refusal leaves both as they were.
    fn exchange(&self, who: Caller, record: &ScratchRecord, link: &Link) -> Result<()> {
        who.check_owner(record.access.uid)?;
        self.open.rights.check(who, Act::Displace, link)?;
        let target = self.library.lookup.target_of(link.place.clone())?.ok_or(Error::NotFound)?;
        let target = Target { written: link.written.clone(), ..target };
        let (folder, aside) = (&record.folder, temporary_name());
        let copy = self.back_up(who, link, (folder, &aside), Collision::Refuse)?;
        if let Err(error) = self.promote(who, record, &target, Some(link)) {
            self.library.scratch.remove(copy)?;
            return Err(error);
        }
        self.library.scratch.rename(copy, folder, &record.name, Collision::Refuse)?;
        self.open.boxes.renamed(copy)
    }

    fn rename_scratch(&self, record: &ScratchRecord, goal: Goal, how: Renaming<'_>) -> Result<()> {
        let Renaming { who, to, mode } = how;
        match goal {
            Goal::Scratch(folder) => {
                self.open.admission.check_displaced(who, &folder, to.name)?;
                self.library.scratch.rename(record.id, &folder, to.name, mode.into())?;
                self.open.boxes.renamed(record.id)
            }
            Goal::File(spot) if mode == RenameMode::Exchange => {
                let link = self.library.lookup.link(&spot.place)?.ok_or(Error::NotFound)?;
                self.exchange(who, record, &to.parent.side().show(link))
            }
            Goal::File(spot) => {
                let target = self.places.target(&spot, to.name)?;
                let admission = &self.open.admission;
                admission.check_extension(who, &spot, to.name)?;
                let before = admission.check_rename(who, &target, to.parent.side(), mode)?;
                let taken = self.open.unlinked.take(who, &spot.place);
                let attached = self.promote(who, record, &target, before.as_ref());
                // Puts it back if the file was refused or quarantined: a slot that has an attachment keeps it.
                self.open.unlinked.put_back_taken(taken, &spot.place);
                attached
            }
            Goal::Url(spot) => self.view.url_files.attach_shortcut(who, record, &spot),
            Goal::Json(row) => match mode {
                RenameMode::Replace => self.view.rows.patch_by_rename(who, record, row),
                RenameMode::NoReplace => Err(Error::Exists),
                RenameMode::Exchange => Err(Error::NotPermitted),
            },
        }
    }

    fn source(&self, who: Caller, End { parent, name }: End<'_>) -> Result<Source> {
        match self.open.paths.meaning(&parent, name)? {
            Meaning::File(spot) => self.source_link(who, parent.side(), &spot, name),
            Meaning::Scratch => {
                let record =
                    self.library.scratch.find(&parent.folder(), name)?.ok_or(Error::NotFound)?;
                who.check_owner(record.access.uid)?;
                Ok(Source::Scratch(record))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) | Meaning::Report | Meaning::RowError => {
                Err(Error::NotPermitted)
            }
            Meaning::RowJson => Ok(Source::Json(parent.row)),
            Meaning::Url(_) | Meaning::Nothing => Err(Error::NotFound),
        }
    }

    fn source_link(&self, who: Caller, side: Side, spot: &Spot, name: &Name) -> Result<Source> {
        let Spot { place, field } = spot;
        let leads = |it: &Link| meaning::resolves(&side.show(it.clone()), field.collection, name);
        let Some(link) = self.library.lookup.link(place)?.filter(leads) else {
            let draft = self.open.drafts.first(place, self.open.processes.group(who.tid));
            return Err(if draft.is_some() { Error::Busy } else { Error::NotFound });
        };
        if side == Side::Models {
            self.kernel.tell(&Change::Alias { link: &link, field, asked: name });
        }
        Ok(Source::Link(Found { link, field: Arc::clone(field), side }))
    }
}
