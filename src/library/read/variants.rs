//! Variants: rendered once, by one worker, while everybody else who wants the same one waits for it.
//! Does not know names or presets; whether a variant may be asked for is decided before.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::catalog;
use crate::library::Library;
use crate::library::error::Error;
use words::attachment::{Attachment, AttachmentId, BlobKey, VariantId};
use words::rendition::VariantRecord;

use words::timestamp::Timestamp;
use words::variant::Variant;

/// How often a render is stored again when a sweep took the blob that it was to share.
const MAX_TRIES: usize = 8;

/// A render that failed after this long is dear: it is remembered rather than tried anew for everybody who asks.
const DEAR: Duration = Duration::from_secs(5);
/// How long it is remembered; whoever asks meanwhile is told so at once.
const EXHAUSTED_SPAN: Duration = Duration::from_secs(60);
/// More than these are not remembered.
const MAX_EXHAUSTED: usize = 4_096;

type Key = (BlobKey, Variant);

/// Who renders.
pub enum Renderer {
    /// This library's own workers.
    Own,
    /// Another daemon, which is asked for it: whether it has done it.
    Other(Box<dyn Fn(AttachmentId, Variant) -> bool + Send + Sync>),
}

/// The renders under way.
#[derive(Debug, Default)]
pub struct Renders {
    /// Guards which variants are being rendered now. Never held while one is.
    flights: Mutex<HashMap<Key, Arc<Flight>>>,
    /// Guards the variants whose renders failed dearly, when and in which words. Never held across I/O.
    exhausted: Mutex<HashMap<Key, (Instant, String)>>,
}

#[derive(Debug, Default)]
struct Flight {
    /// Guards whether the render has ended.
    landed: Mutex<bool>,
    ended: Condvar,
}

/// The leader of a flight renders; its guard tells the others when it is done, also if it failed.
struct Leader<'a> {
    renders: &'a Renders,
    key: Key,
    flight: Arc<Flight>,
}

impl Library {
    /// Has a worker wait for the first image, so that whoever brings it or looks at it does not wait for its start.
    pub fn warm(&self) {
        self.pipeline.warm();
    }

    /// A variant that was rendered already. One query.
    pub fn find_variant(
        &self,
        original: BlobKey,
        variant: Variant,
    ) -> Result<Option<VariantRecord>, Error> {
        Ok(self.catalog.variant(original, variant)?)
    }

    pub fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error> {
        Ok(self.catalog.variant_by_id(id)?)
    }

    pub fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error> {
        Ok(self.catalog.variants(original)?)
    }

    /// Notes that a variant was read; the next sweep tells the catalogue.
    pub fn variant_read(&self, id: VariantId) {
        self.reads.note(id, Timestamp::now());
    }

    /// Drops a rendered variant, of all attachments with the original's blob; whether there was one. The next who asks for
    /// it has it rendered anew.
    pub fn purge_variant(&self, original: BlobKey, variant: Variant) -> Result<bool, Error> {
        match self.find_variant(original, variant)? {
            Some(record) => {
                self.reserve.even_when_full(|| Ok(self.catalog.remove_variant(record.id)?))
            }
            None => Ok(false),
        }
    }

    /// The variant, rendered now if it is not there. Simultaneous callers wait for one render.
    pub fn variant(&self, original: &Attachment, variant: Variant) -> Result<VariantRecord, Error> {
        loop {
            if let Some(found) = self.find_variant(original.blob, variant)? {
                return Ok(found);
            }
            match self.renders.join((original.blob, variant)) {
                Ok(leader) => {
                    // Somebody may have finished between the look and the join.
                    let found = self.find_variant(original.blob, variant)?;
                    let answer = found.map_or_else(|| self.have_rendered(original, variant), Ok);
                    drop(leader);
                    return answer;
                }
                Err(flight) => flight.wait(),
            }
        }
    }

    fn have_rendered(
        &self,
        original: &Attachment,
        variant: Variant,
    ) -> Result<VariantRecord, Error> {
        match &self.renderer {
            Renderer::Own => self.render(original, variant),
            Renderer::Other(ask) if ask(original.id, variant) => {
                self.find_variant(original.blob, variant)?.ok_or(Error::Missing)
            }
            Renderer::Other(_) => Err(Error::Missing),
        }
    }

    fn render(&self, original: &Attachment, variant: Variant) -> Result<VariantRecord, Error> {
        if let Some(fact) = self.renders.exhausted_by((original.blob, variant)) {
            return Err(Error::Unrendered { original: original.blob, variant, fact });
        }
        let format = original.content.media_type.format().ok_or(Error::Missing)?;
        let source = self.open_bytes(original)?;
        let began = Instant::now();
        let output = self.staging.nameless().map_err(Error::io("stage a variant"))?;
        let rendered = self
            .pipeline
            .render(&source, format, variant, None, output)
            .map_err(|error| self.render_failed(original, variant, began.elapsed(), error))?;
        for _ in 0..MAX_TRIES {
            // Variants live where their original does.
            let (store, now) = (original.blob.store, Timestamp::now());
            let kept = self.keep_blob(store, rendered.digest(), rendered.file(), now)?;
            let (blob, content) = (kept.key(), rendered.content());
            match self.catalog.add_variant(original.blob, variant, blob, content) {
                Err(catalog::Error::BlobGone(gone)) if gone != original.blob => {}
                Err(catalog::Error::BlobGone(_)) => return Err(Error::Missing),
                answer => {
                    let record = answer?;
                    // Where somebody else was quicker it is nobody's, and stays pending until it is swept.
                    self.confirm([Some(kept).filter(|_| record.blob == blob)]);
                    self.counts.variants_rendered.add(1);
                    return Ok(record);
                }
            }
        }
        Err(Error::Busy)
    }

    /// A stored image that cannot be rendered is ours to explain, not the reader's to be refused.
    fn render_failed(
        &self,
        original: &Attachment,
        variant: Variant,
        spent: Duration,
        error: pipeline::Error,
    ) -> Error {
        self.counts.variants_failed.add(1);
        let pipeline::Error::Refused(violation) = error else { return error.into() };
        if spent >= DEAR {
            self.renders.exhaust((original.blob, variant), violation.fact.clone());
        }
        Error::Unrendered { original: original.blob, variant, fact: violation.fact }
    }
}

impl Renders {
    /// Becomes the leader, or returns the flight to wait for.
    fn join(&self, key: Key) -> Result<Leader<'_>, Arc<Flight>> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&key) {
            return Err(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::default());
        flights.insert(key, Arc::clone(&flight));
        Ok(Leader { renders: self, key, flight })
    }

    /// Remembers that a variant failed dearly.
    fn exhaust(&self, key: Key, fact: String) {
        let mut exhausted = self.exhausted.lock().unwrap_or_else(PoisonError::into_inner);
        exhausted.retain(|_, (since, _)| since.elapsed() < EXHAUSTED_SPAN);
        if exhausted.len() < MAX_EXHAUSTED {
            exhausted.insert(key, (Instant::now(), fact));
        }
    }

    /// Why a variant is not tried again yet.
    fn exhausted_by(&self, key: Key) -> Option<String> {
        let exhausted = self.exhausted.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, fact) = exhausted.get(&key)?;
        (since.elapsed() < EXHAUSTED_SPAN).then(|| fact.clone())
    }

    /// How many renders are under way.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn wait(&self) {
        let mut landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        while !*landed {
            landed = self.ended.wait(landed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.renders.lock().remove(&self.key);
        *self.flight.landed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.flight.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::StoreId;
    use words::digest::Digest;
    use words::media_type::Format;
    use words::variant::Spec;

    #[test]
    fn a_variant_that_failed_dearly_is_not_tried_again_at_once() {
        let renders = Renders::default();
        let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 };
        let key = |spec| (blob, Variant { spec, format: Format::Avif });
        renders.exhaust(key(Spec::Full), "image takes too long".into());
        assert_eq!(renders.exhausted_by(key(Spec::Full)), Some("image takes too long".into()));
        assert_eq!(renders.exhausted_by(key(Spec::Width(16))), None);
    }

    #[test]
    fn no_more_than_a_bound_of_dear_failures_are_remembered() {
        let renders = Renders::default();
        for generation in 0..MAX_EXHAUSTED as u64 + 9 {
            let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation };
            let variant = Variant { spec: Spec::Full, format: Format::Avif };
            renders.exhaust((blob, variant), String::new());
        }
        assert_eq!(renders.exhausted.lock().map(|all| all.len()).ok(), Some(MAX_EXHAUSTED));
    }

    #[test]
    fn one_flight_has_one_leader_and_the_rest_wait_for_it() {
        let renders = Renders::default();
        let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 };
        let key = (blob, Variant { spec: Spec::Full, format: Format::Png });
        let Ok(leader) = renders.join(key) else { panic!("the first leads") };
        let Err(flight) = renders.join(key) else { panic!("the second waits") };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| flight.wait());
            drop(leader);
            waiting.join().expect("the wait ended");
        });
        assert!(renders.is_empty());
    }
}
