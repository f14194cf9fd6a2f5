//! Transfers: one attachment gets another name, or moves from slot to slot, without its bytes being touched.
//! Does not copy: what the target's rules would change must be copied by the client.

use crate::catalog;
use crate::catalog::slots::Destination;
use crate::library::refuse::Author;
use crate::library::{Error, Library, Target};
use pipeline::policy;
use words::access::{Fixed, Terms};
use words::attachment::Attachment;
use words::link::{Collision, Link};
use words::place::Place;
use words::rule::{Kind, Metadata, Normal, Resize, Rules};
use words::slot::Name;
use words::timestamp::Timestamp;

impl Library {
    /// `link`: the attachment gets a second name. Returns what `Collision::Replace` displaced.
    pub fn share(
        &self,
        from: &Link,
        source: &Rules,
        target: &Target,
        author: Author,
    ) -> Result<(), Error> {
        self.check_transfer(&from.attachment, source, target, author)?;
        let fixed = self.fixed(target);
        // One attachment has one blob, and that is in one store; it has one owner and one mode.
        if self.is_elsewhere(&from.attachment, target)? || !fixed.agrees(from.attachment.access) {
            return Err(Error::WouldChange);
        }
        let Target { place, written, .. } = target;
        let (id, now) = (from.attachment.id, Timestamp::now());
        match self.catalog.share(
            id,
            Destination { place, written, collision: Collision::Refuse },
            fixed,
            now,
        ) {
            Err(catalog::Error::Quota(excess)) => {
                return Err(self.refuse_over_quota(target, author, &excess).into());
            }
            answer => answer?,
        };
        self.clear_refusal(target);
        Ok(())
    }

    /// `rename`: the attachment moves and keeps its inode, also into another store; owner and mode are the target's where that
    /// fixes them. `back` is what is fixed where it comes from. Returns what was displaced.
    pub fn move_link(
        &self,
        from: &Link,
        (source, back): (&Rules, Fixed),
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<Option<Attachment>, Error> {
        self.check_transfer(&from.attachment, source, target, author)?;
        let terms = Terms { there: self.fixed(target), back };
        self.check_terms(from, target, (collision, terms))?;
        let Target { place, written, .. } = target;
        let moved = if self.is_elsewhere(&from.attachment, target)? {
            self.rehome(from, target, collision)
        } else {
            let now = Timestamp::now();
            let moved = self.catalog.move_link(
                &from.place,
                Destination { place, written, collision },
                terms,
                now,
            );
            moved.map_err(Error::from)
        };
        let displaced = match moved {
            Err(Error::Quota(excess)) => {
                return Err(self.refuse_over_quota(target, author, &excess).into());
            }
            answer => answer?,
        };
        self.clear_refusal(target);
        Ok(displaced)
    }

    /// What has other names keeps its owner and mode: they are the other names' too.
    fn check_terms(
        &self,
        from: &Link,
        target: &Target,
        (collision, terms): (Collision, Terms),
    ) -> Result<(), Error> {
        let Place { row, field, .. } = &target.place;
        if (&from.place.row, &from.place.field) == (row, field) {
            return Ok(());
        }
        let stays = |attachment: &Attachment, fixed: Fixed| {
            attachment.links == 1 || fixed.agrees(attachment.access)
        };
        let other = match collision {
            Collision::Exchange => self.find(&target.place)?,
            Collision::Replace | Collision::Refuse => None,
        };
        let back = other.is_none_or(|other| stays(&other.attachment, terms.back));
        if back && stays(&from.attachment, terms.there) { Ok(()) } else { Err(Error::WouldChange) }
    }

    /// Takes a name away. What was attached is held for a while.
    pub fn unlink(&self, place: &Place) -> Result<Option<Attachment>, Error> {
        self.even_when_full(|| Ok(self.catalog.unlink(place, Timestamp::now())?))
    }

    /// Gives a held attachment its name back, unless the slot was taken meanwhile (CONTRACT 2.11).
    pub fn put_back(
        &self,
        id: words::attachment::AttachmentId,
        place: &Place,
        written: &Name,
    ) -> Result<bool, Error> {
        let back = || match self.catalog.put_back(id, place, written, Timestamp::now()) {
            Ok(()) => Ok(true),
            Err(catalog::Error::Taken | catalog::Error::Missing | catalog::Error::BlobGone(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        };
        self.even_when_full(back)
    }

    /// Rules that refuse the bytes refuse the transfer; rules that would change them are [`Error::WouldChange`].
    pub fn check_transfer(
        &self,
        attachment: &Attachment,
        source: &Rules,
        target: &Target,
        author: Author,
    ) -> Result<(), Error> {
        let rules = &target.field.rules;
        let content = &attachment.content;
        if let Err(violation) =
            policy::judge_final(rules, content.length, &content.media_type, content.dimensions)
        {
            return Err(self.refuse(target, author, violation, None).into());
        }
        if keeps_as_is(source, rules, content) { Ok(()) } else { Err(Error::WouldChange) }
    }
}

/// Whether the target's normal form of stored content is that content itself.
fn keeps_as_is(source: &Rules, target: &Rules, content: &words::attachment::Content) -> bool {
    match (source.kind, target.kind) {
        (_, Kind::File) => true,
        // Never decoded so far: only a copy through the pipeline tells.
        (Kind::File, Kind::Image) => false,
        (Kind::Image, Kind::Image) => same_normal(&source.normal, &target.normal, content),
    }
}

fn same_normal(source: &Normal, target: &Normal, content: &words::attachment::Content) -> bool {
    if source == target {
        return true;
    }
    let Some(size) = content.dimensions else { return false };
    let format = target.format.is_none_or(|format| content.media_type.format() == Some(format));
    let fits = target.fit.is_none_or(|bounds| size.fit_inside(bounds) == size);
    let resized = match target.resize {
        None => true,
        Some(Resize::Exact(wanted)) => wanted == size,
        Some(Resize::Width(width)) => width == size.width,
        Some(Resize::Height(height)) => height == size.height,
    };
    // A crop is measured on what was sent; on stored bytes it would cut again.
    let cropped = target.crop.is_none();
    let stripped = target.metadata == Metadata::Keep || source.metadata == Metadata::Strip;
    let oriented = !target.orient || source.orient;
    format && fits && resized && cropped && stripped && oriented
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::Content;
    use words::dimensions::Dimensions;
    use words::media_type::Format;

    fn content(width: u32, height: u32) -> Content {
        Content {
            media_type: Format::Jpeg.media_type(),
            length: 1,
            dimensions: Some(Dimensions::new(width, height)),
        }
    }

    fn image(change: impl FnOnce(&mut Normal)) -> Rules {
        let mut rules = Rules::image();
        change(&mut rules.normal);
        rules
    }

    #[test]
    fn an_image_moves_where_the_rules_leave_it_as_it_is() {
        let plain = image(|_| {});
        let small = image(|normal| normal.fit = Some(Dimensions::new(100, 100)));
        let webp = image(|normal| normal.format = Some(Format::Webp));
        assert!(keeps_as_is(&plain, &small, &content(100, 50)));
        assert!(!keeps_as_is(&plain, &small, &content(101, 50)));
        assert!(!keeps_as_is(&plain, &webp, &content(10, 10)));
    }

    #[test]
    fn what_was_never_decoded_or_stripped_must_be_copied() {
        let keeping = image(|normal| normal.metadata = Metadata::Keep);
        assert!(!keeps_as_is(&keeping, &image(|_| {}), &content(1, 1)));
        assert!(!keeps_as_is(&Rules::file(), &image(|_| {}), &content(1, 1)));
        assert!(keeps_as_is(&image(|_| {}), &Rules::file(), &content(1, 1)));
    }
}
