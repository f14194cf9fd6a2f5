//! Variants: looked up, rendered if they are not there yet, purged. Permission is that of the original.

use std::sync::Arc;

use crate::library::Library;
use crate::library::limit::permission::READ;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::request::Caller;
use crate::tree::show::attr::{Attr, Entry};
use words::attachment::{Attachment, AttachmentId, BlobKey};
use words::dimensions::Dimensions;
use words::rendition::VariantRecord;
use words::schema::Field;
use words::variant::Variant;

/// The answer to a lookup, which may have to wait for a render.
#[derive(Debug)]
pub enum Lookup {
    Found(Entry),
    /// To be answered by [`Variants::render`], from the bounded render pool.
    Render(Rendering),
}

/// A variant that must be rendered before its lookup can be answered.
#[derive(Debug)]
pub struct Rendering {
    original: Attachment,
    variant: Variant,
    keep: Keep,
}

/// Whether the kernel may keep the answer to a lookup: [`Entry::lasting`] or [`Entry::fleeting`].
pub type Keep = fn(Attr) -> Entry;

pub struct Variants {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) open: Arc<Open>,
}

impl Variants {
    /// Looks a variant up. Errors: [`Error::Denied`] for a caller who may not read the original.
    pub fn lookup(
        &self,
        who: Caller,
        original: Attachment,
        field: &Field,
        variant: Variant,
        keep: Keep,
    ) -> Result<Lookup> {
        if !self.open.rights.person(who).permits(original.access, READ) {
            return Err(Error::Denied);
        }
        if !field.allows(variant, size(&original)?) {
            return Err(Error::NotFound);
        }
        Ok(match self.library.variants.find(original.blob, variant)? {
            Some(record) => {
                self.library.counts.variants_found.add(1);
                Lookup::Found(keep(Attr::variant(&record)))
            }
            None => Lookup::Render(Rendering { original, variant, keep }),
        })
    }

    /// Renders a variant, or waits for the thread that is rendering it.
    pub fn render(&self, rendering: &Rendering) -> Result<Entry> {
        let Rendering { original, variant, keep } = rendering;
        let record = self.library.variants.find_or_render(original, *variant)?;
        self.kernel.tell(&Change::Variants);
        Ok(keep(Attr::variant(&record)))
    }

    /// Renders a variant for a read-only daemon of this library.
    pub fn render_for(&self, id: AttachmentId, variant: Variant) -> Result<()> {
        let found = self.library.lookup.attachment(id)?.filter(|found| found.links > 0);
        let original = found.ok_or(Error::NotFound)?;
        // Which field's name was used is not known here: the other daemon has checked that field.
        if !self.is_allowed(id, variant, size(&original)?)? {
            return Err(Error::NotFound);
        }
        self.library.variants.find_or_render(&original, variant)?;
        self.kernel.tell(&Change::Variants);
        Ok(())
    }

    /// Whether any field that shows the attachment allows a variant.
    fn is_allowed(&self, id: AttachmentId, variant: Variant, size: Dimensions) -> Result<bool> {
        for place in self.library.lookup.places(id)? {
            if self.places.field_at(&place)?.allows(variant, size) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes a variant: the next lookup renders it anew.
    pub fn purge(&self, original: BlobKey, variant: Variant) -> Result<()> {
        if !self.library.variants.purge(original, variant)? {
            return Err(Error::NotFound);
        }
        self.kernel.tell(&Change::Variants);
        Ok(())
    }

    /// The rendered variants that this field allows. Equal pictures share variants, which other fields may allow.
    pub fn rendered(&self, attachment: &Attachment, field: &Field) -> Result<Vec<VariantRecord>> {
        let mut rendered = self.library.variants.list(attachment.blob)?;
        let size = attachment.content.dimensions;
        rendered.retain(|it| size.is_some_and(|size| field.allows(it.variant, size)));
        Ok(rendered)
    }
}

/// The size of an image. Errors: [`Error::NotFound`] if no variants can be made of the file.
fn size(original: &Attachment) -> Result<Dimensions> {
    let readable = original.content.media_type.format().is_some();
    original.content.dimensions.filter(|_| readable).ok_or(Error::NotFound)
}
