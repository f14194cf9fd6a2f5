//! `rename`: between scratch, fields, items, rows, the trash and the quarantine (CONTRACT 2.8).

use std::sync::Arc;

use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::Node;
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::open::admission::check_owner;
use crate::tree::open::contents::Goal;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, NameIn, RenameMode, made, sought};
use words::attachment::{RowId, TableId};
use words::day::Day;
use words::link::Link;
use words::refusal::RefusalId;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;

/// What a rename moves.
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
    parent: &'a Directory<'a>,
    name: &'a Name,
}

/// Who renames something onto a name, and how.
#[derive(Clone, Copy)]
struct Renaming<'a> {
    who: Caller,
    to: End<'a>,
    mode: RenameMode,
}

impl Tree {
    pub fn rename(
        &self,
        who: Caller,
        from: NameIn<'_>,
        to: NameIn<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        let (name, new_name) = (sought(from.name)?, made(to.name)?);
        let (parent, new_parent) = (from.parent, to.parent);
        let (from, to) = (Node::at(parent)?, Node::at(new_parent)?);
        let takes_files =
            |node| matches!(node, Node::Row(..) | Node::Collection(..) | Node::DropBox(_));
        match (from.as_model(), to.as_model()) {
            (Node::Table(table), Node::Table(other)) if table == other => {
                let by_original =
                    Side::of(from) == Side::Originals || Side::of(to) == Side::Originals;
                self.rename_row(table, &name, &new_name, mode, by_original)
            }
            (Node::Table(_), Node::Table(_)) => Err(Error::CrossDevice),
            (source, goal) if takes_files(source) && takes_files(goal) => {
                let from = End { parent: &self.places.directory(parent)?, name: &name };
                let to = End { parent: &self.places.directory(new_parent)?, name: &new_name };
                self.rename_file(from, Renaming { who, to, mode })
            }
            (Node::QuarantineEntry(id), goal) if takes_files(goal) => {
                let to = End { parent: &self.places.directory(new_parent)?, name: &new_name };
                self.rename_quarantined(id, &name, Renaming { who, to, mode })
            }
            (Node::TrashDay(day), Node::Row(..) | Node::Collection(..)) => {
                let to = End { parent: &self.places.directory(new_parent)?, name: &new_name };
                self.rename_trashed(day, &name, Renaming { who, to, mode })
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

    /// `by_original`: a side that was asked about was `/originals`.
    fn rename_row(
        &self,
        table: TableId,
        from: &Name,
        to: &Name,
        mode: RenameMode,
        by_original: bool,
    ) -> Result<()> {
        if !self.places.table(table)?.rule.allows(to) {
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.lookup.row(table, from)?.ok_or(Error::NotFound)?.id;
        self.library.rows.rename(row, to, mode.into())?;
        self.kernel.tell(&Change::RowRenamed { table, row, from, to });
        if by_original {
            self.kernel.tell(&Change::RowByOriginal { table, row, name: from });
            self.kernel.tell(&Change::RowByOriginal { table, row, name: to });
        }
        Ok(())
    }

    /// Tries again with a file of the quarantine.
    fn rename_quarantined(
        &self,
        id: RefusalId,
        name: &Name,
        Renaming { who, to, mode }: Renaming<'_>,
    ) -> Result<()> {
        let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
        if kept.name != name.as_str() {
            return Err(Error::NotPermitted);
        }
        match self.open.contents.goal(to.parent, to.name)? {
            Goal::File(spot) => {
                let target = self.places.target(&spot, to.name)?;
                self.view.retry.onto(who, id, &target, to.parent.side(), mode)
            }
            Goal::Scratch(_) | Goal::Url(_) | Goal::Json(_) => Err(Error::CrossDevice),
        }
    }

    /// Puts a file of the trash back.
    fn rename_trashed(
        &self,
        day: Day,
        name: &Name,
        Renaming { who, to, mode }: Renaming<'_>,
    ) -> Result<()> {
        // Whoever wants the bytes elsewhere copies them.
        let Goal::File(spot) = self.open.contents.goal(to.parent, to.name)? else {
            return Err(Error::NotPermitted);
        };
        let target = self.places.target(&spot, to.name)?;
        let before = self.library.lookup.link(&spot.place)?;
        self.view.trash.restore_by_name(who, day, name, &target, mode)?;
        if let Some(link) = before.as_ref().filter(|_| to.parent.side() == Side::Originals) {
            self.kernel.tell(&Change::ByOriginal { link });
        }
        Ok(())
    }

    /// Between directories that take files. A link that waits gives way to what is renamed onto its name.
    fn rename_file(&self, from: End<'_>, renaming: Renaming<'_>) -> Result<()> {
        let Renaming { who, to, mode } = renaming;
        let links = &self.open.links;
        if let Some(link) = links.named(&from.parent.folder(), from.name) {
            return self.view.urls.links.rename(who, &link, to.parent, to.name, mode);
        }
        let source = self.source(who, from)?;
        let goal = self.open.contents.goal(to.parent, to.name)?;
        match source {
            Source::Link(found) => self.rename_link(&found, goal, renaming)?,
            Source::Scratch(record) => self.rename_scratch(&record, goal, renaming)?,
            Source::Json(row) => self.rename_row_json(row, goal, renaming)?,
        }
        links.remove(&to.parent.folder(), to.name);
        self.kernel.tell(&Change::Scratch { directory: from.parent });
        self.kernel.tell(&Change::Scratch { directory: to.parent });
        Ok(())
    }

    fn rename_link(
        &self,
        Found { link, field, side }: &Found,
        goal: Goal,
        Renaming { who, to, mode }: Renaming<'_>,
    ) -> Result<()> {
        match goal {
            Goal::File(spot) => {
                let target = self.places.target(&spot, to.name)?;
                let before = self.library.lookup.link(&spot.place)?;
                self.open.names.rename(who, link, field, &target, mode)?;
                if (*side, to.parent.side()) != (Side::Models, Side::Models) {
                    for link in [Some(link), before.as_ref()].into_iter().flatten() {
                        self.kernel.tell(&Change::ByOriginal { link });
                    }
                }
                Ok(())
            }
            Goal::Scratch(folder) => {
                let shown = side.show(link.clone());
                let backup = self.open.names.demote(who, &shown, &folder, to.name, mode)?;
                self.view.boxes.renamed(backup)?;
                if *side == Side::Originals {
                    self.kernel.tell(&Change::ByOriginal { link });
                }
                Ok(())
            }
            Goal::Url(_) | Goal::Json(_) => Err(Error::NotPermitted),
        }
    }

    fn rename_scratch(
        &self,
        record: &ScratchRecord,
        goal: Goal,
        Renaming { who, to, mode }: Renaming<'_>,
    ) -> Result<()> {
        match goal {
            Goal::Scratch(folder) => {
                self.open.admission.check_displaced(who, &folder, to.name)?;
                self.library.scratch.rename(record.id, &folder, to.name, mode.into())?;
                self.view.boxes.renamed(record.id)
            }
            Goal::File(spot) => {
                let target = self.places.target(&spot, to.name)?;
                let admission = &self.open.admission;
                admission.check_extension(who, &spot, to.name)?;
                let before = admission.check_rename(who, &target, to.parent.side(), mode)?;
                let taken = self.open.unlinked.take(who, &spot.place);
                let attached = self.open.promotion.attach(who, record, &target, before.as_ref());
                // Refused, also in silence; a slot that was attached to keeps what it has.
                self.open.unlinked.put_back_taken(taken, &spot.place);
                attached
            }
            Goal::Url(spot) => self.view.urls.files.attach_shortcut(who, record, &spot),
            Goal::Json(row) => match mode {
                RenameMode::Replace => self.view.rows.patch_by_rename(who, record, row),
                RenameMode::NoReplace => Err(Error::Exists),
                RenameMode::Exchange => Err(Error::NotPermitted),
            },
        }
    }

    /// A view is moved nowhere: a rename to a scratch name leaves a copy there.
    fn rename_row_json(
        &self,
        row: RowId,
        goal: Goal,
        Renaming { who, to, mode }: Renaming<'_>,
    ) -> Result<()> {
        match goal {
            Goal::Scratch(folder) if mode != RenameMode::Exchange => {
                let copy = self.view.rows.copy(who, row, &folder, to.name, mode)?;
                self.view.boxes.renamed(copy)
            }
            _ => Err(Error::NotPermitted),
        }
    }

    fn source(&self, who: Caller, End { parent, name }: End<'_>) -> Result<Source> {
        match self.open.contents.meaning(parent, name)? {
            Meaning::File(spot) => self.source_link(who, parent.side(), &spot, name),
            Meaning::Scratch => {
                let record =
                    self.library.scratch.find(&parent.folder(), name)?.ok_or(Error::NotFound)?;
                check_owner(&record, who)?;
                Ok(Source::Scratch(record))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) | Meaning::Report => Err(Error::NotPermitted),
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
