//! Publishing: the one way in which bytes become an attachment of a slot, or a refusal.
//!
//! Store first, link second, delete last: a crash between any two steps leaves an orphan that the catalogue knows already. A
//! scratch file that is renamed or linked onto a field is published, too (CONTRACT 2.8).

pub mod metadata;

use std::fs::File;
use std::sync::Arc;

use crate::catalog::blobs::Reservation;
use crate::catalog::slots::Publication;
use crate::catalog::{self, Catalog};
use crate::fence::Fence;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::blob_files::{Blobs, MAX_TRIES};
use crate::library::counts::Counts;
use crate::library::error::{Error, Result};
use crate::library::home::staging::Staging;
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::publish::metadata::Metadata;
use crate::library::refuse::Refusals;
use crate::library::scratch::{Scratch, xattr};
use pipeline::candidate::{Candidate, Refined, Sent};
use pipeline::running_digest::RunningDigest;
use pipeline::{Pipeline, policy};
use words::attachment::{Original, StoreId};
use words::author::Author;
use words::refusal::{RefusalId, Rule, Violation};
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub use crate::catalog::slots::Published;

pub struct Publisher {
    pub(super) fence: Fence,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) staging: Arc<Staging>,
    pub(super) lookup: Arc<Lookup>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) scratch: Arc<Scratch>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) store_names: Arc<StoreNames>,
    pub(super) counts: Arc<Counts>,
}

/// Bytes as they were sent, which nobody can change any more.
#[derive(Debug)]
pub struct Raw {
    file: File,
    length: u64,
    /// Their digest, as far as it was computed while they were written.
    sum: RunningDigest,
    /// Their path below the quarantine, if they are kept there already.
    kept: Option<String>,
}

/// A file in its final form, ready to be stored.
#[derive(Debug)]
pub(super) struct Product {
    refined: Refined,
    /// The bytes as they were sent, if the field keeps them.
    sent: Option<Sent>,
}

/// The outcome for scratch that was renamed onto a field.
#[derive(Debug)]
pub enum Attached {
    Published(Box<Published>),
    /// The file was refused and is in the quarantine, and the client is told success.
    Quarantined,
}

impl Raw {
    /// `sent` must be open for reading only.
    pub fn new(sent: &File) -> Result<Self> {
        let file = sent.try_clone().map_err(Error::io("reopen what was sent"))?;
        let length = file.metadata().map_err(Error::io("stat what was sent"))?.len();
        Ok(Self { file, length, sum: RunningDigest::default(), kept: None })
    }

    /// Adds the digest that was computed while the bytes were written.
    pub(in crate::library) fn seen(self, sum: RunningDigest) -> Self {
        Self { sum, ..self }
    }

    /// Bytes of the quarantine. If they are refused again, they are not kept twice.
    pub fn quarantined(sent: &File, id: RefusalId, name: &str) -> Result<Self> {
        Ok(Self { kept: Some(format!("{id}/{name}")), ..Self::new(sent)? })
    }
}

impl Publisher {
    /// Judges, normalises, stores, links. On `Ok` the attachment is durable and visible. On a refusal it is recorded, and the
    /// bytes are in the quarantine. On any other error nothing has changed.
    pub fn publish(
        &self,
        raw: Raw,
        target: &Target,
        author: Author,
        metadata: &Metadata,
    ) -> Result<Published> {
        self.fence.check()?;
        let sent = raw.file.try_clone().map_err(Error::io("reopen what was sent"))?;
        let kept = raw.kept.clone();
        let refuse = |violation| match kept {
            Some(kept) => Error::from(self.refusals.refuse_kept(target, author, violation, kept)),
            None => Error::from(self.refusals.refuse(target, author, violation, Some(&sent))),
        };
        let product = match self.refine(raw, &target.field, metadata.telling_name(target)) {
            Ok(product) => product,
            Err(pipeline::Error::Refused(violation)) => return Err(refuse(violation)),
            Err(error) => return Err(error.into()),
        };
        match self.store(&product, target, metadata) {
            Ok(published) => {
                self.counts.attached.add(1);
                self.refusals.clear(target);
                tracing::debug!(slot = %target.slot, blob = %published.attachment.blob, "attached");
                Ok(published)
            }
            // The row was removed while the file was written (CONTRACT 2.12).
            Err(Error::Missing) => Err(refuse(row_gone(target))),
            Err(Error::Quota(excess)) => Err(refuse(self.quotas.violation(&excess))),
            Err(error) => Err(error),
        }
    }

    /// Judges scratch as it is now and attaches it, for a `rename`. On `Ok` the scratch is gone, and the returned file holds the
    /// bytes that were judged. On a refusal both names stay as they were.
    pub fn attach_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Attached, File)> {
        let attached = match self.publish_scratch(record, target, author) {
            Ok((published, sent)) => (Attached::Published(Box::new(published)), sent),
            Err(Error::Refused(refusal)) if self.refusals.tells_success(target, &refusal) => {
                let kept = self.refusals.quarantine.open_bytes(refusal.id);
                (Attached::Quarantined, kept.map_err(Error::io("open what was kept"))?)
            }
            Err(error) => return Err(error),
        };
        // The file is published. A record that stays behind only takes space until it expires.
        if let Err(error) = self.scratch.remove(record.id) {
            tracing::warn!(name = %record.name, %error, "attached scratch stays behind");
        }
        Ok(attached)
    }

    /// Attaches scratch like [`Publisher::attach_scratch`], for a `link`: the scratch stays.
    pub fn copy_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<Published> {
        self.publish_scratch(record, target, author).map(|(published, _)| published)
    }

    /// Judges and stores a copy, never the file itself: a program that has the file open could write into the blob.
    fn publish_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Published, File)> {
        let scratch = self.scratch.open(record)?;
        let stat = self.scratch.stat(record)?;
        // Before the copy: scratch may be larger than any field takes.
        if let Err(violation) = policy::judge_size_so_far(&target.field.rules, stat.size) {
            return Err(self.refusals.refuse(target, author, violation, Some(&scratch)).into());
        }
        let attributes = xattr::all(&scratch);
        let sent = self.staging.snapshot(&scratch, stat.size)?;
        let metadata = Metadata::written(record.access, stat.times, attributes);
        let published = self.publish(Raw::new(&sent)?, target, author, &metadata)?;
        Ok((published, sent))
    }

    /// Judges and normalises a file by the rules of a field. Changes nothing.
    pub(super) fn refine(
        &self,
        raw: Raw,
        field: &Field,
        written: &Name,
    ) -> Result<Product, pipeline::Error> {
        let rules = &field.rules;
        let (_, extension) = written.split_extension();
        let candidate = Candidate::identify(raw.file, raw.length, extension)?.hashed(raw.sum);
        let admitted = candidate.admit(rules)?;
        let sent = field.keep_original.then(|| admitted.sent()).transpose()?;
        let refined = self.pipeline.refine(admitted, rules, || self.staging.nameless())?;
        Ok(Product { refined, sent })
    }

    /// Stores a refined file and links it: first the blobs, of the sent bytes too if they are kept, then the link.
    pub(super) fn store(
        &self,
        product: &Product,
        target: &Target,
        metadata: &Metadata,
    ) -> Result<Published> {
        let store = self.store_names.of_field(&target.field)?;
        let mut tries = 0;
        loop {
            let now = Timestamp::now();
            let refined = &product.refined;
            let stored = self.blobs.put(store, refined.digest(), refined.file(), now)?;
            let sent = self.store_original(store, product, stored, now)?;
            let publication = Publication {
                place: target.place.clone(),
                written: target.written.clone(),
                blob: stored.key(),
                content: refined.content().clone(),
                access: self.lookup.fixed(target).of(metadata.access),
                times: metadata.times,
                original_filename: metadata.original_filename(target).to_string(),
                source: metadata.source.clone(),
                original: sent.as_ref().map(|(_, original)| original.clone()),
                attributes: metadata.attributes.clone(),
                now,
            };
            match self.catalog.publish(&publication) {
                Err(catalog::Error::BlobGone(_)) if tries < MAX_TRIES => tries += 1,
                answer => {
                    let published = answer?;
                    self.blobs.confirm(stored);
                    if let Some((original, _)) = sent {
                        self.blobs.confirm(original);
                    }
                    return Ok(published);
                }
            }
        }
    }

    /// Stores the sent bytes, if they are kept. If they are the refined bytes, both share one blob.
    fn store_original(
        &self,
        store: StoreId,
        product: &Product,
        refined: Reservation,
        now: Timestamp,
    ) -> Result<Option<(Reservation, Original)>> {
        let Some(sent) = &product.sent else { return Ok(None) };
        let same = sent.digest() == refined.key().digest;
        let stored =
            if same { refined } else { self.blobs.put(store, sent.digest(), sent.file(), now)? };
        Ok(Some((stored, Original { blob: stored.key(), content: sent.content().clone() })))
    }
}

fn row_gone(target: &Target) -> Violation {
    Violation {
        rule: Rule::RowGone,
        fact: "the row was removed while the file was written".into(),
        measured: "no row".into(),
        allows: format!("needs the row {}", target.slot.row),
        allowed: target.slot.row.to_string(),
        hint: format!(
            "make the row again (mkdir models/{}) and move the file there from the quarantine",
            target.slot.row
        ),
    }
}
