//! Attachments in memory: their access, attributes, and count of links.

use super::{Memory, Retirement, State};
use crate::catalog::attachments::Attachments;
use crate::catalog::error::{Error, Result};
use words::access::Fixed;
use words::attachment::{Amendment, Attachment, AttachmentId};
use words::link::Link;
use words::place::Place;
use words::retired::Orphan;
use words::slot::{Row, Slot};
use words::timestamp::Timestamp;

impl Attachments for Memory {
    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>> {
        Ok(self.state("attachment").attachment(id))
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>> {
        let state = self.state("places");
        let links = state.links.iter().filter(|(_, linked)| linked.attachment == id);
        Ok(links.map(|(place, _)| place.clone()).collect())
    }

    fn amend(&self, id: AttachmentId, amendment: Amendment, now: Timestamp) -> Result<Attachment> {
        let mut state = self.state("amend");
        let entry = state.attachments.get_mut(&id).ok_or(Error::Missing)?;
        amendment.apply(&mut entry.attachment.access, &mut entry.attachment.times, now);
        Ok(entry.attachment.clone())
    }

    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>> {
        let state = self.state("attributes");
        let attributes = state.attachments.get(&id).map(|entry| entry.attributes.clone());
        Ok(attributes.unwrap_or_default().into_iter().collect())
    }

    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool> {
        self.state("set_attribute").set_attribute(id, name, value, now)
    }
}

impl State {
    pub(super) fn attachment(&self, id: AttachmentId) -> Option<Attachment> {
        self.attachments.get(&id).map(|entry| entry.attachment.clone())
    }

    pub(super) fn set_attribute(
        &mut self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool> {
        let entry = self.attachments.get_mut(&id).ok_or(Error::Missing)?;
        let before = match value {
            Some(value) => entry.attributes.insert(name.to_owned(), value.to_owned()).is_some(),
            None => entry.attributes.remove(name).is_some(),
        };
        if before || value.is_some() {
            entry.attachment.times.changed = now;
        }
        Ok(before)
    }

    /// Adds a link to the count. A retired attachment is no longer retired.
    pub(super) fn gain_link(&mut self, id: AttachmentId, now: Timestamp) {
        if let Some(entry) = self.attachments.get_mut(&id) {
            entry.attachment.links += 1;
            entry.attachment.times.changed = now;
            entry.retired = None;
        }
    }

    /// Takes a link off the count. An attachment without links is retired, with the slot and the written name of its last link.
    pub(super) fn lose_link(&mut self, link: &Link, now: Timestamp) -> Option<Attachment> {
        let retirement = self.retirement(link, now);
        let entry = self.attachments.get_mut(&link.attachment.id)?;
        entry.attachment.links -= 1;
        entry.attachment.times.changed = now;
        entry.retired = retirement.filter(|_| entry.attachment.links == 0);
        Some(entry.attachment.clone())
    }

    fn retirement(&self, link: &Link, at: Timestamp) -> Option<Retirement> {
        let Place { row, field, item } = link.place.clone();
        let row = self.rows.get(&row)?;
        let (table, _) = self.tables.iter().find(|(_, id)| **id == row.table)?;
        let known = self.fields.get(&(row.table, field.clone()));
        let orphan = known.map_or(Orphan::Delete, |(_, orphan)| *orphan);
        let row = Row { table: table.clone(), id: row.name.clone() };
        let slot = Slot { row, field, item };
        Some(Retirement { at, slot, written: link.written.clone(), orphan })
    }

    /// Sets what a slot fixes of the access.
    pub(super) fn fix_access(&mut self, id: AttachmentId, fixed: Fixed) {
        if let Some(entry) = self.attachments.get_mut(&id) {
            entry.attachment.access = fixed.of(entry.attachment.access);
        }
    }
}
