//! Several changes to the metadata of a row, in one step.

use super::{Entry, State};
use crate::catalog::Error;
use crate::catalog::slots::Revision;
use words::attachment::{Attachment, AttachmentId, RowId};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

impl State {
    pub(super) fn revise(
        &mut self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error> {
        self.require_row(row)?;
        let (mut next, mut lost) = (self.clone(), Vec::new());
        for revision in revisions {
            lost.extend(next.apply(row, revision, now)?);
        }
        next.touch_row(row, now);
        *self = next;
        Ok(lost)
    }

    fn apply(
        &mut self,
        row: RowId,
        revision: &Revision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        match revision {
            Revision::Require { place, id } => {
                if self.linked(place)? != *id {
                    return Err(Error::Missing);
                }
            }
            Revision::Detach(place) => {
                return self.unlink(place, now).ok_or(Error::Missing).map(Some);
            }
            Revision::Arrange { field, order } => self.arrange(row, field, order),
            Revision::Rename { place, original_filename } => {
                let Entry { attachment, .. } = self.entry(place)?;
                attachment.original_filename.clone_from(original_filename);
                attachment.times.changed = now;
            }
            Revision::Annotate { place, name, value } => {
                let id = self.linked(place)?;
                self.set_attribute(id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                let Entry { attachment, .. } = self.entry(place)?;
                attachment.source.clone_from(source);
                attachment.times.changed = now;
            }
        }
        Ok(None)
    }

    fn linked(&self, place: &Place) -> Result<AttachmentId, Error> {
        Ok(self.links.get(place).ok_or(Error::Missing)?.attachment)
    }

    fn entry(&mut self, place: &Place) -> Result<&mut Entry, Error> {
        let id = self.linked(place)?;
        self.attachments.get_mut(&id).ok_or(Error::Missing)
    }

    fn arrange(&mut self, row: RowId, field: &Name, order: &[Name]) {
        let there: Vec<_> =
            self.items(row, field).into_iter().filter_map(|link| link.place.item).collect();
        let others = there.iter().filter(|item| !order.contains(item));
        for (position, item) in (1..).zip(order.iter().chain(others)) {
            let item = Some(item.clone());
            if let Some(linked) = self.links.get_mut(&Place { row, field: field.clone(), item }) {
                linked.position = position;
            }
        }
    }
}
