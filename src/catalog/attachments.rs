//! Attachments, whether they are linked anywhere or not.

use words::attachment::{Amendment, Attachment, AttachmentId};
use words::place::Place;
use words::timestamp::Timestamp;

use super::error::Result;

pub trait Attachments {
    /// An attachment by number, with or without links. One query.
    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>>;

    /// The slots where an attachment is linked.
    fn places(&self, id: AttachmentId) -> Result<Vec<Place>>;

    /// Changes owner, mode or times of an attachment. A new owner is charged for it even above its quota.
    /// Errors: `Error::Missing`.
    fn amend(&self, id: AttachmentId, amendment: Amendment, now: Timestamp) -> Result<Attachment>;

    /// The attributes that programs have set, by name; empty if there is no such attachment.
    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>>;

    /// Sets (`Some`) or removes (`None`) one attribute. Returns whether it existed before.
    /// Errors: `Error::Missing` if there is no such attachment.
    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool>;
}
