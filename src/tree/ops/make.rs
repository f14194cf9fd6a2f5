//! Making names: files, rows.
//! Does not make what the configuration makes: tables and fields.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::library::draft::Start;
use crate::tree::attr::{Entry, OpenFlags, Opened};
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::ops::stat::{draft_attr, fleeting};
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, made, node};
use words::attachment::TableId;
use words::link::Link;
use words::media_type::MediaType;
use words::place::Place;
use words::refusal::{Rule, Violation};
use words::schema::{Field, OnRefuse};
use words::slot::Name;

impl Tree {
    /// A new file, open. On a field it is a draft; any other name in a row is scratch.
    pub fn create(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let parent = self.directory(parent)?;
        let name = made(name)?;
        // A database in a field is read and replaced as a whole; opened for writing it must fail before it writes.
        if name::is_journal(&parent, &name) {
            return Err(Error::NotPermitted);
        }
        match self.meaning(&parent, &name)? {
            Meaning::File(place, field) => {
                self.check_extension(who, &place, &field, &name)?;
                self.create_draft((who, mode), parent.side(), (&place, &field), &name, flags)
            }
            Meaning::Scratch => {
                let (record, file) =
                    self.library.scratch.make(&parent.folder(), &name, who.makes(mode))?;
                self.scratch_changed(&parent);
                let entry = fleeting(self.scratch_attr(&record)?);
                let opened = self.hold_scratch(who, &record, file, true)?;
                Ok((entry, Opened { caching: flags.caching(), ..opened }))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson if flags.exclusive => Err(Error::Exists),
            Meaning::RowJson => {
                let opened = self.open_row_json(who, (parent.table.id, parent.row), flags)?;
                Ok((fleeting(self.row_json_attr(parent.table.id, parent.row)?), opened))
            }
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Url(place, field) => self.create_url((who, mode), &place, &field),
            Meaning::Report | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }

    fn create_draft(
        &self,
        (who, mode): (Caller, u32),
        side: Side,
        (place, field): (&Place, &Arc<Field>),
        name: &Name,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.redirects.end(who.tid);
        let over = self.library.lookup.link(place)?.map(|link| side.show(link));
        let visible = |link: &Link| name::resolves(link, field.collection, name);
        if flags.exclusive && over.as_ref().is_some_and(visible) {
            return Err(Error::Exists);
        }
        let open = if let Some(own) = self.own_drafts(who, place).into_iter().next() {
            own
        } else {
            let full = match (&over, field.on_refuse) {
                (Some(_), _) => None,
                (None, OnRefuse::Quarantine) => self.overflow(place, field)?,
                (None, OnRefuse::Refuse) => {
                    self.check_items(who, place, field, name)?;
                    None
                }
            };
            let target = self.target(place, field, name)?;
            let id = over.as_ref().map(|link| link.attachment.id);
            let start = match over.filter(visible) {
                // Attached since the program looked: it opens what is there.
                Some(link) => (self.stored(link.attachment.clone())?, link.attachment.access),
                // It was told that there is no such file: it starts from nothing.
                None => (Start::Empty, who.makes(mode)),
            };
            let open = self.begin_draft(who, target, start, id)?;
            if let Some(violation) = full {
                open.draft.condemn(violation);
            }
            open
        };
        if flags.truncate {
            open.draft.truncate(&self.library.drafts, 0)?;
        }
        let opened = self.open_draft(who, &open, true, flags.caching());
        Ok((fleeting(draft_attr(&open)), opened))
    }

    /// An extension that the rules can never accept is refused before a byte is sent (CONTRACT 2.2).
    pub(in crate::tree) fn check_extension(
        &self,
        who: Caller,
        place: &Place,
        field: &Arc<Field>,
        name: &Name,
    ) -> Result<()> {
        let (_, Some(extension)) = name.split_extension() else { return Ok(()) };
        // Where refusals are not told the bytes decide alone.
        if field.could_take(extension) || field.on_refuse == OnRefuse::Quarantine {
            return Ok(());
        }
        let target = self.target(place, field, name)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let violation = wrong_extension(field, extension);
        Err(self.library.refusals.refuse(&target, author, violation, None).into())
    }

    /// A collection that is full takes no new item; what is under way on free slots counts (CONTRACT 3).
    pub(in crate::tree) fn check_items(
        &self,
        who: Caller,
        place: &Place,
        field: &Arc<Field>,
        name: &Name,
    ) -> Result<()> {
        let Some(violation) = self.overflow(place, field)? else { return Ok(()) };
        let target = self.target(place, field, name)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        Err(self.library.refusals.refuse(&target, author, violation, None).into())
    }

    /// Why a collection takes no new item at this place.
    fn overflow(&self, place: &Place, field: &Field) -> Result<Option<Violation>> {
        let (Some(most), Some(_)) = (field.max_items, &place.item) else { return Ok(None) };
        let mut held = self.library.lookup.count_items(place)?;
        for begun in self.drafts.begun_beside(place) {
            // Another draft of it may have been committed since.
            if held < most && self.library.lookup.link(&begun)?.is_none() {
                held += 1;
            }
        }
        Ok((held >= most).then(|| too_many(held, most)))
    }

    /// `mknod` of a regular file: `create` and `close`.
    pub fn mknod(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let flags = OpenFlags { exclusive: true, ..OpenFlags::default() };
        let (entry, opened) = self.create(who, parent, name, mode, flags)?;
        self.release(opened.fh);
        Ok(entry)
    }

    fn is_collection(&self, row: Ino, name: &Name) -> Result<bool> {
        Ok(matches!(name::meaning(&self.directory(row)?, name), Meaning::Collection(_)))
    }

    /// `mkdir` makes a row, and nothing else is a directory that a program can make.
    pub fn mkdir(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let name = made(name)?;
        let node = node(parent)?;
        let table = match node.as_model() {
            Node::Table(table) => table,
            // A collection is there already; other directories in a row are not.
            Node::Row(..) if self.is_collection(parent, &name)? => return Err(Error::Exists),
            Node::Root
            | Node::Models
            | Node::Drop
            | Node::Row(..)
            | Node::Collection(..)
            | Node::DropBox(_) => {
                return Err(Error::NotPermitted);
            }
            _ => return Err(Error::ReadOnly),
        };
        let rule = self.table(table)?.rule;
        if !rule.allows(&name) {
            self.note_bad_id(who, table, &name)?;
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.rows.make(table, &name, who.makes(mode))?;
        self.table_changed(table);
        let side = Side::of(node);
        Ok(side.directory(side.row(table, row.id), self.row_attr(&row)))
    }

    fn note_bad_id(&self, who: Caller, table: TableId, name: &Name) -> Result<()> {
        let table = self.table(table)?;
        let refusal = words::refusal::Refusal {
            id: self.library.journal.next_id(),
            path: format!("{}/{name}", table.name),
            field: table.name.to_string(),
            violation: Violation {
                rule: Rule::Name,
                fact: format!("'{name}' is no id of this table"),
                measured: name.to_string(),
                allows: format!("takes {}", table.rule.describe()),
                allowed: table.rule.describe().to_owned(),
                hint: "choose another id".into(),
            },
        };
        let author = Self::author(who, &self.processes.owner(who.tid));
        self.library.journal.record(&refusal, None, author, None);
        Ok(())
    }
}

fn wrong_extension(field: &Field, extension: &str) -> Violation {
    let named = MediaType::of_extension(extension).unwrap_or(MediaType::OCTET_STREAM);
    let types: Vec<_> = field.rules.content_types.iter().map(ToString::to_string).collect();
    let allowed = if types.is_empty() { "images".to_owned() } else { types.join(", ") };
    Violation {
        rule: Rule::Extension,
        fact: format!("the name ends with .{extension}, which means {named}"),
        measured: named.to_string(),
        allows: format!("takes {allowed}"),
        allowed,
        hint: "send a file of an accepted type, or drop the extension if it is wrong".into(),
    }
}

fn too_many(held: u64, most: u64) -> Violation {
    Violation {
        rule: Rule::MaxItems,
        fact: format!("there are {held} items already"),
        measured: held.to_string(),
        allows: format!("takes at most {most} items"),
        allowed: most.to_string(),
        hint: "remove an item, or replace one".into(),
    }
}
