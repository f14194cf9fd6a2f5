//! A target: the place that bytes go to, with the rules of its field.

use std::sync::Arc;

use crate::catalog::slots::Destination;
use words::attachment::Access;
use words::link::Collision;
use words::place::Place;
use words::schema::Field;
use words::slot::{Name, Slot};

#[derive(Debug, Clone)]
pub struct Target {
    pub place: Place,
    pub slot: Slot,
    pub field: Arc<Field>,
    /// The name as the client wrote it: `avatar`, `avatar.JPG`.
    pub written: Name,
    /// The access of the directory, which a new file inherits its group from if the set-group-ID bit is set.
    pub directory: Access,
}

impl Target {
    /// The target in the catalogue's words.
    pub(in crate::library) fn destination(&self, collision: Collision) -> Destination<'_> {
        Destination { place: &self.place, written: &self.written, collision }
    }
}
