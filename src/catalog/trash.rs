//! Retired attachments: those that have lost their last link and were not swept yet.

use words::attachment::AttachmentId;
use words::retired::Retired;
use words::timestamp::Timestamp;

use super::error::Result;

pub trait Trash {
    /// Up to `limit` attachments that were retired at or after a time, by time and number.
    fn retired(&self, since: Timestamp, limit: usize) -> Result<Vec<Retired>>;

    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>>;

    /// The first attachment that was retired at or after a time from a slot whose path, with `-` for each `/`, is `dashed`:
    /// `user-42-avatar`. One query.
    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>>;

    /// Sets the time of retirement to `now`. An attachment that has links, or does not exist, is left alone.
    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<()>;

    /// Up to `limit` retired attachments that no sweep removes, since their last field keeps orphans; by number above `after`.
    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>>;
}
