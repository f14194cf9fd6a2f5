//! A target: the place that bytes go to, with the rules of its field.

use std::sync::Arc;

use words::place::Place;
use words::schema::Field;
use words::slot::{Name, Slot};

/// The place that bytes go to, with the rules of its field.
#[derive(Debug, Clone)]
pub struct Target {
    pub place: Place,
    pub slot: Slot,
    pub field: Arc<Field>,
    /// The name as the client wrote it: `avatar`, `avatar.JPG`.
    pub written: Name,
}
