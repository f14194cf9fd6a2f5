//! A declared table.

use std::sync::Arc;

use words::access::{DIR_MODE, Fixed, Policy};
use words::attachment::{Access, FieldId, TableId};
use words::schema::{Collection, Field, IdRule};
use words::slot::Name;

/// A table as it is used: the catalogue's number beside the configuration's rules.
#[derive(Debug)]
pub struct Table {
    pub id: TableId,
    pub name: Name,
    pub rule: IdRule,
    /// Owner, group and modes that it fixes.
    pub access: Policy,
    pub fields: Vec<Arc<Field>>,
    /// The catalogue's number of each field, in the same order.
    pub numbers: Vec<FieldId>,
}

impl Table {
    pub fn field(&self, name: &str) -> Option<&Arc<Field>> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// The fields that are directories, with their numbers.
    pub fn collections(&self) -> impl Iterator<Item = (FieldId, &Arc<Field>)> {
        let numbered = self.numbers.iter().copied().zip(&self.fields);
        numbered.filter(|(_, field)| field.collection != Collection::One)
    }

    /// The catalogue's number of a field.
    pub fn number(&self, field: &Name) -> Option<FieldId> {
        let at = self.fields.iter().position(|known| known.name == *field)?;
        self.numbers.get(at).copied()
    }
}

impl Table {
    /// What is fixed of a field's files.
    pub fn files(&self, field: &Field) -> Fixed {
        self.access.files(field.mode)
    }

    /// The table's own directory, which nobody made.
    pub fn directory(&self, daemon: Access) -> Access {
        self.access.rows().of(Access { mode: DIR_MODE, ..daemon })
    }

    pub fn fixes_something(&self) -> bool {
        let nothing = |fixed: Fixed| fixed == Fixed::default();
        let files = |field: &std::sync::Arc<Field>| nothing(self.files(field));
        !nothing(self.access.rows()) || !self.fields.iter().all(files)
    }
}
