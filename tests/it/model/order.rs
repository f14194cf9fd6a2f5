//! Collections in the reference: the order of their items, and the bound of their number.

use std::collections::BTreeSet;

use words::refusal::Rule;

use super::reference::{Expected, Place, Reference};
use crate::tree::instance::LIST_MAX;

impl Reference {
    /// Puts an attachment at a place. An item that replaces another takes its position, an item that is written again has its old
    /// position, and a new item is last.
    pub(super) fn hang(&mut self, place: Place, id: u32) {
        let now = self.number();
        let arrival = self.vacated.remove(&place).unwrap_or(now);
        self.arrivals.entry(place).or_insert(arrival);
        self.slots.insert(place, id);
    }

    pub(super) fn take_down(&mut self, place: Place) -> Option<u32> {
        if let Some(arrival) = self.arrivals.remove(&place) {
            self.vacated.insert(place, arrival);
        }
        self.slots.remove(&place)
    }

    /// Moves a link. Inside a collection it keeps its position, unless it replaces another item.
    pub(super) fn move_link(&mut self, from: Place, to: Place) {
        let arrival = self.arrivals.get(&from).copied();
        let Some(id) = self.take_down(from) else { return };
        if from.0 == to.0
            && collection(from.1).is_some()
            && collection(from.1) == collection(to.1)
            && !self.arrivals.contains_key(&to)
            && let Some(arrival) = arrival
        {
            self.vacated.remove(&from);
            self.vacated.insert(to, arrival);
        }
        self.hang(to, id);
    }

    /// Whether a list has no room for one more item. Drafts of new items count.
    pub(super) fn is_full(&self, place: Place) -> bool {
        if collection(place.1) != Some("list") || self.slots.contains_key(&place) {
            return false;
        }
        let beside = |other: &Place| {
            *other != place && other.0 == place.0 && collection(other.1) == Some("list")
        };
        let begun = self.drafts.iter().filter(|draft| draft.is_shown()).map(|draft| draft.place);
        let items: BTreeSet<_> =
            self.slots.keys().copied().chain(begun).filter(|other| beside(other)).collect();
        items.len() as u64 >= LIST_MAX
    }

    /// The refusal of a full collection, for a file from elsewhere.
    pub(super) fn full(&self, from: Option<Place>, to: Place) -> Option<Expected> {
        let stays = |from: Place| from.0 == to.0 && collection(from.1) == collection(to.1);
        let full = !from.is_some_and(stays) && self.is_full(to);
        full.then(|| Expected::Refused(vec![Rule::MaxItems]))
    }

    /// The items of a collection, in its order.
    pub fn items(&self, row: &'static str, name: &str) -> Vec<String> {
        let Some(&row) = self.rows.get(row) else { return Vec::new() };
        let here = |place: &Place| place.0 == row && collection(place.1) == Some(name);
        let mut items: Vec<_> = self.arrivals.iter().filter(|(place, _)| here(place)).collect();
        items.sort_by_key(|(_, arrival)| **arrival);
        let last = |name: &str| name.split_once('/').map(|(_, item)| item.to_owned());
        items.iter().filter_map(|(place, _)| last(place.1)).collect()
    }
}

/// The collection of a name.
fn collection(name: &str) -> Option<&str> {
    name.split_once('/').map(|(collection, _)| collection)
}
