//! Attachments that were emptied a moment ago: the next `open` of the same user starts with nothing (CONTRACT 2.6).

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use words::attachment::AttachmentId;
use words::place::Place;

/// Attachments that are remembered, and for how long.
const MAX: usize = 65_536;
const SPAN: Duration = Duration::from_secs(60);

pub struct Emptied {
    /// Guards the attachments with the name that was used and the user. Never held across I/O.
    by_user: Mutex<BoundedMap<(Place, AttachmentId, u32), ()>>,
}

impl Default for Emptied {
    fn default() -> Self {
        Self { by_user: Mutex::new(BoundedMap::new(MAX, SPAN)) }
    }
}

impl Emptied {
    pub fn note(&self, place: Place, id: AttachmentId, uid: u32) {
        self.by_user.lock().insert((place, id, uid), ());
    }

    /// Whether the user emptied the attachment by this name. Forgets it.
    pub fn take(&self, place: &Place, id: AttachmentId, uid: u32) -> bool {
        self.by_user.lock().remove(&(place.clone(), id, uid)).is_some()
    }

    pub fn forget_old(&self, now: Instant) {
        self.by_user.lock().expire(now);
    }
}
