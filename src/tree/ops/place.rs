//! From an inode to the name that is meant: never to 'its' place, for an attachment may have several (`mark.rs`).
//! Does not change anything.

use crate::tree::attr::{Attr, Entry};
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::stat::fleeting;
use crate::tree::redirect::{Seeks, Step};
use crate::tree::side::{Side, as_sent};
use crate::tree::{Caller, Error, Result, Scope, Tree};
use words::attachment::AttachmentId;
use words::link::Link;
use words::place::Place;
use words::schema::Field;
use words::slot::Name;

impl Tree {
    /// The answer to a lookup that led to a link that was shown. What has several names is asked for anew each time, so that
    /// each request comes with the inode of the name that was used.
    pub(in crate::tree) fn entry(
        &self,
        side: Side,
        shown: &Link,
        field: &Field,
        asked: &Name,
    ) -> Entry {
        match self.mark(shown) {
            Mark::SOLE => side.entry(shown, field, asked),
            mark => {
                let ino = side.file(&shown.attachment).under(mark).ino();
                fleeting(Attr { ino, ..side.attr(&shown.attachment) })
            }
        }
    }

    /// The entry of a link in a listing: it has the number that `stat` shows, which a lookup replaces before it is used.
    pub(in crate::tree) fn entry_in_list(
        &self,
        side: Side,
        shown: &Link,
        field: &Field,
        name: &Name,
    ) -> Entry {
        match self.mark(shown) {
            Mark::SOLE => side.entry(shown, field, name),
            _ => fleeting(side.attr(&shown.attachment)),
        }
    }

    /// The mark of a link's inode. A mount that only reads has one inode for all names: nothing is changed under any.
    fn mark(&self, link: &Link) -> Mark {
        if self.scope == Scope::Everything { Mark::among(link) } else { Mark::SOLE }
    }

    /// The name of an attachment that is meant by an inode. Where it may be several, the path is looked up again; without a
    /// path it is the one that the inode had before there were others.
    pub(in crate::tree) fn place_of(&self, who: Caller, node: Node) -> Result<Place> {
        let mut places = self.places_behind(node)?;
        if places.len() > 1 {
            let meant = match self.redirects.begin(who.tid, node.ino(), Seeks::Name) {
                Step::Reopen(sought) => sought.or_else(|| self.sole_of(node)),
                Step::LookAgain | Step::Serve => None,
            };
            places.retain(|place| Some(place) == meant.as_ref());
        } else {
            self.redirects.end(who.tid);
        }
        places.pop().ok_or(Error::Stale)
    }

    /// The place that an inode stands for, where the kernel will not look its path up again: none if it may be several, or has
    /// lost its name.
    pub(in crate::tree) fn place_known(&self, node: Node) -> Result<Option<Place>> {
        let mut places = self.places_behind(node)?;
        if places.len() > 1 {
            let sole = self.sole_of(node);
            places.retain(|place| Some(place) == sole.as_ref());
        }
        Ok(places.pop())
    }

    /// The names that an inode may stand for: one, unless it got others since the kernel learnt of it, or two have one mark.
    pub(in crate::tree) fn places_behind(&self, node: Node) -> Result<Vec<Place>> {
        let (id, mark) = match node {
            Node::Attachment(id, mark)
            | Node::ThumbField(id, mark)
            | Node::GuardedThumbs(id, mark) => (id, mark),
            Node::Original(id, edition) => {
                let Some(found) = self.library.lookup.attachment(id)? else {
                    return Ok(Vec::new());
                };
                (id, edition.mark(&as_sent(found)))
            }
            _ => return Ok(Vec::new()),
        };
        let mut places = self.library.lookup.places(id)?;
        places.retain(|place| mark.is_of(place));
        Ok(places)
    }

    /// The name that an inode had when it had no other.
    fn sole_of(&self, node: Node) -> Option<Place> {
        match node {
            Node::Attachment(id, Mark::SOLE) => self.sole.find(&id),
            _ => None,
        }
    }

    /// The kernel takes its inode along to the name that an attachment is moved to.
    pub(in crate::tree) fn moved_sole(&self, id: AttachmentId, from: &Place, to: &Place) {
        if self.sole.find(&id).as_ref() == Some(from) {
            self.sole.note(id, to.clone());
        }
    }
}
