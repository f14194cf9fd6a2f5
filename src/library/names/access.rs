//! Owner and modes in the library: every path that makes or amends a row or an attachment asks here what its table fixes.
//! Does not know how a policy is applied (`words::access` does), nor who may ask for what.

use crate::library::Library;
use crate::library::error::Error;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use words::access::Fixed;
use words::attachment::{Amendment, Attachment, AttachmentId, RowId};
use words::place::Place;
use words::row::RowRecord;
use words::timestamp::Timestamp;

impl Library {
    /// What is fixed of a file there.
    pub fn fixed(&self, target: &Target) -> Fixed {
        let table = self.table_named(target.slot.row.table.as_str());
        table.map_or_else(Fixed::default, |table| table.files(&target.field))
    }

    /// `chmod`, `chown`, `utimens` of an attachment, as far as the tables of all its names let them.
    pub fn amend(&self, id: AttachmentId, amendment: Amendment) -> Result<Attachment, Error> {
        let mut left = amendment;
        let asks = amendment.uid.or(amendment.gid).or(amendment.mode).is_some();
        if asks && self.tables.iter().any(Table::fixes_something) {
            for place in self.places(id)? {
                left = self.fixed_at(&place)?.leave(left);
            }
        }
        Ok(self.catalog.amend(id, left, Timestamp::now())?)
    }

    /// The same of a row.
    pub fn amend_row(&self, id: RowId, amendment: Amendment) -> Result<RowRecord, Error> {
        let row = self.row_by_id(id)?.ok_or(Error::Missing)?;
        let fixed = self.table(row.table).map_or_else(Fixed::default, |it| it.access.rows());
        Ok(self.catalog.amend_row(id, fixed.leave(amendment), Timestamp::now())?)
    }

    fn fixed_at(&self, place: &Place) -> Result<Fixed, Error> {
        let row = self.row_by_id(place.row)?;
        let table = row.and_then(|row| self.table(row.table));
        let field = |table: &Table| table.field(place.field.as_str()).map(|it| table.files(it));
        Ok(table.and_then(field).unwrap_or_default())
    }
}
