//! Admission: whether a file may take a slot or a name, as far as that is known before a byte is sent.

use std::sync::Arc;

use crate::library::Library;
use crate::library::limit::permission::Act;
use crate::library::lookup::target::Target;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::node::meaning::{self, Spot};
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::pending::PendingLinks;
use crate::tree::open::processes::Processes;
use crate::tree::open::rights::Rights;
use crate::tree::request::{Caller, RenameMode};
use words::link::Link;
use words::media_type::MediaType;
use words::place::{Folder, Place};
use words::refusal::{Rule, Violation};
use words::rule::Kind;
use words::schema::{Collection, Field, OnRefuse};
use words::slot::Name;

pub struct Admission {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) links: Arc<PendingLinks>,
    pub(super) rights: Arc<Rights>,
    pub(super) processes: Processes,
}

impl Admission {
    /// Refuses an extension that the rules can never accept (CONTRACT 2.2).
    pub fn check_extension(&self, who: Caller, spot: &Spot, name: &Name) -> Result<()> {
        let (_, Some(extension)) = name.split_extension() else { return Ok(()) };
        let field = &spot.field;
        // A field that quarantines in silence judges the bytes alone.
        if field.could_take(extension) || field.on_refuse == OnRefuse::Quarantine {
            return Ok(());
        }
        self.refuse(who, spot, name, wrong_extension(field, extension))
    }

    /// Refuses a new item of a collection that is full (CONTRACT 3).
    pub fn check_items(&self, who: Caller, spot: &Spot, name: &Name) -> Result<()> {
        let Some(violation) = self.overflow(spot)? else { return Ok(()) };
        self.refuse(who, spot, name, violation)
    }

    fn refuse(&self, who: Caller, spot: &Spot, name: &Name, violation: Violation) -> Result<()> {
        let target = self.places.target(spot, name)?;
        let author = self.processes.author(who);
        Err(self.library.refusals.refuse(&target, author, violation, None).into())
    }

    /// The violation of a new item at this place, if its collection is full. First drafts of other items count.
    pub fn overflow(&self, spot: &Spot) -> Result<Option<Violation>> {
        let Spot { place, field } = spot;
        let (Some(most), Some(_)) = (field.max_items, &place.item) else { return Ok(None) };
        let mut held = self.library.lookup.count_items(place)?;
        let begun = self.drafts.begun_beside(place);
        session_thread::leave_for_many(|| Ok::<_, Error>(begun.len() as u64))?;
        for begun in begun {
            // The slot of this draft may have been taken by another draft's commit.
            if held < most && self.library.lookup.link(&begun)?.is_none() {
                held += 1;
            }
        }
        Ok((held >= most).then(|| too_many(held, most)))
    }

    /// Refuses a link that a collection cannot take. `taken`: it replaces an item. `from`: the place that it leaves.
    pub fn check_arrival(
        &self,
        who: Caller,
        target: &Target,
        taken: bool,
        from: Option<&Place>,
    ) -> Result<()> {
        if target.field.collection == Collection::One {
            return Ok(());
        }
        let spot = Spot::from(target);
        self.check_extension(who, &spot, &target.written)?;
        let stays = from.is_some_and(|from| from.folder() == target.place.folder());
        if taken || stays { Ok(()) } else { self.check_items(who, &spot, &target.written) }
    }

    /// Whether a file that is no link may be renamed onto a slot. Returns the link that it will displace, if the kernel may have
    /// its name cached afterwards. `side`: that of the new name.
    pub fn check_rename(
        &self,
        who: Caller,
        target: &Target,
        side: Side,
        mode: RenameMode,
    ) -> Result<Option<Link>> {
        let before = self.library.lookup.link(&target.place)?;
        match (mode, &before) {
            (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
            (RenameMode::Exchange, _) => {
                return Err(Error::Invalid("this file cannot be exchanged with a field's"));
            }
            (_, None) => self.check_items(who, &target.into(), &target.written)?,
            (RenameMode::Replace, Some(link)) => self.rights.check(who, Act::Displace, link)?,
        }
        // A name of `/originals` replaces none of `/models`.
        Ok(before.filter(|link| side == Side::Originals || outlives(link, target)))
    }

    /// Refuses to replace a file of another user under a scratch name.
    pub fn check_displaced(&self, who: Caller, folder: &Folder, name: &Name) -> Result<()> {
        if let Some(link) = self.links.named(folder, name) {
            who.check_owner(link.symlink.uid)?;
        }
        let displaced = self.library.scratch.find(folder, name)?;
        displaced.map_or(Ok(()), |record| who.check_owner(record.access.uid))
    }
}

/// Whether the kernel may have the listed name of a displaced link cached. It replaces the target name of a rename itself, and
/// holds that directory's lock meanwhile: waiting for it would be in vain.
pub fn outlives(displaced: &Link, target: &Target) -> bool {
    meaning::listed(displaced, target.field.collection) != target.written
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
        hint: named.way_out().filter(|_| field.rules.kind == Kind::Image).map_or_else(
            || "send a file of an accepted type, or drop the extension if it is wrong".into(),
            |way_out| format!("{way_out}; drop the extension if it is wrong"),
        ),
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
