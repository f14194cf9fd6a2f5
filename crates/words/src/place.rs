//! A place: a field of a row, or an item of a collection, by the row's number; and the directory that lists it.

use crate::attachment::RowId;
use crate::slot::Name;

/// A slot by the number of its row, as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub row: RowId,
    pub field: Name,
    /// In a list the item's name, in a dict its key; `None` in a field that holds one file.
    pub item: Option<Name>,
}

impl Place {
    /// The place of a field that holds one file.
    pub fn one(row: RowId, field: Name) -> Self {
        Self { row, field, item: None }
    }

    /// The name in its directory, without an extension that is only listed: the item's, or that of a field that holds one file.
    pub fn name(&self) -> &Name {
        self.item.as_ref().unwrap_or(&self.field)
    }

    /// The directory that lists the place.
    pub fn folder(&self) -> Folder {
        let field = self.item.is_some().then(|| self.field.clone());
        Folder { row: self.row, field }
    }
}

/// A directory that takes files: a row, or a collection in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder {
    pub row: RowId,
    /// The collection; `None` for the row itself.
    pub field: Option<Name>,
}

impl Folder {
    pub fn row(row: RowId) -> Self {
        Self { row, field: None }
    }
}
