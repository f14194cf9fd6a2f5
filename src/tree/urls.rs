//! The views `<field>.url`: their numbers, and which of them are being written.
//! Does not read what is written and does not fetch; what is here is forgotten by a restart.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::document::Document;
use words::attachment::{Access, Times};
use words::author::Author;
use words::place::Place;
use words::timestamp::Timestamp;

/// Views that have a number. One that lost it is looked up again (`ESTALE`).
const MAX_VIEWS: usize = 4_096;

/// What is known of a view that is open for writing, but for its text.
#[derive(Debug)]
pub struct Writing {
    /// The view's number.
    pub number: u64,
    pub target: Target,
    pub author: Author,
    pub access: Access,
    pub times: Times,
    /// Guards what the writer unlinked before it began, until somebody sees to it (CONTRACT 2.11).
    replaced: Mutex<Option<Arc<Promise>>>,
}

impl Writing {
    pub fn new(number: u64, target: Target, author: Author, access: Access) -> Self {
        let times = Times::all(Timestamp::now());
        Self { number, target, author, access, times, replaced: Mutex::default() }
    }

    /// Notes what is to be put back if nothing comes of it.
    pub fn in_place_of(self, replaced: Option<Arc<Promise>>) -> Self {
        Self { replaced: Mutex::new(replaced), ..self }
    }

    /// What is to be put back; whoever asks sees to it.
    pub fn take_replaced(&self) -> Option<Arc<Promise>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug, Default)]
pub struct Urls {
    /// Guards the index. Never held across I/O.
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    last: u64,
    numbers: HashMap<Place, u64>,
    places: BTreeMap<u64, Place>,
    open: Vec<(u64, Arc<Document>)>,
}

impl Urls {
    /// The number of a view, the same for as long as there is room.
    pub fn number(&self, place: &Place) -> u64 {
        let mut index = self.lock();
        if let Some(number) = index.numbers.get(place) {
            return *number;
        }
        if index.places.len() >= MAX_VIEWS
            && let Some((_, oldest)) = index.places.pop_first()
        {
            index.numbers.remove(&oldest);
        }
        index.last += 1;
        let number = index.last;
        index.numbers.insert(place.clone(), number);
        index.places.insert(number, place.clone());
        number
    }

    pub fn place(&self, number: u64) -> Option<Place> {
        self.lock().places.get(&number).cloned()
    }

    /// The text that is being written to a view; of several the first.
    pub fn writer(&self, number: u64) -> Option<Arc<Document>> {
        let index = self.lock();
        index.open.iter().find(|(other, _)| *other == number).map(|(_, open)| Arc::clone(open))
    }

    pub fn open(&self, number: u64, document: Arc<Document>) {
        self.lock().open.push((number, document));
    }

    pub fn close(&self, closed: &Arc<Document>) {
        self.lock().open.retain(|(_, open)| !Arc::ptr_eq(open, closed));
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;
    use words::slot::Name;

    fn place(row: u64) -> Place {
        Place::one(RowId(row), Name::parse("avatar").expect("a name"))
    }

    #[test]
    fn a_view_keeps_its_number_and_the_oldest_make_room() {
        let urls = Urls::default();
        let number = urls.number(&place(0));
        assert_eq!(urls.number(&place(0)), number);
        assert_eq!(urls.place(number), Some(place(0)));
        for row in 1..=4_096 {
            urls.number(&place(row));
        }
        assert_eq!(urls.place(number), None);
        assert_ne!(urls.number(&place(0)), number);
    }
}
