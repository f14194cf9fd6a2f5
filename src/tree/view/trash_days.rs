//! `/trash`: what was detached, by day, and how it is put back (CONTRACT 7). Nothing is removed from the trash by a name, so that an
//! `rm -r` of the whole tree loses nothing.

use std::sync::Arc;

use crate::library::Library;
use crate::library::keep::trash::Position;
use crate::library::lookup::target::Target;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::side::Side;
use crate::tree::open::admission::{Admission, outlives};
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::Handles;
use crate::tree::open::opened::Opened;
use crate::tree::open::permits::{SEARCH, may, owned};
use crate::tree::open::processes::Processes;
use crate::tree::request::{Caller, RenameMode};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::child::{Child, DOTS};
use crate::tree::show::{Show, stored};
use words::attachment::{Access, Attachment, AttachmentId, Times};
use words::author::Author;
use words::day::Day;
use words::link::{Collision, Link};
use words::retired::Retired;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Everybody may write to a day, for a file that a rename takes away is an entry of it; the sticky bit leaves that to the owner of
/// the file and to root.
const DAY_MODE: u32 = 0o1777;

/// An offset in a day has the nanoseconds since midnight (47 bits) above this many bits, which count what was detached in the same
/// nanosecond. So reading goes on where it was, whatever was swept or put back meanwhile.
const SAME_MOMENT_BITS: u32 = 16;
const SAME_MOMENT: u64 = (1 << SAME_MOMENT_BITS) - 1;

/// Entries that are read at a time: each asks for its name, and the kernel's buffer takes few.
const PAGE: usize = 64;

pub struct TrashDays {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) show: Arc<Show>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) admission: Arc<Admission>,
    pub(super) processes: Processes,
}

/// How a file of the trash is put back.
#[derive(Debug, Clone, Copy)]
pub struct Restoring<'a> {
    pub target: &'a Target,
    pub collision: Collision,
    pub author: Author,
}

impl TrashDays {
    pub fn lookup_day(&self, name: &Name) -> Result<Entry> {
        let day = Day::parse(name.as_str()).ok_or(Error::NotFound)?;
        if self.library.trash.first_day(day)? != Some(day) {
            return Err(Error::NotFound);
        }
        Ok(Entry::fleeting(self.stat_day(day)))
    }

    pub fn lookup(&self, day: Day, name: &Name) -> Result<Entry> {
        let retired = self.library.trash.find(day, name)?.ok_or(Error::NotFound)?;
        Ok(Entry::fleeting(trashed_attr(retired)))
    }

    /// The trash itself. Never cached: its time of change is always now.
    pub fn stat_trash(&self) -> Attr {
        let attr = self.show.fixed(Node::Trash);
        let times = Times { modified: Timestamp::now(), ..attr.times };
        Attr { times, ..attr }
    }

    /// A day. Never cached: its time of change is always now.
    pub fn stat_day(&self, day: Day) -> Attr {
        let times = Times { modified: Timestamp::now(), ..Times::all(day.start()) };
        let attr = self.show.view(Node::TrashDay(day), times);
        Attr { access: Access { mode: DAY_MODE, ..attr.access }, ..attr }
    }

    /// A file of the trash. While a handle is open on it this may be an `fstat`, whatever became of the name.
    pub fn stat(&self, id: AttachmentId) -> Result<Attr> {
        if let Some(retired) = self.library.trash.by_id(id)? {
            return Ok(trashed_attr(retired));
        }
        let open = self.handles.open_attachment(id).ok_or(Error::Stale)?;
        let attr = stored::attachment(Side::Models, &open);
        Ok(Attr { ino: Node::Trashed(id).ino(), ..attr })
    }

    pub fn open(&self, who: Caller, id: AttachmentId) -> Result<Opened> {
        let Retired { attachment, .. } = &self.readable(who, id)?;
        let file = match self.library.blobs.open(attachment) {
            Ok(file) => file,
            // Swept, or put back, since it was looked up.
            Err(_) if self.library.trash.by_id(id)?.is_none() => return Err(Error::Stale),
            Err(error) => return Err(error.into()),
        };
        let fh = self.handles.add_attachment(attachment, attachment.blob, Arc::clone(&file));
        Ok(Opened::stored(fh, file, attachment.content.length))
    }

    /// A file of the trash that the caller may read. A row that was closed to him closes its files to him still. Without the row
    /// nobody knows: there the owner of the file and root have it alone.
    pub fn readable(&self, who: Caller, id: AttachmentId) -> Result<Retired> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        let Retired { attachment, slot, .. } = &retired;
        if let Err(denied) = owned(attachment.access.uid, who) {
            let table = self.library.lookup.table_named(slot.row.table.as_str());
            let row =
                table.map(|table| self.library.lookup.row(table.id, &slot.row.id)).transpose()?;
            let enters =
                row.flatten().is_some_and(|row| may(self.processes, who, row.access, SEARCH));
            if !enters {
                return Err(denied);
            }
        }
        Ok(retired)
    }

    /// The days that something was detached on, from the day with this offset on.
    pub fn list_days(&self, after: u64) -> Result<Vec<Child>> {
        let mut from = Day(u32::try_from(after).unwrap_or(u32::MAX));
        let mut days = Vec::new();
        while days.len() < PAGE
            && let Some(day) = self.library.trash.first_day(from)?
        {
            from = day.next();
            days.push(Child::new(Node::TrashDay(day), day.to_string(), u64::from(from.0) + DOTS));
        }
        Ok(days)
    }

    /// What was detached on a day, from this offset on.
    pub fn list(&self, day: Day, after: u64) -> Result<Vec<Child>> {
        let page = self.library.trash.list(day, position(day, after), PAGE)?;
        let listed = page.into_iter().map(|trashed| {
            let node = Node::Trashed(trashed.retired.attachment.id);
            let (name, place) = (trashed.name.to_string(), offset(day, trashed.next) + DOTS);
            let entry = Some(Entry::fleeting(trashed_attr(trashed.retired)));
            Child { node, name, place, entry }
        });
        Ok(listed.collect())
    }

    /// `mv` of a name in the trash onto a field.
    pub fn restore_by_name(
        &self,
        who: Caller,
        day: Day,
        name: &Name,
        target: &Target,
        mode: RenameMode,
    ) -> Result<()> {
        if mode == RenameMode::Exchange {
            return Err(Error::Invalid("the trash takes nothing in exchange"));
        }
        let retired = self.library.trash.find(day, name)?.ok_or(Error::NotFound)?;
        let author = self.restorer(who, &retired.attachment)?;
        let before = self.library.lookup.link(&target.place)?;
        self.admission.check_arrival(who, target, before.is_some(), None)?;
        let before = before.filter(|link| outlives(link, target));
        let restoring = Restoring { target, collision: mode.into(), author };
        self.hang(&retired, restoring, before.as_ref())
    }

    /// `ln` of a file in the trash: with a name it is in the trash no more.
    pub fn restore_by_link(&self, who: Caller, id: AttachmentId, target: &Target) -> Result<()> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        let author = self.restorer(who, &retired.attachment)?;
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.admission.check_arrival(who, target, taken, None)?;
        self.hang(&retired, Restoring { target, collision: Collision::Refuse, author }, None)
    }

    /// Puts a file back without the kernel having asked for it.
    pub fn restore(&self, retired: &Retired, restoring: Restoring<'_>) -> Result<()> {
        let before = self.library.lookup.link(&restoring.target.place)?;
        self.hang(retired, restoring, before.as_ref())
    }

    /// `before`: the link that is displaced, if the kernel may know that by its name afterwards.
    fn hang(
        &self,
        retired: &Retired,
        restoring: Restoring<'_>,
        before: Option<&Link>,
    ) -> Result<()> {
        let Restoring { target, collision, author } = restoring;
        let displaced = self.library.links.restore(retired, target, collision, author)?;
        self.drafts.drop_placeholders(&target.place, 0);
        let displaced = displaced.as_ref().map(|lost| Displaced::by_handle(lost, before));
        let (place, id) = (&target.place, retired.attachment.id);
        self.kernel.tell(&Change::Linked { place, id, displaced });
        Ok(())
    }

    /// Errors: [`Error::Denied`] for all but the owner and root, also where others may write to the row.
    fn restorer(&self, who: Caller, attachment: &Attachment) -> Result<Author> {
        owned(attachment.access.uid, who)?;
        Ok(self.processes.author(who))
    }
}

/// The attributes as they were, but for the time of the detaching: that is the last change.
fn trashed_attr(retired: Retired) -> Attr {
    let Retired { attachment, at, .. } = retired;
    let attr = stored::attachment(Side::Models, &attachment);
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
