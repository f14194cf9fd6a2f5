//! The metadata of a draft: owner, mode, times and foreign attributes, kept with the attachment that it is or becomes.
//! Does not touch bytes.

use std::collections::BTreeMap;

use crate::attachment::{Amendment, AttachmentId};
use crate::library::describe::FREE;
use crate::library::draft::{Draft, Shown, Stage, Start, Work};
use crate::library::open::MAX_ATTRIBUTE_BYTES;
use crate::library::publish::Metadata;
use crate::library::{Error, Library};
use crate::timestamp::Timestamp;

impl Draft {
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
            library.catalog.amend(id, amendment, now)?;
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
            return library.set_attribute(id, name, value);
        }
        let mut shown = self.shown();
        if let Some(value) = value {
            let others = shown.attributes.iter().filter(|(found, _)| *found != name);
            let used: usize = others.map(|(found, value)| found.len() + value.len()).sum();
            if used + name.len() + value.len() > MAX_ATTRIBUTE_BYTES {
                return Err(Error::NoSpace);
            }
        }
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

    /// What is published with the bytes. A file that was changed in place keeps the attributes that it had, but not the keys
    /// that were given to what it was: those go with the attachment.
    pub(super) fn metadata(&self, library: &Library, start: &Start) -> Result<Metadata, Error> {
        let mut attributes = match start {
            Start::Copy(base, _) => {
                let kept = library.catalog.attributes(base.id)?.into_iter();
                kept.filter(|(name, _)| !name.starts_with(FREE)).collect()
            }
            Start::Empty => BTreeMap::new(),
        };
        let shown = self.shown();
        attributes.extend(shown.attributes.iter().map(|(n, v)| (n.clone(), v.clone())));
        let attributes = attributes.into_iter().collect();
        Ok(Metadata { access: shown.access, times: shown.times, attributes, source: None })
    }
}
