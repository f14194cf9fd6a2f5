//! Whether a caller may reach an attachment by a way that the kernel does not check ([`Act`]).

use std::sync::Arc;

use crate::library::Library;
use crate::library::limit::permission::{Act, Person, sticky};
use crate::tree::error::{Error, Result};
use crate::tree::node::places::Places;
use crate::tree::open::processes::Processes;
use crate::tree::request::Caller;
use words::attachment::Access;
use words::author::Author;
use words::link::Link;

pub struct Rights {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) processes: Processes,
}

impl Rights {
    /// The caller, as the question of permission needs it.
    pub fn person(&self, who: Caller) -> Person<impl Fn(u32) -> bool> {
        self.processes.person(who)
    }

    pub fn may(&self, who: Caller, act: Act, link: &Link) -> Result<bool> {
        let file = link.attachment.access;
        // The row is looked up only where it decides.
        let row = match act {
            Act::Displace if ![0, file.uid].contains(&who.uid) => {
                self.places.row(link.place.row)?.access
            }
            _ => file,
        };
        Ok(self.person(who).may(act, file, row))
    }

    /// Errors: [`Error::Denied`] for bytes; a refusal, which is recorded, for a name that the row's stickiness protects.
    pub fn check(&self, who: Caller, act: Act, link: &Link) -> Result<()> {
        match (self.may(who, act, link)?, act) {
            (true, _) => Ok(()),
            (false, Act::Displace) => Err(self.refuse(self.processes.author(who), link)),
            (false, Act::Read | Act::Write | Act::Describe) => Err(Error::Denied),
        }
    }

    /// Whether the bytes of a writer may take the place of an attachment that came after the writer's `open`: it may be written,
    /// or displaced.
    pub fn may_overwrite(&self, writer: Author, link: &Link) -> Result<bool> {
        // The primary group is not known any more.
        let who = Caller { uid: writer.uid, gid: u32::MAX, tid: writer.pid };
        Ok(self.may(who, Act::Displace, link)? || self.may(who, Act::Write, link)?)
    }

    pub fn check_overwrite(&self, writer: Author, link: &Link) -> Result<()> {
        if self.may_overwrite(writer, link)? { Ok(()) } else { Err(self.refuse(writer, link)) }
    }

    fn refuse(&self, author: Author, link: &Link) -> Error {
        match self.library.lookup.target_of(link.place.clone()) {
            Ok(Some(target)) => {
                self.library.refusals.refuse(&target, author, sticky(), None).into()
            }
            Ok(None) => Error::NotFound,
            Err(error) => error.into(),
        }
    }

    /// Checks that a move to a place which fixes another access gives no file away: the mover must be able to read it. Errors:
    /// [`Error::CrossDevice`], so that `mv` copies what it may read.
    pub fn check_access(&self, who: Caller, link: &Link, becomes: Access) -> Result<()> {
        let file = link.attachment.access;
        if becomes == file || self.may(who, Act::Read, link)? {
            Ok(())
        } else {
            Err(Error::CrossDevice)
        }
    }
}
