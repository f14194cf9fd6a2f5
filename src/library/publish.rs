//! Publishing: raw bytes become an attachment of a slot, or a refusal.
//! Does not know where the bytes come from: a draft, scratch, or the quarantine.
//!
//! Store first, link second, delete last: a crash between any two steps leaves an orphan that the catalogue knows already.

use std::fs::File;
use std::io;

use rustix::io::Errno;

use crate::catalog::{self, Publication, Published, Reservation};
use crate::library::attributes::{ORIGIN, as_source};
use crate::library::kept::Kept;
use crate::library::refuse::Author;
use crate::library::{Error, Library, Target};
use pipeline::candidate::{Candidate, Refined, Sent};
use pipeline::running_digest::RunningDigest;
use words::attachment::{Access, Original, StoreId, Times};
use words::digest::Digest;
use words::refusal::{Refusal, RefusalId, Rule, Violation};
use words::schema::{Field, OnRefuse};
use words::slot::Name;
use words::timestamp::Timestamp;

/// How often a publication is tried again when a sweep took the blob that it was to share.
pub(super) const MAX_TRIES: usize = 8;

/// Bytes as they were sent, which nobody can change any more.
#[derive(Debug)]
pub struct Raw {
    file: File,
    length: u64,
    /// What was seen of them while they were written.
    sum: RunningDigest,
    /// Where they are already, below the quarantine.
    kept: Option<String>,
}

impl Raw {
    /// `sent` must be open for reading only.
    pub fn new(sent: &File) -> Result<Self, Error> {
        let file = sent.try_clone().map_err(Error::io("reopen what was sent"))?;
        let length = file.metadata().map_err(Error::io("stat what was sent"))?.len();
        Ok(Self { file, length, sum: RunningDigest::default(), kept: None })
    }

    /// The same bytes, of which this was seen while they were written.
    pub(super) fn seen(self, sum: RunningDigest) -> Self {
        Self { sum, ..self }
    }

    /// Bytes that the quarantine keeps already: refused again they are not kept twice.
    pub fn quarantined(sent: &File, id: RefusalId, name: &str) -> Result<Self, Error> {
        Ok(Self { kept: Some(format!("{id}/{name}")), ..Self::new(sent)? })
    }
}

/// What is to be stored.
#[derive(Debug)]
pub(super) struct Product {
    refined: Refined,
    /// Where the field keeps it.
    sent: Option<Sent>,
}

/// What the writer said about the file beside its bytes.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// As the writer has it; the table may fix another.
    pub access: Access,
    pub times: Times,
    pub attributes: Vec<(String, Vec<u8>)>,
    /// The URL that the bytes were fetched from.
    pub source: Option<String>,
    /// The name that they had there.
    pub filename: Option<Name>,
}

impl Metadata {
    /// Of what a program wrote.
    pub fn written(access: Access, times: Times, mut attributes: Vec<(String, Vec<u8>)>) -> Self {
        let origin = attributes.iter().find(|(name, _)| name == ORIGIN);
        let source = origin.and_then(|(_, value)| as_source(value));
        attributes.retain(|(name, _)| name != ORIGIN);
        Self { access, times, attributes, source, filename: None }
    }

    /// The name that tells the user which file it was.
    fn original_filename<'m>(&'m self, target: &'m Target) -> &'m Name {
        self.filename.as_ref().unwrap_or(&target.written)
    }

    /// The name whose extension tells something: a bare `memo` does not, where the file it was fetched from may.
    fn telling_name<'m>(&'m self, target: &'m Target) -> &'m Name {
        match target.written.split_extension() {
            (_, Some(_)) => &target.written,
            (_, None) => self.original_filename(target),
        }
    }
}

impl Library {
    /// Judges, normalises, stores, links. On `Ok` the attachment is durable and visible; on a refusal it is on record and
    /// the bytes are in the quarantine; on any other error nothing has changed.
    pub fn publish(
        &self,
        raw: Raw,
        target: &Target,
        author: Author,
        metadata: &Metadata,
    ) -> Result<Published, Error> {
        self.fence.check()?;
        let sent = raw.file.try_clone().map_err(Error::io("reopen what was sent"))?;
        let kept = raw.kept.clone();
        let refuse = |violation| match kept {
            Some(kept) => Error::from(self.refuse_again(target, author, violation, kept)),
            None => Error::from(self.refuse(target, author, violation, Some(&sent))),
        };
        let product = match self.refine(raw, &target.field, metadata.telling_name(target)) {
            Ok(product) => product,
            Err(pipeline::Error::Refused(violation)) => return Err(refuse(violation)),
            Err(error) => return Err(error.into()),
        };
        match self.store(&product, target, metadata) {
            Ok(published) => {
                self.counts.attached.add(1);
                self.clear_refusal(target);
                tracing::debug!(slot = %target.slot, blob = %published.attachment.blob, "attached");
                Ok(published)
            }
            // The row went away while the file was written (CONTRACT 2.12).
            Err(Error::Missing) => Err(refuse(row_gone(target))),
            Err(Error::Quota(excess)) => Err(refuse(self.over_quota(&excess))),
            Err(error) => Err(error),
        }
    }

    /// Judges and normalises, and changes nothing.
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

    /// Stores what was refined and links it: blobs first, the link second, of both where what was sent is kept too.
    pub(super) fn store(
        &self,
        product: &Product,
        target: &Target,
        metadata: &Metadata,
    ) -> Result<Published, Error> {
        let store = self.store_of(&target.field)?;
        let mut tries = 0;
        loop {
            let now = Timestamp::now();
            let refined = &product.refined;
            let kept = self.keep_blob(store, refined.digest(), refined.file(), now)?;
            let (blob, sent) = (kept.key(), self.keep_original(store, product, kept, now)?);
            let publication = Publication {
                place: target.place.clone(),
                written: target.written.clone(),
                blob,
                content: refined.content().clone(),
                access: self.fixed(target).of(metadata.access),
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
                    self.confirm([Some(kept), sent.map(|(kept, _)| kept)]);
                    return Ok(published);
                }
            }
        }
    }

    /// What was sent is one blob with what is stored where they are the same bytes.
    fn keep_original(
        &self,
        store: StoreId,
        product: &Product,
        stored: Reservation,
        now: Timestamp,
    ) -> Result<Option<(Reservation, Original)>, Error> {
        let Some(sent) = &product.sent else { return Ok(None) };
        let same = sent.digest() == stored.key().digest;
        let kept =
            if same { stored } else { self.keep_blob(store, sent.digest(), sent.file(), now)? };
        Ok(Some((kept, Original { blob: kept.key(), content: sent.content().clone() })))
    }

    /// The key under which a store has these bytes from now on. They belong to nobody yet, and are pending where they are new.
    pub(super) fn keep_blob(
        &self,
        store: StoreId,
        digest: Digest,
        bytes: &File,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        let length = bytes.metadata().map_err(Error::io("stat what is to be stored"))?.len();
        let reservation = match self.catalog.reserve(store, digest, now)? {
            // Whoever shares it gains by this too.
            Reservation::Stored(key) if !self.has_whole(key, length)? => {
                self.blobs.delete(key)?;
                Reservation::New(key)
            }
            reservation => reservation,
        };
        if let Reservation::New(key) = reservation {
            self.blobs.put(key, bytes)?;
            self.counts.stored_bytes.add(length);
        } else {
            self.counts.shared_bytes.add(length);
        }
        Ok(reservation)
    }

    /// The catalogue has linked them.
    pub(super) fn confirm(&self, kept: impl IntoIterator<Item = Option<Reservation>>) {
        for reservation in kept.into_iter().flatten() {
            if let Reservation::New(key) = reservation {
                self.blobs.confirm(key);
            }
        }
    }

    /// Puts a refusal on record: log, last error, and the complete bytes in the quarantine.
    pub fn refuse(
        &self,
        target: &Target,
        author: Author,
        violation: Violation,
        complete: Option<&File>,
    ) -> Refusal {
        let refusal = Refusal::new(self.refusals.next_id(), &target.slot, violation);
        let kept =
            complete.and_then(|bytes| self.keep(&refusal, target.written.as_str(), author, bytes));
        self.make_known(target, author, &refusal, kept);
        refusal
    }

    /// Log, last error, and the report beside the name.
    fn make_known(&self, target: &Target, author: Author, refusal: &Refusal, kept: Option<String>) {
        self.refusals.record(refusal, Some(&target.place), author, kept);
        if let Some(line) = self.refusals.of_place(&target.place) {
            self.report(target, author, &line);
        }
    }

    /// The slot took a file.
    pub(super) fn clear_refusal(&self, target: &Target) {
        self.refusals.clear(&target.place);
        self.withdraw_report(target);
    }

    /// Puts the refusal of bytes that the quarantine keeps already on record.
    fn refuse_again(
        &self,
        target: &Target,
        author: Author,
        violation: Violation,
        kept: String,
    ) -> Refusal {
        let refusal = Refusal::new(self.refusals.next_id(), &target.slot, violation);
        self.make_known(target, author, &refusal, Some(kept));
        refusal
    }

    /// Whether the writer of bytes that were refused is told success: if its field says so, and the bytes are in the
    /// quarantine, on disk.
    pub fn tells_success(&self, target: &Target, refusal: &Refusal) -> bool {
        target.field.on_refuse == OnRefuse::Quarantine && self.quarantine.find(refusal.id).is_some()
    }

    /// Moves bytes to the quarantine; returns where they are below it. If that fails the log says so.
    pub(crate) fn keep(
        &self,
        refusal: &Refusal,
        name: &str,
        author: Author,
        bytes: &File,
    ) -> Option<String> {
        let kept = self.try_keep(refusal, name, author, bytes);
        kept.inspect_err(|error| {
            if Errno::from_io_error(error) == Some(Errno::IO) {
                self.fence.raise("the quarantine could not be written", error);
            }
            tracing::warn!(id = %refusal.id, path = refusal.path, %error, "refused bytes cannot be quarantined");
        })
        .ok()
    }

    pub(crate) fn try_keep(
        &self,
        refusal: &Refusal,
        name: &str,
        author: Author,
        bytes: &File,
    ) -> io::Result<String> {
        if self.fence.is_raised() {
            return Err(io::Error::other("the library's disk has failed"));
        }
        let length = bytes.metadata()?.len();
        let kept = Kept {
            id: refusal.id.to_string(),
            name: name.to_owned(),
            path: refusal.path.clone(),
            uid: author.uid,
            rule: refusal.rule(),
            message: refusal.to_string(),
            hint: refusal.violation.hint.clone(),
            length,
            time: Timestamp::now(),
        };
        let name = self.quarantine.keep(refusal.id, bytes, kept)?;
        Ok(format!("{}/{name}", refusal.id))
    }

    /// `fsync` of a staged file and of the folder that holds its name.
    pub(crate) fn make_durable(&self, file: &File) -> Result<(), Error> {
        self.sync(file)?;
        self.sync(&File::open(self.home.staging()).map_err(Error::io("open the staging folder"))?)
    }

    /// `fsync` of a file beside the stores. A failure is the library's: it raises the fence.
    pub fn sync(&self, file: &File) -> Result<(), Error> {
        self.fence.check()?;
        let synced = self.fence.watch("a file could not be synced", file.sync_all());
        synced.map_err(Error::io("sync a file"))?;
        Ok(self.fence.check()?)
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

impl From<pipeline::Error> for Error {
    fn from(error: pipeline::Error) -> Self {
        match error {
            pipeline::Error::Output(source) | pipeline::Error::Input(source) => {
                Self::io("refine the file")(source)
            }
            pipeline::Error::Busy => Self::Busy,
            other => Self::Pipeline(other),
        }
    }
}
