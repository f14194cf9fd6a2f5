//! `/trash`: detached attachments by day, and how they are put back (CONTRACT 7). No name can be removed from the trash, so that
//! an `rm -r` of the whole tree loses nothing.

use std::sync::Arc;

use crate::library::Library;
use crate::library::keep::trash::Position;
use crate::library::limit::permission::{Act, SEARCH};
use crate::library::lookup::target::Target;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::side::Side;
use crate::tree::open::Open;
use crate::tree::open::admission::outlives;
use crate::tree::open::handles::Opened;
use crate::tree::request::{Caller, RenameMode};
use crate::tree::show::Show;
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::listing::{DOTS, Listed};
use words::attachment::{Access, Attachment, AttachmentId, Times};
use words::author::Author;
use words::day::Day;
use words::link::{Collision, Link};
use words::retired::Retired;
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Everybody may write to a day, as a rename out of it needs. The sticky bit leaves that to the owner of the file and root.
const DAY_MODE: u32 = 0o1777;

/// An offset in a day has the nanoseconds since midnight (47 bits) above this many bits, which count the files that were detached
/// in the same nanosecond. So reading continues in the right place after files were swept or put back.
const SAME_MOMENT_BITS: u32 = 16;
const SAME_MOMENT: u64 = (1 << SAME_MOMENT_BITS) - 1;

/// Entries that one request reads. Each costs a query for its name, and the kernel's buffer takes few.
const PAGE: usize = 64;

pub struct TrashDays {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
}

/// How a file of the trash is put back.
#[derive(Debug, Clone, Copy)]
struct Restoring<'a> {
    target: &'a Target,
    collision: Collision,
    author: Author,
    /// The link that is displaced, if the kernel may have its name cached afterwards.
    before: Option<&'a Link>,
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

    /// The attributes of a file of the trash. An open handle has them even after the file was put back or swept.
    pub fn stat(&self, id: AttachmentId) -> Result<Attr> {
        if let Some(retired) = self.library.trash.by_id(id)? {
            return Ok(trashed_attr(retired));
        }
        let open = self.open.handles.open_attachment(id).ok_or(Error::Stale)?;
        let attr = Attr::attachment(Side::Models, &open);
        Ok(Attr { ino: Node::Trashed(id).ino(), ..attr })
    }

    pub fn open(&self, who: Caller, id: AttachmentId) -> Result<Opened> {
        let Retired { attachment, .. } = &self.readable(who, id)?;
        let file = match self.library.blobs.open(attachment) {
            Ok(file) => file,
            // It was swept, or put back, after its lookup.
            Err(_) if self.library.trash.by_id(id)?.is_none() => return Err(Error::Stale),
            Err(error) => return Err(error.into()),
        };
        Ok(self.open.handles.add_attachment(who, attachment, attachment, file))
    }

    /// A file of the trash that the caller may read: the owner, root, and a user who may enter the row that the file was in.
    /// Errors: [`Error::Denied`] for others, and for all others if the row is gone.
    pub fn readable(&self, who: Caller, id: AttachmentId) -> Result<Retired> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        let Retired { attachment, slot, .. } = &retired;
        if let Err(denied) = who.check_owner(attachment.access.uid) {
            let table = self.library.lookup.table_named(slot.row.table.as_str());
            let row =
                table.map(|table| self.library.lookup.row(table.id, &slot.row.id)).transpose()?;
            let enters = |row: RowRecord| self.open.rights.person(who).permits(row.access, SEARCH);
            if !row.flatten().is_some_and(enters) {
                return Err(denied);
            }
        }
        Ok(retired)
    }

    /// The days with detached files, from the day with this offset on.
    pub fn list_days(&self, after: u64) -> Result<Vec<Listed>> {
        let mut from = Day(u32::try_from(after).unwrap_or(u32::MAX));
        let mut days = Vec::new();
        while days.len() < PAGE
            && let Some(day) = self.library.trash.first_day(from)?
        {
            from = day.next();
            let place = u64::from(from.0) + DOTS;
            days.push(Listed::new(Node::TrashDay(day), day.to_string(), place, None));
        }
        Ok(days)
    }

    /// The files that were detached on a day, from this offset on.
    pub fn list(&self, day: Day, after: u64) -> Result<Vec<Listed>> {
        let page = self.library.trash.list(day, position(day, after), PAGE)?;
        let listed = page.into_iter().map(|trashed| {
            let node = Node::Trashed(trashed.retired.attachment.id);
            let entry = Some(Entry::fleeting(trashed_attr(trashed.retired)));
            Listed::new(node, trashed.name.as_str(), offset(day, trashed.next) + DOTS, entry)
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
        self.open.admission.check_arrival(who, target, before.is_some(), None)?;
        if let Some(link) = before.as_ref().filter(|_| mode == RenameMode::Replace) {
            self.open.rights.check(who, Act::Displace, link)?;
        }
        let before = before.filter(|link| outlives(link, target));
        let (collision, before) = (mode.into(), before.as_ref());
        self.hang(&retired, Restoring { target, collision, author, before })
    }

    /// `ln` of a file in the trash, which takes it out of the trash.
    pub fn restore_by_link(&self, who: Caller, id: AttachmentId, target: &Target) -> Result<()> {
        let retired = self.library.trash.by_id(id)?.ok_or(Error::Stale)?;
        let author = self.restorer(who, &retired.attachment)?;
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.open.admission.check_arrival(who, target, taken, None)?;
        let collision = Collision::Refuse;
        self.hang(&retired, Restoring { target, collision, author, before: None })
    }

    /// Puts a file back without a request of the kernel.
    pub fn restore(
        &self,
        retired: &Retired,
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<()> {
        let before = self.library.lookup.link(&target.place)?;
        self.hang(retired, Restoring { target, collision, author, before: before.as_ref() })
    }

    fn hang(&self, retired: &Retired, restoring: Restoring<'_>) -> Result<()> {
        let Restoring { target, collision, author, before } = restoring;
        let displaced = self.library.links.restore(retired, target, collision, author)?;
        self.open.drafts.drop_placeholders(&target.place, 0);
        let displaced = displaced.as_ref().map(|lost| Displaced::by_handle(lost, before));
        let (place, id) = (&target.place, retired.attachment.id);
        self.kernel.tell(&Change::Linked { place, id, displaced });
        Ok(())
    }

    /// Errors: [`Error::Denied`] for all but the owner and root, also where others may write to the row.
    fn restorer(&self, who: Caller, attachment: &Attachment) -> Result<Author> {
        who.check_owner(attachment.access.uid)?;
        Ok(self.open.processes.author(who))
    }
}

/// The attributes of the attachment; the time of the last change is that of the detaching.
fn trashed_attr(retired: Retired) -> Attr {
    let Retired { attachment, at, .. } = retired;
    let attr = Attr::attachment(Side::Models, &attachment);
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
