//! Owner and modes in the library: every path that makes or amends a row or an attachment asks here what its table fixes.
//! Does not know how a policy is applied (`words::access` does), nor who may ask for what.

use crate::library::Library;
use crate::library::error::Error;
use words::access::Fixed;
use words::attachment::{Amendment, Attachment, AttachmentId, RowId};
use words::row::RowRecord;
use words::timestamp::Timestamp;

impl Library {
    /// `chmod`, `chown`, `utimens` of an attachment, as far as the tables of all its names let them.
    pub fn amend(&self, id: AttachmentId, amendment: Amendment) -> Result<Attachment, Error> {
        let mut left = amendment;
        let asks = amendment.uid.or(amendment.gid).or(amendment.mode).is_some();
        if asks && self.lookup.fixes_something() {
            for place in self.lookup.places(id)? {
                left = self.lookup.fixed_at(&place)?.leave(left);
            }
        }
        Ok(self.catalog.amend(id, left, Timestamp::now())?)
    }

    /// The same of a row.
    pub fn amend_row(&self, id: RowId, amendment: Amendment) -> Result<RowRecord, Error> {
        let row = self.lookup.row_by_id(id)?.ok_or(Error::Missing)?;
        let fixed = self.lookup.table(row.table).map_or_else(Fixed::default, |it| it.access.rows());
        Ok(self.catalog.amend_row(id, fixed.leave(amendment), Timestamp::now())?)
    }
}
