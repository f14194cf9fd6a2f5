//! The metadata of a draft: owner, mode, times and foreign attributes, kept with the attachment that it is or becomes.
//! Does not touch bytes.

use std::collections::BTreeMap;

use crate::library::attributes;
use crate::library::describe::FREE;
use crate::library::draft::{Draft, Shown, Stage, Start, Work};
use crate::library::publish::Metadata;
use crate::library::{Error, Library};
use words::attachment::{Amendment, AttachmentId};
use words::timestamp::Timestamp;
use words::url::Url;

impl Draft {
    /// A draft whose bytes come from a URL.
    pub fn fetched_from(mut self, url: Url) -> Self {
        self.origin = Some(url);
        self
    }

    /// `chmod`, `chown`, `utimens` through the draft: kept with the attachment that it is or becomes.
    pub fn amend(&self, library: &Library, amendment: Amendment) -> Result<(), Error> {
        let now = Timestamp::now();
        {
            let mut shown = self.shown();
            let Shown { access, times, .. } = &mut *shown;
            amendment.apply(access, times, now);
        }
        let stored = Self::stored(&self.work());
        if let Some(id) = stored {
            library.amend(id, amendment)?;
        }
        Ok(())
    }

    /// A foreign attribute (`user.note`).
    pub fn attribute(&self, library: &Library, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let own = self.shown().attributes.get(name).cloned();
        let stored = Self::stored(&self.work());
        match (own, stored) {
            (None, Some(id)) => library.attribute(id, name),
            (own, _) => Ok(own),
        }
    }

    pub fn attribute_names(&self, library: &Library) -> Result<Vec<String>, Error> {
        let stored = Self::stored(&self.work());
        let mut names: Vec<_> = self.shown().attributes.keys().cloned().collect();
        if let Some(id) = stored {
            names.extend(library.attribute_names(id)?);
            names.sort();
            names.dedup();
        }
        names.retain(|name| name != attributes::ORIGIN);
        Ok(names)
    }

    /// Sets or removes a foreign attribute; returns whether it was there. Bounded as those of attachments are.
    pub fn set_attribute(
        &self,
        library: &Library,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        if let Some(id) = Self::stored(&self.work()) {
            let meant = || Some(self.target.place.clone());
            return library.set_attribute((id, meant), name, value, self.author);
        }
        if let Some(value) = value {
            let there = Self::inherited(library, &self.work().start)?;
            let there = there.into_iter().chain(self.shown().attributes.clone());
            let there: BTreeMap<_, _> = there.collect();
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = attributes::fits(there, name, value) {
                return Err(library.refuse_attribute(Some(&self.target), self.author, excess));
            }
        }
        let mut shown = self.shown();
        Ok(match value {
            Some(value) => shown.attributes.insert(name.to_owned(), value.to_owned()).is_some(),
            None => shown.attributes.remove(name).is_some(),
        })
    }

    /// The attachment whose metadata this draft still is, or has become.
    fn stored(work: &Work) -> Option<AttachmentId> {
        match (&work.stage, &work.start) {
            (Stage::Committed { id, .. }, _) => Some(*id),
            (Stage::Untouched, Start::Copy(base, _)) => Some(base.id),
            _ => None,
        }
    }

    /// A file that was changed in place keeps the attributes that it had, but not the keys that were given to what it was:
    /// those go with the attachment.
    fn inherited(library: &Library, start: &Start) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let Start::Copy(base, _) = start else { return Ok(Vec::new()) };
        let kept = library.catalog.attributes(base.id)?.into_iter();
        Ok(kept.filter(|(name, _)| !name.starts_with(FREE)).collect())
    }

    /// What is published with the bytes.
    pub(super) fn metadata(&self, library: &Library, start: &Start) -> Result<Metadata, Error> {
        let mut attributes: BTreeMap<_, _> = Self::inherited(library, start)?.into_iter().collect();
        let shown = self.shown();
        attributes.extend(shown.attributes.iter().map(|(n, v)| (n.clone(), v.clone())));
        let attributes = attributes.into_iter().collect();
        let written = Metadata::written(shown.access, shown.times, attributes);
        Ok(match &self.origin {
            Some(url) => Metadata {
                source: Some(url.as_given().to_owned()),
                filename: url.file_name(),
                ..written
            },
            None => written,
        })
    }
}
