//! The metadata of a draft: owner, mode, times and foreign attributes. They are kept with the attachment that the draft still is
//! or has become, else until it is published.

use std::collections::BTreeMap;

use crate::library::draft::{Draft, Shown, Stage, Start, Work};
use crate::library::error::Error;
use crate::library::names::attributes::{self, Attributes, Values};
use crate::library::publish::metadata::{Metadata, ORIGIN};
use words::attachment::{Amendment, AttachmentId};
use words::timestamp::Timestamp;

impl Draft {
    /// `chmod`, `chown`, `utimens` through the draft.
    pub fn amend(&self, attributes: &Attributes, amendment: Amendment) -> Result<(), Error> {
        let now = Timestamp::now();
        {
            let mut shown = self.shown();
            let Shown { access, times, .. } = &mut *shown;
            amendment.apply(access, times, now);
        }
        let stored = Self::stored(&self.work());
        if let Some(id) = stored {
            attributes.amend(id, amendment)?;
        }
        Ok(())
    }

    /// The value of a foreign attribute.
    pub fn attribute(&self, attributes: &Attributes, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let own = self.shown().attributes.get(name).cloned();
        let stored = Self::stored(&self.work());
        match (own, stored) {
            (None, Some(id)) => attributes.find(id, name),
            (own, _) => Ok(own),
        }
    }

    pub fn attribute_names(&self, attributes: &Attributes) -> Result<Vec<String>, Error> {
        let stored = Self::stored(&self.work());
        let mut names: Vec<_> = self.shown().attributes.keys().cloned().collect();
        if let Some(id) = stored {
            names.extend(attributes.names(id)?);
            names.sort();
            names.dedup();
        }
        names.retain(|name| name != ORIGIN);
        Ok(names)
    }

    /// Sets or removes a foreign attribute. Returns whether it was there. The limit is that of attachments.
    pub fn set_attribute(
        &self,
        attributes: &Attributes,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        if let Some(id) = Self::stored(&self.work()) {
            let meant = || Some(self.target.place.clone());
            return attributes.set(id, name, value, self.author, meant);
        }
        if let Some(value) = value {
            let there = Self::inherited(attributes, &self.work().start)?;
            let there = there.into_iter().chain(self.shown().attributes.clone());
            let there: BTreeMap<_, _> = there.collect();
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = attributes::fits(there, name, value) {
                return Err(attributes.refuse(Some(&self.target), self.author, excess));
            }
        }
        let mut shown = self.shown();
        Ok(match value {
            Some(value) => shown.attributes.insert(name.to_owned(), value.to_owned()).is_some(),
            None => shown.attributes.remove(name).is_some(),
        })
    }

    /// The attachment whose metadata are the draft's: the one that it has become, or an unchanged one that it started with.
    fn stored(work: &Work) -> Option<AttachmentId> {
        match (&work.stage, &work.start) {
            (Stage::Committed { id, .. }, _) => Some(*id),
            (Stage::Untouched, Start::Copy(base, _)) => Some(base.id),
            _ => None,
        }
    }

    /// The attributes that a file keeps when it is changed in place. The keys that users gave to the old bytes are not kept.
    fn inherited(attributes: &Attributes, start: &Start) -> Result<Values, Error> {
        let Start::Copy(base, _) = start else { return Ok(Vec::new()) };
        attributes.foreign(base.id)
    }

    /// The metadata that the bytes are published with.
    pub(super) fn metadata(
        &self,
        attributes: &Attributes,
        start: &Start,
    ) -> Result<Metadata, Error> {
        let mut all: BTreeMap<_, _> = Self::inherited(attributes, start)?.into_iter().collect();
        let shown = self.shown();
        all.extend(shown.attributes.iter().map(|(n, v)| (n.clone(), v.clone())));
        let written = Metadata::written(shown.access, shown.times, all.into_iter().collect());
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
