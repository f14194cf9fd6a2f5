//! The reference: rows, fields, scratch and drafts as CONTRACT describes them, in plain maps. It gets those answers of the tree that
//! CONTRACT leaves open, and checks them.

use std::collections::{BTreeMap, BTreeSet};

use words::refusal::Rule;

use crate::tree::instance::{DOC_MAX, DOC_MIN, NOTE_MAX};
use crate::tree::simulated_kernel::{Answer, At, How, Refusal, process};

/// The number of a row, and a field in it.
pub(super) type Place = (u32, &'static str);

/// The expected answer of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Done,
    Error(Refusal),
    /// A refusal that names one of these rules.
    Refused(Vec<Rule>),
}

impl Expected {
    pub fn agrees<T>(&self, actual: &Answer<T>) -> bool {
        match (self, actual) {
            (Self::Done, Ok(_)) => true,
            (Self::Error(expected), Err(actual)) => expected == actual,
            (Self::Refused(rules), Err(Refusal::Rule(rule))) => rules.contains(rule),
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Untouched,
    Open,
    Refused(Vec<Rule>),
    Committed,
}

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) place: Place,
    pub(super) owner: u32,
    pub(super) stage: Stage,
    pub(super) bytes: Vec<u8>,
    pub(super) start: Start,
    over: bool,
    pub(super) handles: usize,
    pub(super) path: Path,
    pub(super) detached: bool,
    pub(super) placeholder: bool,
    pub(super) replaced: Option<u32>,
}

/// The first bytes of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Empty,
    /// No bytes, after a truncation.
    Truncated,
    Stored,
}

/// The processes that reach a draft on a free slot by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    Everybody,
    Owner,
    Nobody,
}

#[derive(Debug, Clone)]
pub(super) enum Open {
    Draft(usize),
    Bytes(Vec<u8>),
    Scratch(u32),
}

#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) who: u32,
    pub(super) open: Open,
    pub(super) writes: bool,
}

/// The target of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Attachment(u32),
    Draft(usize),
    Scratch(u32),
}

#[derive(Debug, Default)]
pub struct Reference {
    pub(super) rows: BTreeMap<&'static str, u32>,
    /// The attachment at each place. Only `hang` and `take_down` change it.
    pub(super) slots: BTreeMap<Place, u32>,
    /// When each slot was first taken, which is the order of a collection.
    pub(super) arrivals: BTreeMap<Place, u32>,
    /// The arrivals of slots that are free now.
    pub(super) vacated: BTreeMap<Place, u32>,
    /// Includes attachments without a name, until a sweep.
    pub(super) attachments: BTreeMap<u32, Vec<u8>>,
    pub(super) scratch: BTreeMap<(u32, &'static str), u32>,
    /// The user of each scratch file.
    pub(super) owners: BTreeMap<u32, u32>,
    pub(super) files: BTreeMap<u32, Vec<u8>>,
    pub(super) drafts: Vec<Draft>,
    pub(super) handles: BTreeMap<usize, Handle>,
    pub(super) unlinked: BTreeMap<(Place, u32), u32>,
    pub(super) emptied: BTreeSet<(Place, u32, u32)>,
    /// The number of entries in the quarantine.
    pub kept: usize,
    last: u32,
}

/// The rules that some bytes break in a field.
pub fn broken(field: &str, bytes: &[u8]) -> Vec<Rule> {
    let length = bytes.len() as u64;
    let mut rules = Vec::new();
    if length > most(field) {
        rules.push(Rule::MaxSize);
    }
    if field == "doc" && length < DOC_MIN {
        rules.push(Rule::MinSize);
    }
    if text_only(field) && !is_text(bytes) {
        rules.push(Rule::ContentTypes);
    }
    rules
}

pub(super) fn most(field: &str) -> u64 {
    if text_only(field) { NOTE_MAX } else { DOC_MAX }
}

fn text_only(field: &str) -> bool {
    field == "note" || field.starts_with("dict/")
}

fn is_text(bytes: &[u8]) -> bool {
    let pdf = bytes.starts_with(b"%PDF-");
    !bytes.is_empty() && !pdf && bytes.iter().all(|byte| (0x20..0x7f).contains(byte))
}

pub(super) fn is_field(name: &str) -> bool {
    !matches!(name.rsplit_once('.'), Some((_, "part")))
}

impl Draft {
    /// Whether the draft is committed or refused: only its handles reach it.
    fn is_judged(&self) -> bool {
        matches!(self.stage, Stage::Committed | Stage::Refused(_))
    }

    /// Whether all processes see the draft on its free slot.
    pub(super) fn is_shown(&self) -> bool {
        self.path == Path::Everybody && !self.over && !self.is_judged()
    }

    pub(super) fn is_at(&self, place: Place) -> bool {
        self.path != Path::Nobody && self.place == place && !self.is_judged()
    }

    /// Takes the draft from some of the processes that reach it.
    pub(super) fn hide(&mut self, path: Path) {
        self.path = self.path.max(path);
    }

    pub(super) fn truncate(&mut self) {
        self.bytes.clear();
        self.stage = Stage::Untouched;
        self.start = Start::Truncated;
    }
}

impl Reference {
    pub(super) fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    pub(super) fn place(&self, at: At) -> Option<Place> {
        Some((*self.rows.get(at.row)?, at.name))
    }

    /// The target of a lookup by this process.
    pub(super) fn find(&self, who: u32, at: At) -> Option<Found> {
        let place = self.place(at)?;
        if !is_field(at.name) {
            return self.scratch.get(&place).copied().map(Found::Scratch);
        }
        if let Some(id) = self.slots.get(&place) {
            return Some(Found::Attachment(*id));
        }
        self.first_draft(who, place).map(Found::Draft)
    }

    fn first_draft(&self, who: u32, place: Place) -> Option<usize> {
        let here = |wanted: &dyn Fn(&Draft) -> bool| {
            self.drafts.iter().position(|draft| draft.is_at(place) && wanted(draft))
        };
        let own = here(&|draft| draft.owner == who);
        own.or_else(|| here(&Draft::is_shown))
    }

    /// The names in a row.
    pub fn list(&self, row: &'static str) -> Vec<String> {
        let Some(&row) = self.rows.get(row) else { return Vec::new() };
        let slots = self.slots.keys().filter(|(of, _)| *of == row).map(|(_, name)| *name);
        let scratch = self.scratch.keys().filter(|(of, _)| *of == row).map(|(_, name)| *name);
        let shown = self.drafts.iter().filter(|draft| draft.is_shown() && draft.place.0 == row);
        let shown = shown.map(|draft| draft.place.1);
        let names: BTreeSet<_> = slots.chain(scratch).chain(shown).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Size and links of the file that a path shows to a process.
    pub fn stat(&self, who: u32, at: At) -> Option<(u64, u32)> {
        let links = |id| self.slots.values().filter(|other| **other == id).count();
        let (bytes, links) = match self.find(who, at)? {
            Found::Attachment(id) => (&self.attachments[&id], links(id)),
            Found::Draft(id) => (&self.drafts[id].bytes, 1),
            Found::Scratch(id) => (&self.files[&id], 1),
        };
        Some((bytes.len() as u64, u32::try_from(links).expect("few")))
    }

    pub fn open(&mut self, who: u32, fd: usize, at: At, how: How) -> Expected {
        let Some(place) = self.place(at) else { return Expected::Error(Refusal::NotFound) };
        let open = match self.find(who, at) {
            Some(_) if how == How::New => return Expected::Error(Refusal::Exists),
            None if !how.creates() => return Expected::Error(Refusal::NotFound),
            None if is_field(at.name) => {
                if !self.has_draft(who, place) && self.is_full(place) {
                    return Expected::Refused(vec![Rule::MaxItems]);
                }
                self.open_draft(who, place, how, false)
            }
            None => Open::Scratch(self.new_scratch(who, place, Vec::new())),
            Some(Found::Scratch(id)) => {
                if how == How::Replace {
                    self.files.insert(id, Vec::new());
                }
                Open::Scratch(id)
            }
            Some(Found::Attachment(id))
                if how.writes() || self.has_draft_over(who, (place, id)) =>
            {
                self.open_draft(who, place, how, true)
            }
            Some(Found::Attachment(id)) => Open::Bytes(self.attachments[&id].clone()),
            Some(Found::Draft(id)) => match self.open_found_draft(who, id, how) {
                Ok(open) => open,
                Err(refusal) => return Expected::Error(refusal),
            },
        };
        self.handles.insert(fd, Handle { who, open, writes: how.writes() });
        Expected::Done
    }

    fn has_draft(&self, who: u32, place: Place) -> bool {
        self.drafts.iter().any(|draft| draft.is_at(place) && draft.owner == who)
    }

    /// Whether the process has an open draft of this name, and not only of another name of the attachment.
    fn has_draft_over(&self, who: u32, (place, id): (Place, u32)) -> bool {
        let here = |draft: &Draft| {
            draft.path != Path::Nobody
                && draft.place == place
                && self.slots.get(&draft.place) == Some(&id)
        };
        let own = |draft: &Draft| draft.owner == who && draft.handles > 0 && !draft.is_judged();
        self.drafts.iter().any(|draft| here(draft) && own(draft))
    }

    fn open_found_draft(&mut self, who: u32, id: usize, how: How) -> Result<Open, Refusal> {
        let draft = &self.drafts[id];
        if draft.owner == who || (draft.placeholder && how.writes()) {
            return Ok(self.hold(who, id, how));
        }
        match (how.writes(), draft.bytes.len()) {
            (true, _) => Ok(self.open_draft(who, draft.place, how, true)),
            (false, 0) => Ok(Open::Bytes(Vec::new())),
            (false, _) => Err(Refusal::Busy),
        }
    }

    fn hold(&mut self, who: u32, id: usize, how: How) -> Open {
        let draft = &mut self.drafts[id];
        if draft.placeholder {
            draft.owner = who;
        }
        draft.placeholder = false;
        draft.handles += 1;
        if how == How::Replace {
            draft.truncate();
        }
        Open::Draft(id)
    }

    /// Opens the process's own draft of a slot, or a new one.
    fn open_draft(&mut self, who: u32, place: Place, how: How, copies: bool) -> Open {
        let slot = self.slots.get(&place).copied();
        let own = self.drafts.iter().position(|draft| draft.is_at(place) && draft.owner == who);
        if let Some(own) = own {
            return self.hold(who, own, how);
        }
        let uid = process(who).uid;
        let emptied = copies && slot.is_some_and(|id| self.emptied.remove(&(place, id, uid)));
        let stored = slot.filter(|_| copies && !emptied);
        self.drafts.push(Draft {
            place,
            owner: who,
            stage: Stage::Untouched,
            bytes: stored.map(|id| self.attachments[&id].clone()).unwrap_or_default(),
            start: match stored {
                Some(_) => Start::Stored,
                None if emptied => Start::Truncated,
                None => Start::Empty,
            },
            over: slot.is_some(),
            handles: 0,
            path: Path::Everybody,
            detached: false,
            placeholder: false,
            replaced: self.unlinked.remove(&(place, who)),
        });
        self.hold(who, self.drafts.len() - 1, how)
    }

    pub(super) fn new_scratch(&mut self, who: u32, place: Place, bytes: Vec<u8>) -> u32 {
        let id = self.number();
        self.owners.insert(id, process(who).uid);
        self.files.insert(id, bytes);
        self.scratch.insert(place, id);
        id
    }
}

impl Draft {
    /// The draft that an open handle of scratch becomes when the scratch is attached.
    pub(super) fn of_scratch(place: Place, owner: u32, bytes: Vec<u8>) -> Self {
        Self {
            place,
            owner,
            stage: Stage::Committed,
            bytes,
            start: Start::Empty,
            over: true,
            handles: 1,
            path: Path::Owner,
            detached: false,
            placeholder: false,
            replaced: None,
        }
    }
}
