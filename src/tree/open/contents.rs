//! The meaning of a name in a directory, given what is stored there and what is being written.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::open::drafts::Drafts;
use words::attachment::RowId;
use words::place::Folder;
use words::slot::Name;

/// Where a rename or a link leads.
#[derive(Debug)]
pub enum Goal {
    File(Spot),
    Scratch(Folder),
    /// `<field>.url`: what is moved there is read as a text with a URL.
    Url(Spot),
    /// `row.json`: what is moved there is a patch.
    Json(RowId),
}

pub struct Contents {
    pub(super) library: Arc<Library>,
    pub(super) drafts: Arc<Drafts>,
}

impl Contents {
    /// In a collection `front@w200.jpg` is a variant if there is an item `front`, and no item that is called so itself: the
    /// catalogue is asked only for names that look like one.
    pub fn meaning(&self, directory: &Directory<'_>, name: &Name) -> Result<Meaning> {
        let meaning = meaning::meaning(directory, name);
        let Meaning::File(spot) = &meaning else { return Ok(meaning) };
        let Some(found) = meaning::variant_in(directory, name) else { return Ok(meaning) };
        if self.library.lookup.link(&spot.place)?.is_some()
            || !self.drafts.found(&spot.place).is_empty()
        {
            return Ok(meaning);
        }
        match self.library.lookup.link(&found.item.place)? {
            Some(link) if meaning::resolves(&link, spot.field.collection, &found.base) => {
                Ok(Meaning::Variant(found.item, Some(found.variant)))
            }
            _ => Ok(meaning),
        }
    }

    /// Where a rename or a link to this name leads. Errors: names that cannot be made so.
    pub fn goal(&self, parent: &Directory<'_>, name: &Name) -> Result<Goal> {
        match self.meaning(parent, name)? {
            Meaning::File(spot) => Ok(Goal::File(spot)),
            Meaning::Scratch => Ok(Goal::Scratch(parent.folder())),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson => Ok(Goal::Json(parent.row)),
            Meaning::Url(spot) => Ok(Goal::Url(spot)),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Report | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }
}
