//! The trash in the reference: the attachments without a name. A file that is put back is judged like a move. `tree/trash_day` tests
//! the names in the trash.

use std::collections::BTreeSet;

use mediafs::library::keep::sweeper::Patience;
use proptest::prelude::*;

use super::reference::{Expected, Reference, broken, is_field};
use super::{Judged, Pair, agree};
use crate::tree::simulated_kernel::{At, Refusal};

impl Reference {
    /// The bytes of all attachments without a name, sorted.
    pub fn lost(&self) -> Vec<&[u8]> {
        let named: BTreeSet<_> = self.slots.values().collect();
        let lost = self.attachments.iter().filter(|(id, _)| !named.contains(id));
        let mut lost: Vec<_> = lost.map(|(_, bytes)| &bytes[..]).collect();
        lost.sort_unstable();
        lost
    }

    /// Puts the attachment with these bytes back. `None` if there are several, which cannot be told apart.
    pub fn restore(&mut self, bytes: &[u8], to: At) -> Option<Expected> {
        let named: BTreeSet<_> = self.slots.values().copied().collect();
        let same = |(id, other): &(&u32, &Vec<u8>)| !named.contains(id) && other[..] == *bytes;
        let mut found = self.attachments.iter().filter(same).map(|(id, _)| *id);
        let id = found.next().filter(|_| found.next().is_none())?;
        let Some(place) = self.place(to) else { return Some(Expected::Error(Refusal::NotFound)) };
        if !is_field(to.name) {
            return Some(Expected::Error(Refusal::NotPermitted));
        }
        if let Some(full) = self.full(None, place) {
            return Some(full);
        }
        let rules = broken(to.name, bytes);
        if !rules.is_empty() {
            return Some(Expected::Refused(rules));
        }
        self.hang(place, id);
        self.drop_placeholders(place);
        Some(Expected::Done)
    }
}

impl Pair {
    pub(super) fn restore(&mut self, data: &[u8], to: At) -> Judged {
        let lost = self.kernel().trash().into_iter().find(|lost| lost.bytes == data);
        let Some(lost) = lost else { return Ok(()) };
        let Some(expected) = self.reference.restore(data, to) else { return Ok(()) };
        agree(&expected, &self.kernel().restore(&lost, to))
    }

    pub(super) fn sweep(&mut self) -> Judged {
        let swept = self.instance.library().sweeper.sweep(Patience::None);
        prop_assert!(swept.is_ok(), "{swept:?}");
        self.reference.sweep();
        Ok(())
    }

    pub(super) fn compare_trash(&self) -> Judged {
        let mut lost: Vec<_> = self.kernel().trash().into_iter().map(|lost| lost.bytes).collect();
        lost.sort_unstable();
        prop_assert_eq!(lost, self.reference.lost(), "the files in the trash");
        Ok(())
    }
}
