//! The metadata of a draft: owner, mode, times and foreign attributes. The attachment has them while the draft is unchanged and
//! after its commit; in between the draft has its own.

use std::collections::BTreeMap;

use crate::library::draft::{Draft, Shown, Start};
use crate::library::error::Result;
use crate::library::names::attributes::{self, Attributes, Values};
use crate::library::publish::metadata::{Metadata, ORIGIN};
use words::attachment::Amendment;
use words::timestamp::Timestamp;

impl Draft {
    /// `chmod`, `chown`, `utimens` through the draft.
    pub fn amend(&self, attributes: &Attributes, amendment: Amendment) -> Result<()> {
        let now = Timestamp::now();
        let stored = {
            // A judgement takes the metadata as it begins, and is waited for.
            let work = self.working()?;
            let mut shown = self.shown.lock();
            let Shown { access, times, .. } = &mut *shown;
            amendment.apply(access, times, now);
            work.stored()
        };
        if let Some(id) = stored {
            attributes.amend(id, amendment)?;
        }
        Ok(())
    }

    pub fn attribute(&self, attributes: &Attributes, name: &str) -> Result<Option<Vec<u8>>> {
        let (own, stored) = {
            let shown = self.shown.lock();
            (shown.attributes.get(name).cloned(), shown.bytes.stored())
        };
        match (own, stored) {
            (None, Some(id)) => attributes.find(id, name),
            (own, _) => Ok(own),
        }
    }

    pub fn attribute_names(&self, attributes: &Attributes) -> Result<Vec<String>> {
        let (mut names, stored) = {
            let shown = self.shown.lock();
            (shown.attributes.keys().cloned().collect::<Vec<_>>(), shown.bytes.stored())
        };
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
    ) -> Result<bool> {
        let work = self.working()?;
        if let Some(id) = work.stored() {
            drop(work);
            let meant = || Some(self.target.place.clone());
            return attributes.set(id, name, value, self.author, meant);
        }
        if let Some(value) = value {
            let there = Self::inherited(attributes, &work.start)?;
            let there = there.into_iter().chain(self.shown.lock().attributes.clone());
            let there: BTreeMap<_, _> = there.collect();
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = attributes::fits(there, name, value) {
                return Err(attributes.refuse(Some(&self.target), self.author, excess));
            }
        }
        let mut shown = self.shown.lock();
        Ok(match value {
            Some(value) => shown.attributes.insert(name.to_owned(), value.to_owned()).is_some(),
            None => shown.attributes.remove(name).is_some(),
        })
    }

    /// The attributes that a file keeps when it is changed in place: all but the keys that users gave in `row.json`.
    fn inherited(attributes: &Attributes, start: &Start) -> Result<Values> {
        let Start::Copy(base, _) = start else { return Ok(Vec::new()) };
        attributes.foreign(base.id)
    }

    /// The metadata that the bytes are published with.
    pub(super) fn metadata(&self, attributes: &Attributes, start: &Start) -> Result<Metadata> {
        let mut all: BTreeMap<_, _> = Self::inherited(attributes, start)?.into_iter().collect();
        let shown = self.shown.lock();
        all.extend(shown.attributes.iter().map(|(n, v)| (n.clone(), v.clone())));
        let attributes = all.into_iter().collect();
        let mut metadata = Metadata::written(shown.access, shown.times, attributes);
        if let Some(url) = &self.origin {
            metadata.source = Some(url.as_given().to_owned());
            metadata.filename = url.file_name();
        }
        Ok(metadata)
    }
}
