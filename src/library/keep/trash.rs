//! The trash: attachments that have lost their last name and are not swept yet, by day and name.
//!
//! The first attachment that a slot lost on a day has the plain name, `user-42-avatar.png`. Every one has a name with its number,
//! `user-42-avatar-17.png`. So finding a name costs a few queries, however full the day is.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::library::error::{Error, Result};
use words::attachment::AttachmentId;
use words::day::Day;
use words::media_type::MediaType;
use words::retired::Retired;
use words::slot::{NAME_MAX, Name};
use words::timestamp::Timestamp;

/// Where a page of a day's trash begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub at: Timestamp,
    /// The number of attachments, detached at exactly this time, that are left out.
    pub skip: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    pub name: Name,
    pub retired: Retired,
    /// Where the page after this file begins.
    pub next: Position,
}

pub struct Trash {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
}

impl Trash {
    /// The first day from `from` on with something in the trash. One query.
    pub fn first_day(&self, from: Day) -> Result<Option<Day>> {
        let first = self.catalog.retired(from.start(), 1)?.into_iter().next();
        Ok(first.and_then(|retired| Day::of(retired.at)))
    }

    /// The files that were detached on a day, in that order.
    pub fn list(&self, day: Day, from: Position, limit: usize) -> Result<Vec<Trashed>> {
        let found = self.catalog.retired(from.at, limit.saturating_add(from.skip))?;
        let mut page = Vec::with_capacity(found.len());
        let mut last = Position { at: from.at, skip: 0 };
        for retired in found.into_iter().take_while(|retired| day.has(retired.at)) {
            let before = if retired.at == last.at { last.skip } else { 0 };
            last = Position { at: retired.at, skip: before + 1 };
            if retired.at > from.at || last.skip > from.skip {
                let name = self.name_of(&retired)?;
                page.push(Trashed { name, retired, next: last });
            }
        }
        Ok(page)
    }

    /// The attachment with this name in the trash of a day.
    pub fn find(&self, day: Day, name: &Name) -> Result<Option<Retired>> {
        if let Some(holder) = self.plain_holder(day, name)? {
            return Ok(Some(holder));
        }
        // If the file has no extension of its own, the ending that looks like one belongs to the slot.
        for stem in [name.split_extension().0, name.as_str()] {
            let Some(id) = number_of(stem) else { continue };
            let found = self.catalog.retired_by_id(id)?;
            let meant =
                found.filter(|it| day.has(it.at) && numbered_name(it).as_ref() == Some(name));
            if meant.is_some() {
                return Ok(meant);
            }
        }
        Ok(None)
    }

    pub fn by_id(&self, id: AttachmentId) -> Result<Option<Retired>> {
        Ok(self.catalog.retired_by_id(id)?)
    }

    /// Attachments that lost their last name in a field that keeps its orphans, by number from above `after`.
    pub fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>> {
        Ok(self.catalog.orphans(after, limit)?)
    }

    /// The name under which an attachment is listed in the trash.
    pub fn name_of(&self, retired: &Retired) -> Result<Name> {
        if let (Some(day), Some(plain)) = (Day::of(retired.at), plain_name(retired))
            && let Some(holder) = self.plain_holder(day, &plain)?
            && holder.attachment.id == retired.attachment.id
        {
            return Ok(plain);
        }
        numbered_name(retired).ok_or(Error::Missing)
    }

    /// The attachment with a plain name on a day. An item may have its own extension, so both readings of the name are tried.
    fn plain_holder(&self, day: Day, name: &Name) -> Result<Option<Retired>> {
        for dashed in [name.split_extension().0, name.as_str()] {
            let first = self.catalog.first_retired(dashed, day.start())?;
            let held = first.filter(|it| day.has(it.at) && plain_name(it).as_ref() == Some(name));
            if held.is_some() {
                return Ok(held);
            }
        }
        Ok(None)
    }
}

/// `user-42-avatar.png`; none if that is longer than a name may be.
fn plain_name(retired: &Retired) -> Option<Name> {
    let (stem, extension) = parts(retired);
    Name::parse(&format!("{stem}{extension}")).ok()
}

/// `user-42-avatar-17.png`. A long name is cut before its number, which says enough.
fn numbered_name(retired: &Retired) -> Option<Name> {
    let (mut stem, extension) = parts(retired);
    let ending = format!("-{}{extension}", retired.attachment.id.0);
    while stem.len() + ending.len() > NAME_MAX {
        stem.pop()?;
    }
    Name::parse(&format!("{stem}{ending}")).ok()
}

/// The number at the end of a numbered name without its extension.
fn number_of(stem: &str) -> Option<AttachmentId> {
    stem.rsplit_once('-')?.1.parse().ok().map(AttachmentId)
}

/// The slot with `-` for each `/`, and the extension with its dot: the item's own if it is right, else the type's usual one.
fn parts(retired: &Retired) -> (String, String) {
    let media_type = &retired.attachment.content.media_type;
    let dashed = retired.slot.to_string().replace('/', "-");
    let own = retired.slot.item.as_ref().and_then(|item| item.split_extension().1);
    match (own, media_type.extension()) {
        (Some(own), _) if MediaType::of_extension(own).as_ref() == Some(media_type) => {
            let extension = format!(".{own}");
            (dashed.strip_suffix(&extension).unwrap_or(&dashed).to_owned(), extension)
        }
        (_, Some(extension)) => (dashed, format!(".{extension}")),
        (_, None) => (dashed, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::{Access, Attachment, BlobKey, Content, StoreId, Times};
    use words::digest::Digest;
    use words::retired::Orphan;
    use words::slot::Slot;

    fn retired(slot: &str, extension: &str) -> Retired {
        let media_type = MediaType::of_extension(extension).unwrap_or(MediaType::OCTET_STREAM);
        let slot = Slot::parse(slot).expect("a slot");
        let attachment = Attachment {
            id: AttachmentId(17),
            blob: BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 },
            content: Content { media_type, length: 1, dimensions: None },
            access: Access { uid: 0, gid: 0, mode: 0o644 },
            times: Times::all(Timestamp(0)),
            committed: Timestamp(0),
            version: 1,
            original_filename: "x".into(),
            source: None,
            original: None,
            links: 0,
        };
        let written = slot.field.clone();
        Retired { attachment, slot, written, at: Timestamp(0), orphan: Orphan::Delete }
    }

    fn names(slot: &str, extension: &str) -> (String, String) {
        let retired = retired(slot, extension);
        let text = |name: Option<Name>| name.map_or_else(String::new, |name| name.to_string());
        (text(plain_name(&retired)), text(numbered_name(&retired)))
    }

    #[test]
    fn a_name_in_the_trash_is_made_of_the_slot_and_the_type() {
        let both = |plain: &str, numbered: &str| (plain.to_owned(), numbered.to_owned());
        let wanted = both("user-42-avatar.jpg", "user-42-avatar-17.jpg");
        assert_eq!(names("user/42/avatar", "jpg"), wanted);
        let wanted = both("user-42-photos-front.jpg", "user-42-photos-front-17.jpg");
        assert_eq!(names("user/42/photos/front", "jpg"), wanted);
        assert_eq!(names("user/42/photos/front.jpg", "jpg"), wanted);
        let wanted = both("user-42-photos-IMG.JPEG", "user-42-photos-IMG-17.JPEG");
        assert_eq!(names("user/42/photos/IMG.JPEG", "jpg"), wanted);
        let wanted = both("user-42-photos-front.jpg.png", "user-42-photos-front.jpg-17.png");
        assert_eq!(names("user/42/photos/front.jpg", "png"), wanted);
    }

    #[test]
    fn a_name_that_would_be_too_long_is_cut_before_its_number() {
        let slot = format!("page/{}/photos/{}", "\u{e9}".repeat(100), "x".repeat(200));
        let (plain, numbered) = names(&slot, "jpg");
        assert_eq!(plain, "");
        assert!(numbered.starts_with("page-\u{e9}") && numbered.ends_with("-17.jpg"), "{numbered}");
        assert!(numbered.len() > NAME_MAX - 2, "{numbered}");
        assert_eq!(number_of(numbered.trim_end_matches(".jpg")), Some(AttachmentId(17)));
    }
}
