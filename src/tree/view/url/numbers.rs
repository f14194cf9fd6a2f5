//! The numbers of the views `<field>.url`, and which of them are being written. A restart forgets both.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::open::document::Document;
use words::place::Place;

/// Views that have a number. One that lost it is looked up again (`ESTALE`).
const MAX_VIEWS: usize = 4_096;

#[derive(Debug)]
pub struct UrlNumbers {
    /// Guards the numbers and the open texts. Never held across I/O.
    index: Mutex<Index>,
}

#[derive(Debug)]
struct Index {
    last: u64,
    numbers: BoundedMap<Place, u64>,
    places: HashMap<u64, Place>,
    open: Vec<(u64, Arc<Document>)>,
}

impl Default for UrlNumbers {
    fn default() -> Self {
        let numbers = BoundedMap::ageless(MAX_VIEWS);
        let index = Index { last: 0, numbers, places: HashMap::new(), open: Vec::new() };
        Self { index: Mutex::new(index) }
    }
}

impl UrlNumbers {
    /// The number of a view, the same for as long as there is room.
    pub fn number(&self, place: &Place) -> u64 {
        let mut index = self.index.lock();
        if let Some(number) = index.numbers.get(place) {
            return *number;
        }
        index.last += 1;
        let number = index.last;
        if let Some((_, evicted)) = index.numbers.insert(place.clone(), number) {
            index.places.remove(&evicted);
        }
        index.places.insert(number, place.clone());
        number
    }

    pub fn place(&self, number: u64) -> Option<Place> {
        self.index.lock().places.get(&number).cloned()
    }

    /// The text that is being written to a view; of several the first.
    pub fn writer(&self, number: u64) -> Option<Arc<Document>> {
        let index = self.index.lock();
        index.open.iter().find(|(other, _)| *other == number).map(|(_, open)| Arc::clone(open))
    }

    pub fn open(&self, number: u64, document: Arc<Document>) {
        self.index.lock().open.push((number, document));
    }

    pub fn close(&self, closed: &Arc<Document>) {
        self.index.lock().open.retain(|(_, open)| !Arc::ptr_eq(open, closed));
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
        let urls = UrlNumbers::default();
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
