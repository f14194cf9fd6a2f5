//! Renders under way: each variant is rendered by one caller at a time, while the others wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use words::attachment::BlobKey;
use words::variant::Variant;

/// How long a slow failure is remembered. Callers are told of it at once meanwhile.
const FAILURE_SPAN: Duration = Duration::from_secs(60);
/// The most slow failures that are remembered.
const MAX_FAILURES: usize = 4_096;

/// An original's blob and the variant of it.
pub(super) type Key = (BlobKey, Variant);

/// The renders under way, and those that failed slowly a moment ago.
#[derive(Debug, Default)]
pub(in crate::library) struct Renders {
    /// Guards the variants that are being rendered now. Never held during a render.
    running: Mutex<HashMap<Key, Arc<Render>>>,
    /// Guards the renders that failed slowly, with time and message. Never held across I/O.
    failures: Mutex<HashMap<Key, (Instant, String)>>,
}

/// A render that other callers wait for.
#[derive(Debug, Default)]
pub(super) struct Render {
    /// Guards whether the render has ended.
    ended: Mutex<bool>,
    changed: Condvar,
}

/// The turn of the caller that renders. Dropping it wakes the others, also after a failure.
pub(super) struct Turn<'r> {
    renders: &'r Renders,
    key: Key,
    render: Arc<Render>,
}

impl Renders {
    /// Begins a render. Errors: the render of this variant that is under way.
    pub(super) fn join(&self, key: Key) -> Result<Turn<'_>, Arc<Render>> {
        let mut running = self.running.lock();
        if let Some(render) = running.get(&key) {
            return Err(Arc::clone(render));
        }
        let render = Arc::new(Render::default());
        running.insert(key, Arc::clone(&render));
        Ok(Turn { renders: self, key, render })
    }

    pub(super) fn remember_failure(&self, key: Key, fact: String) {
        let mut failures = self.failures.lock();
        failures.retain(|_, (since, _)| since.elapsed() < FAILURE_SPAN);
        if failures.len() < MAX_FAILURES {
            failures.insert(key, (Instant::now(), fact));
        }
    }

    /// The message of a slow failure, as long as it is remembered.
    pub(super) fn failure_of(&self, key: Key) -> Option<String> {
        let failures = self.failures.lock();
        let (since, fact) = failures.get(&key)?;
        (since.elapsed() < FAILURE_SPAN).then(|| fact.clone())
    }
}

impl Render {
    pub fn wait(&self) {
        self.changed.wait_while(&mut self.ended.lock(), |ended| !*ended);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.renders.running.lock().remove(&self.key);
        *self.render.ended.lock() = true;
        self.render.changed.notify_all();
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
    fn a_variant_whose_render_failed_slowly_is_not_tried_again_at_once() {
        let renders = Renders::default();
        let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 };
        let key = |spec| (blob, Variant { spec, format: Format::Avif });
        renders.remember_failure(key(Spec::Full), "image takes too long".into());
        assert_eq!(renders.failure_of(key(Spec::Full)), Some("image takes too long".into()));
        assert_eq!(renders.failure_of(key(Spec::Width(16))), None);
    }

    #[test]
    fn slow_failures_that_are_remembered_are_bounded() {
        let renders = Renders::default();
        for generation in 0..MAX_FAILURES as u64 + 9 {
            let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation };
            let variant = Variant { spec: Spec::Full, format: Format::Avif };
            renders.remember_failure((blob, variant), String::new());
        }
        assert_eq!(renders.failures.lock().len(), MAX_FAILURES);
    }

    #[test]
    fn one_caller_renders_and_the_others_wait() {
        let renders = Renders::default();
        let blob = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 };
        let key = (blob, Variant { spec: Spec::Full, format: Format::Png });
        let Ok(turn) = renders.join(key) else { panic!("the first renders") };
        let Err(render) = renders.join(key) else { panic!("the second waits") };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| render.wait());
            drop(turn);
            waiting.join().expect("the wait ended");
        });
        assert!(renders.running.lock().is_empty());
    }
}
