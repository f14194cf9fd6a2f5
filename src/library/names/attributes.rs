//! Attributes of attachments: owner, mode and times, and foreign extended attributes such as `user.note` (CONTRACT 6).

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::slots::Revision;
use crate::library::error::{Error, Result};
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::publish::metadata::{ORIGIN, as_source};
use crate::library::refuse::journal::Journal;
use words::attachment::{Amendment, Attachment, AttachmentId};
use words::author::Author;
use words::place::Place;
use words::refusal::{Refusal, Rule, Violation};
use words::timestamp::Timestamp;

/// The prefix of attributes that tell facts of a file. They are answered by name, never listed, and ignored when set.
pub const OURS: &str = "user.mediafs.";
pub const MIME_TYPE: &str = "user.mime_type";
/// The most bytes of foreign attributes that a file may have, names and values together.
pub const MAX_BYTES: usize = 64 << 10;
/// The prefix of attributes that hold the keys that users give in `row.json`, as JSON. Programs see only `user.*`.
pub(in crate::library) const FREE: &str = "json.";

pub(in crate::library) type Values = Vec<(String, Vec<u8>)>;

pub struct Attributes {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) journal: Arc<Journal>,
}

impl Attributes {
    pub fn find(&self, id: AttachmentId, name: &str) -> Result<Option<Vec<u8>>> {
        if name == ORIGIN {
            let source = self.lookup.attachment(id)?.and_then(|attachment| attachment.source);
            return Ok(source.map(String::into_bytes));
        }
        let all = self.catalog.attributes(id)?;
        Ok(all.into_iter().find(|(found, _)| found == name).map(|(_, value)| value))
    }

    pub fn names(&self, id: AttachmentId) -> Result<Vec<String>> {
        Ok(self.foreign(id)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The foreign attributes, without the keys that users gave in `row.json`.
    pub(in crate::library) fn foreign(&self, id: AttachmentId) -> Result<Values> {
        let kept = self.catalog.attributes(id)?.into_iter();
        Ok(kept.filter(|(name, _)| !name.starts_with(FREE)).collect())
    }

    /// The foreign attributes and the source, as a file on another filesystem may have them.
    pub(super) fn portable(&self, attachment: &Attachment) -> Result<Values> {
        let mut attributes = self.foreign(attachment.id)?;
        let source = attachment.source.clone().map(|url| (ORIGIN.to_owned(), url.into_bytes()));
        attributes.extend(source);
        Ok(attributes)
    }

    /// Sets or removes a foreign attribute. Returns whether it was there. A refusal names the place that `meant` returns.
    pub fn set(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        author: Author,
        meant: impl FnOnce() -> Option<Place>,
    ) -> Result<bool> {
        if name == ORIGIN {
            return self.set_source(id, value);
        }
        if let Some(value) = value {
            let there = self.catalog.attributes(id)?;
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = fits(there, name, value) {
                let target = meant().map(|place| self.lookup.target_of(place));
                let target = target.transpose()?.flatten();
                return Err(self.refuse(target.as_ref(), author, excess));
            }
        }
        Ok(self.catalog.set_attribute(id, name, value, Timestamp::now())?)
    }

    /// Sets or removes the source of an attachment that has a name. Returns whether there was one.
    fn set_source(&self, id: AttachmentId, source: Option<&[u8]>) -> Result<bool> {
        let attachment = self.lookup.attachment(id)?.ok_or(Error::Missing)?;
        let before = attachment.source.is_some();
        // The source is the attachment's, so any of its names will do.
        let Some(place) = self.lookup.places(id)?.into_iter().next() else { return Ok(before) };
        let (row, source) = (place.row, source.and_then(as_source));
        self.catalog.revise(row, &[Revision::Trace { place, source }], Timestamp::now())?;
        Ok(before)
    }

    /// Records that there are too many attributes, if a target is known. No report is written: the file itself is not refused.
    pub(in crate::library) fn refuse(
        &self,
        target: Option<&Target>,
        author: Author,
        excess: Violation,
    ) -> Error {
        let Some(Target { slot, place, .. }) = target else { return Error::NoSpace };
        let refusal = Refusal::new(self.journal.next_id(), slot, excess);
        self.journal.record(&refusal, Some(place), author, None);
        refusal.into()
    }

    /// `chmod`, `chown`, `utimens` of an attachment, as far as the tables of all its names do not fix its access.
    pub fn amend(&self, id: AttachmentId, amendment: Amendment) -> Result<Attachment> {
        let mut left = amendment;
        let asks = amendment.uid.or(amendment.gid).or(amendment.mode).is_some();
        if asks && self.lookup.fixes_something() {
            for place in self.lookup.places(id)? {
                let target = self.lookup.target_of(place)?;
                left = target.map_or(left, |target| self.lookup.fixed(&target).leave(left));
            }
        }
        Ok(self.catalog.amend(id, left, Timestamp::now())?)
    }
}

/// Whether a name tells a fact of the file.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(OURS) || name == MIME_TYPE
}

/// Checks that an attribute fits beside those that are there, one of which it may replace.
pub fn fits<'a>(
    there: impl Iterator<Item = (&'a str, usize)>,
    name: &str,
    value: &[u8],
) -> Result<(), Violation> {
    let others = there.filter(|(found, _)| *found != name);
    let used: usize = others.map(|(name, length)| name.len() + length).sum();
    let wanted = used + name.len() + value.len();
    if wanted <= MAX_BYTES {
        return Ok(());
    }
    Err(Violation {
        rule: Rule::Attributes,
        fact: format!("attributes would take {wanted} bytes with {name}"),
        measured: format!("{wanted} bytes"),
        allows: format!("takes {MAX_BYTES} bytes of attributes a file, names and values together"),
        allowed: format!("{MAX_BYTES} bytes"),
        hint: "remove an attribute (setfattr -x), or keep its value shorter".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_fit_up_to_64_kib_of_names_and_values_together() {
        let there = || [("user.a", 100), ("user.b", 100)].into_iter();
        let room = MAX_BYTES - 2 * 106 - "user.c".len();
        assert_eq!(fits(there(), "user.c", &vec![0; room]), Ok(()));
        let excess = fits(there(), "user.c", &vec![0; room + 1]).expect_err("one too many");
        assert_eq!(
            (excess.rule, excess.fact.as_str()),
            (Rule::Attributes, "attributes would take 65537 bytes with user.c")
        );
        assert_eq!(fits(there(), "user.b", &vec![0; room + 106]), Ok(()), "a replaced one goes");
    }
}
