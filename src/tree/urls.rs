//! The views `<field>.url`: their numbers, and the texts that are being written to them.
//! Does not read the texts and does not fetch; what is here is forgotten by a restart.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::attachment::{Access, AttachmentId, Times};
use crate::catalog::Place;
use crate::fetch::shortcut::MAX_BYTES;
use crate::library::Target;
use crate::library::refuse::Author;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use crate::tree::process::Owner;
use crate::tree::{Error, Result};

/// Views that have a number. One that lost it is looked up again (`ESTALE`).
const MAX_VIEWS: usize = 4_096;

/// A view that is open for writing.
#[derive(Debug)]
pub struct OpenUrl {
    /// The view's number.
    pub view: u64,
    pub target: Target,
    pub opener: Owner,
    pub author: Author,
    pub access: Access,
    pub times: Times,
    /// Guards the text. Never held across I/O: what is fetched is a copy.
    text: Mutex<Text>,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Written since the last verdict.
    fresh: bool,
    /// The last verdict, until the text is truncated to nothing.
    refusal: Option<Refusal>,
    /// What the writer unlinked before it began.
    replaced: Option<AttachmentId>,
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
    open: Vec<Arc<OpenUrl>>,
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
    pub fn writer(&self, number: u64) -> Option<Arc<OpenUrl>> {
        self.lock().open.iter().find(|open| open.view == number).cloned()
    }

    pub fn open(&self, open: OpenUrl) -> Arc<OpenUrl> {
        let open = Arc::new(open);
        self.lock().open.push(Arc::clone(&open));
        open
    }

    pub fn close(&self, closed: &Arc<OpenUrl>) {
        self.lock().open.retain(|open| !Arc::ptr_eq(open, closed));
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenUrl {
    /// A view without a byte, for a target's place.
    pub fn new(view: u64, target: Target, opener: Owner, author: Author, access: Access) -> Self {
        let times = Times::all(Timestamp::now());
        Self { view, target, opener, author, access, times, text: Mutex::default() }
    }

    /// Notes what is to be put back if nothing comes of it (CONTRACT 2.11).
    pub fn in_place_of(self, replaced: Option<AttachmentId>) -> Self {
        self.lock().replaced = replaced;
        self
    }

    /// What is to be put back; whoever asks sees to it.
    pub fn take_replaced(&self) -> Option<AttachmentId> {
        self.lock().replaced.take()
    }

    pub fn size(&self) -> u64 {
        self.lock().bytes.len() as u64
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Takes bytes in any order. What was refused takes none until it is truncated to nothing (CONTRACT 2.5).
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<usize> {
        let mut text = self.lock();
        if let Some(refusal) = &text.refusal {
            return Err(refusal.clone().into());
        }
        let start = usize::try_from(offset).map_err(|_| Error::TooLarge)?;
        let end = start.checked_add(data.len()).filter(|end| *end <= MAX_BYTES);
        let end = end.ok_or(Error::TooLarge)?;
        if text.bytes.len() < end {
            // `>>` writes behind the URL that is shown, which is not copied: blank lines stand for it.
            text.bytes.resize(end, b'\n');
        }
        text.bytes[start..end].copy_from_slice(data);
        text.fresh = true;
        Ok(data.len())
    }

    pub fn set_len(&self, length: u64) -> Result<()> {
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_BYTES);
        let length = length.ok_or(Error::TooLarge)?;
        let mut text = self.lock();
        if length == 0 {
            *text = Text { replaced: text.replaced, ..Text::default() };
        }
        text.bytes.resize(length, b'\n');
        Ok(())
    }

    /// Whether a close would have something to fetch.
    pub fn is_fresh(&self) -> bool {
        let text = self.lock();
        text.fresh && !text.bytes.is_empty()
    }

    /// What has no verdict yet, to be given one; the last verdict if there is nothing new.
    pub fn take(&self) -> Result<Option<Vec<u8>>> {
        let mut text = self.lock();
        if let Some(refusal) = &text.refusal {
            return Err(refusal.clone().into());
        }
        let fresh = std::mem::take(&mut text.fresh) && !text.bytes.is_empty();
        Ok(fresh.then(|| text.bytes.clone()))
    }

    /// Nothing came of it. A refusal stays; anything else may be tried again.
    pub fn failed(&self, error: &Error) {
        let mut text = self.lock();
        match error {
            Error::Refused(refusal) => text.refusal = Some(refusal.clone()),
            _ => text.fresh = true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::RowId;
    use crate::refusal::{RefusalId, Violation};
    use crate::rule::Rules;
    use crate::schema::Field;
    use crate::slot::{Name, Row, Slot};

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn place(row: u64) -> Place {
        Place::one(RowId(row), name("avatar"))
    }

    fn open() -> OpenUrl {
        let row = Row { table: name("user"), id: name("42") };
        let target = Target {
            place: place(42),
            slot: Slot { row, field: name("avatar"), item: None },
            field: Arc::new(Field::new(name("avatar"), Rules::image())),
            written: name("avatar"),
        };
        let author = Author { uid: 1, pid: 2 };
        OpenUrl::new(1, target, Owner::Handle, author, Access { uid: 1, gid: 1, mode: 0o644 })
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

    #[test]
    fn a_text_is_taken_once_and_again_after_a_failure() {
        let open = open();
        assert!(matches!(open.take(), Ok(None)));
        assert!(open.write_at(3, b"http://x").is_ok() && open.is_fresh());
        assert!(matches!(open.take(), Ok(Some(bytes)) if bytes == b"\n\n\nhttp://x"));
        assert!(matches!(open.take(), Ok(None)));
        open.failed(&Error::TooBusy);
        assert!(matches!(open.take(), Ok(Some(_))));
    }

    #[test]
    fn a_refused_text_stays_refused_until_it_is_emptied() {
        let open = open();
        let slot = open.target.slot.clone();
        let refusal = Refusal::new(RefusalId::from_number(1), &slot, Violation::small_image());
        open.failed(&Error::Refused(refusal));
        assert!(matches!(open.write_at(0, b"x"), Err(Error::Refused(_))));
        assert!(matches!(open.take(), Err(Error::Refused(_))));
        assert!(open.set_len(0).is_ok() && open.write_at(0, b"x").is_ok());
    }

    #[test]
    fn a_text_is_bounded() {
        let open = open();
        assert!(open.write_at(0, &vec![b'a'; MAX_BYTES]).is_ok());
        assert!(matches!(open.write_at(MAX_BYTES as u64, b"a"), Err(Error::TooLarge)));
        assert!(matches!(open.write_at(u64::MAX, b"a"), Err(Error::TooLarge)));
        assert!(matches!(open.set_len(1 << 40), Err(Error::TooLarge)));
    }
}
