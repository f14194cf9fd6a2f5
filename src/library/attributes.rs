//! Foreign attributes (`user.note`): kept with the attachment, up to 64 KiB in all (CONTRACT 6).
//! Does not know our own, which are answered and not kept, but for the one that says where a file came from.

use std::fs::File;

use crate::catalog::slots::Revision;
use crate::library::describe::FREE;
use crate::library::refuse::Author;
use crate::library::{Error, Library, Target};
use words::attachment::{Attachment, AttachmentId};
use words::place::Place;
use words::refusal::{Refusal, Rule, Violation};
use words::timestamp::Timestamp;

/// The facts of a file; answered by name, never listed, ignored when set.
pub const OURS: &str = "user.mediafs.";
pub const MIME_TYPE: &str = "user.mime_type";
/// Where a file came from: `curl --xattr` sets it, and it is the attachment's source from then on.
pub const ORIGIN: &str = "user.xdg.origin.url";
/// The foreign attributes of one file, names and values together.
pub const MAX_BYTES: usize = 64 << 10;

impl Library {
    pub fn attribute(&self, id: AttachmentId, name: &str) -> Result<Option<Vec<u8>>, Error> {
        if name == ORIGIN {
            let source = self.attachment(id)?.and_then(|attachment| attachment.source);
            return Ok(source.map(String::into_bytes));
        }
        let all = self.catalog.attributes(id)?;
        Ok(all.into_iter().find(|(found, _)| found == name).map(|(_, value)| value))
    }

    pub fn attribute_names(&self, id: AttachmentId) -> Result<Vec<String>, Error> {
        let names = self.catalog.attributes(id)?.into_iter().map(|(name, _)| name);
        Ok(names.filter(|name| !name.starts_with(FREE)).collect())
    }

    /// Sets or removes a foreign attribute; returns whether it was there. More than [`MAX_BYTES`] in all is refused, to the name
    /// of the attachment that is meant.
    pub fn set_attribute(
        &self,
        (id, meant): (AttachmentId, impl FnOnce() -> Option<Place>),
        name: &str,
        value: Option<&[u8]>,
        author: Author,
    ) -> Result<bool, Error> {
        if name == ORIGIN {
            return self.trace(id, value);
        }
        if let Some(value) = value {
            let there = self.catalog.attributes(id)?;
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = fits(there, name, value) {
                let target = meant().map(|place| self.target_of(place)).transpose()?.flatten();
                return Err(self.refuse_attribute(target.as_ref(), author, excess));
            }
        }
        Ok(self.catalog.set_attribute(id, name, value, Timestamp::now())?)
    }

    /// The attributes of an attachment with its source, as a file of the backing disk may have them.
    pub(super) fn portable_attributes(
        &self,
        attachment: &Attachment,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let kept = self.catalog.attributes(attachment.id)?.into_iter();
        let kept = kept.filter(|(name, _)| !name.starts_with(FREE));
        let source = attachment.source.clone().map(|url| (ORIGIN.to_owned(), url.into_bytes()));
        Ok(kept.chain(source).collect())
    }

    /// Notes where an attachment came from. What lies in the trash stays as it is.
    fn trace(&self, id: AttachmentId, source: Option<&[u8]>) -> Result<bool, Error> {
        let before = self.attachment(id)?.ok_or(Error::Missing)?.source.is_some();
        // The source is the attachment's: whichever name leads to it.
        let Some(place) = self.places(id)?.into_iter().next() else { return Ok(before) };
        let (row, source) = (place.row, source.and_then(as_source));
        self.catalog.revise(row, &[Revision::Trace { place, source }], Timestamp::now())?;
        Ok(before)
    }

    /// Puts attributes that are too many on record, where there is a name to put it on record for.
    pub(super) fn refuse_attribute(
        &self,
        target: Option<&Target>,
        author: Author,
        excess: Violation,
    ) -> Error {
        let Some(Target { slot, place, .. }) = target else { return Error::NoSpace };
        let refusal = Refusal::new(self.refusals().next_id(), slot, excess);
        // The file itself was not refused: no report lies beside it.
        self.refusals().record(&refusal, Some(place), author, None);
        refusal.into()
    }

    fn target_of(&self, place: Place) -> Result<Option<Target>, Error> {
        let Some(row) = self.row_by_id(place.row)? else { return Ok(None) };
        let field = self.table(row.table).and_then(|table| table.field(place.field.as_str()));
        let (Some(slot), Some(field)) = (self.slot(&row, &place), field.cloned()) else {
            return Ok(None);
        };
        let written = place.name().clone();
        Ok(Some(Target { place, slot, field, written }))
    }
}

/// Gives attributes to a file of the backing disk, as far as that takes them.
pub(super) fn annotate(file: &File, attributes: &[(String, Vec<u8>)]) {
    for (name, value) in attributes {
        let flags = rustix::fs::XattrFlags::empty();
        if let Err(error) = rustix::fs::fsetxattr(file, name, value, flags) {
            tracing::debug!(name, %error, "an attribute does not fit on the backing disk");
        }
    }
}

/// Whether a name is that of a fact.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(OURS) || name == MIME_TYPE
}

/// Whether one attribute more fits beside those that are there, which it may replace.
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

/// The text of an [`ORIGIN`] that is one.
pub(super) fn as_source(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
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

    #[test]
    fn a_source_is_text() {
        assert_eq!(as_source(b"https://example.org/a\0").as_deref(), Some("https://example.org/a"));
        assert_eq!((as_source(b"\0"), as_source(&[0xff])), (None, None));
    }
}
