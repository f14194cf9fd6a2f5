//! `/trash`: what was detached, by day, and how it is put back (CONTRACT 7).
//! Does not delete: nobody removes from the trash by a name, so that an `rm -r` of the whole tree loses nothing.

use std::sync::Arc;

use crate::library::keep::trash::Position;
use crate::library::lookup::target::Target;
use crate::tree::attr::{Attr, Entry, Opened, RenameMode};
use crate::tree::node::Node;
use crate::tree::ops::attach::outlives;
use crate::tree::ops::rename::collision;
use crate::tree::ops::stat::{attachment_attr, fleeting};
use crate::tree::permission::{SEARCH, owned};
use crate::tree::{Caller, Error, Result, Tree};
use words::attachment::{Access, Attachment, AttachmentId, Times};
use words::author::Author;
use words::day::Day;
use words::link::{Collision, Link};
use words::retired::Retired;
use words::slot::Name;
use words::timestamp::Timestamp;

/// A day may be written to, for what a rename takes away is an entry of it; the sticky bit leaves that to the owner of
/// the file and to root.
const DAY_MODE: u32 = 0o1777;

/// An offset in a day has the nanoseconds since midnight (47 bits) above this many bits, which count what was detached in
/// one and the same nanosecond. So reading goes on where it was, whatever was swept or put back meanwhile.
const SAME_MOMENT_BITS: u32 = 16;
const SAME_MOMENT: u64 = (1 << SAME_MOMENT_BITS) - 1;

/// Entries that are read at a time: each asks for its name, and the kernel's buffer takes few.
const PAGE: usize = 64;

impl Tree {
    pub(in crate::tree) fn lookup_trash_day(&self, name: &Name) -> Result<Entry> {
        let day = Day::parse(name.as_str()).ok_or(Error::NotFound)?;
        if self.library.trash.first_day(day)? != Some(day) {
            return Err(Error::NotFound);
        }
        Ok(fleeting(self.trash_day_attr(day)))
    }

    pub(in crate::tree) fn lookup_trashed(&self, day: Day, name: &Name) -> Result<Entry> {
        let retired = self.library.trash.find(day, name)?.ok_or(Error::NotFound)?;
        Ok(fleeting(trashed_attr(retired)))
    }

    /// Listed as long as its time of change stays: it never does.
    pub(in crate::tree) fn trash_day_attr(&self, day: Day) -> Attr {
        let times = Times { modified: Timestamp::now(), ..Times::all(day.start()) };
        let attr = self.view(Node::TrashDay(day), times);
        Attr { access: Access { mode: DAY_MODE, ..attr.access }, ..attr }
    }

    /// While a handle is open on it this may be an `fstat`, whatever became of the name.
    pub(in crate::tree) fn stat_trashed(&self, id: AttachmentId) -> Result<Attr> {
        if let Some(retired) = self.library.trash.by_id(id)? {
            return Ok(trashed_attr(retired));
        }
        let open = self.handles.open_attachment(id).ok_or(Error::Stale)?;
        Ok(Attr { ino: Node::Trashed(id).ino(), ..attachment_attr(&open) })
    }

    pub(in crate::tree) fn open_trashed(&self, who: Caller, id: AttachmentId) -> Result<Opened> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        self.check_row_of(who, &retired)?;
        let file = match self.library.blobs.open(&retired.attachment) {
            Ok(file) => file,
            // Swept, or put back, since it was looked up.
            Err(_) if self.library.trash.by_id(id)?.is_none() => return Err(Error::Stale),
            Err(error) => return Err(error.into()),
        };
        let fh = self.handles.add_attachment(
            &retired.attachment,
            retired.attachment.blob,
            Arc::clone(&file),
        );
        Ok(Opened::stored(fh, file, retired.attachment.content.length))
    }

    /// The days that something was detached on, from the one with this offset on.
    pub(in crate::tree) fn list_trash_days(&self, after: u64) -> Result<Vec<(Node, String, u64)>> {
        let mut from = Day(u32::try_from(after).unwrap_or(u32::MAX));
        let mut days = Vec::new();
        while days.len() < PAGE
            && let Some(day) = self.library.trash.first_day(from)?
        {
            from = day.next();
            days.push((Node::TrashDay(day), day.to_string(), u64::from(from.0)));
        }
        Ok(days)
    }

    pub(in crate::tree) fn list_trashed(
        &self,
        day: Day,
        after: u64,
    ) -> Result<Vec<(Entry, String, u64)>> {
        let page = self.library.trash.list(day, position(day, after), PAGE)?;
        let listed = page.into_iter().map(|trashed| {
            let (name, next) = (trashed.name.to_string(), offset(day, trashed.next));
            (fleeting(trashed_attr(trashed.retired)), name, next)
        });
        Ok(listed.collect())
    }

    /// `mv` of a name in the trash onto a field.
    pub(in crate::tree) fn restore_by_name(
        &self,
        who: Caller,
        (day, name): (Day, &Name),
        target: &Target,
        mode: RenameMode,
    ) -> Result<()> {
        if mode == RenameMode::Exchange {
            return Err(Error::Invalid("the trash takes nothing in exchange"));
        }
        let retired = self.library.trash.find(day, name)?.ok_or(Error::NotFound)?;
        let author = self.restorer(who, &retired.attachment)?;
        let before = self.library.lookup.link(&target.place)?;
        self.check_arrival(who, target, before.is_some(), None)?;
        let before = before.filter(|link| outlives(link, target));
        self.hang(&retired, target, (collision(mode), author), before.as_ref())
    }

    /// `ln` of a file in the trash: with a name it is in the trash no more.
    pub(in crate::tree) fn restore_by_link(
        &self,
        who: Caller,
        id: AttachmentId,
        target: &Target,
    ) -> Result<()> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        let author = self.restorer(who, &retired.attachment)?;
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.check_arrival(who, target, taken, None)?;
        self.hang(&retired, target, (Collision::Refuse, author), None)
    }

    /// Hangs what was detached from a slot again, without the kernel having asked for it.
    pub fn restore(
        &self,
        retired: &Retired,
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<()> {
        let before = self.library.lookup.link(&target.place)?;
        self.hang(retired, target, (collision, author), before.as_ref())
    }

    /// `before`: what the kernel may still know by its name afterwards.
    fn hang(
        &self,
        retired: &Retired,
        target: &Target,
        (collision, author): (Collision, Author),
        before: Option<&Link>,
    ) -> Result<()> {
        let displaced = self.library.links.restore(retired, target, collision, author)?;
        self.row_changed(&target.place);
        self.drop_placeholders(&target.place, 0);
        self.forget_attachment(retired.attachment.id);
        if let Some(displaced) = displaced {
            self.displaced(&target.place, &displaced, before);
        }
        Ok(())
    }

    /// Whose row was closed to somebody, what it held is closed to him still. Of a row that is gone nobody knows: there the
    /// owner of the file and root have it alone.
    pub(in crate::tree) fn check_row_of(&self, who: Caller, retired: &Retired) -> Result<()> {
        let Retired { attachment, slot, .. } = retired;
        let owned = owned(attachment.access.uid, who);
        if owned.is_ok() {
            return Ok(());
        }
        let table = self.library.lookup.table_named(slot.row.table.as_str());
        let row = table.map(|table| self.library.lookup.row(table.id, &slot.row.id)).transpose()?;
        match row.flatten() {
            Some(row) if self.may(who, row.access, SEARCH) => Ok(()),
            _ => owned,
        }
    }

    /// Who may put it back: its owner and root, also where others may write to the row.
    fn restorer(&self, who: Caller, attachment: &Attachment) -> Result<Author> {
        owned(attachment.access.uid, who)?;
        Ok(Self::author(who, &self.processes.owner(who.tid)))
    }
}

/// As it was, but for the time of the detaching: that is its last change.
fn trashed_attr(retired: Retired) -> Attr {
    let Retired { attachment, at, .. } = retired;
    let attr = attachment_attr(&attachment);
    let times = Times { changed: at, ..attr.times };
    Attr { ino: Node::Trashed(attachment.id).ino(), links: 1, times, ..attr }
}

fn offset(day: Day, position: Position) -> u64 {
    let since_midnight = u64::try_from(position.at.0 - day.start().0).unwrap_or(0);
    let skip = u64::try_from(position.skip).unwrap_or(SAME_MOMENT).min(SAME_MOMENT);
    (since_midnight << SAME_MOMENT_BITS) | skip
}

fn position(day: Day, offset: u64) -> Position {
    let since_midnight = i64::try_from(offset >> SAME_MOMENT_BITS).unwrap_or(i64::MAX);
    let skip = usize::try_from(offset & SAME_MOMENT).unwrap_or(usize::MAX);
    Position { at: Timestamp(day.start().0.saturating_add(since_midnight)), skip }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_says_where_reading_goes_on_until_the_end_of_the_day() {
        let day = Day(20_781);
        for (nanos, skip) in [(0, 0), (0, 1), (86_399_999_999_999, 1), (5, 65_535)] {
            let found = Position { at: Timestamp(day.start().0 + nanos), skip };
            let offset = offset(day, found);
            assert!(i64::try_from(offset + 2).is_ok(), "the kernel's offsets are signed");
            assert_eq!(position(day, offset), found);
        }
    }
}
