//! Promises: attachments without a name that an open draft may put back, and that no sweep takes until then (CONTRACT 2.11).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use words::attachment::AttachmentId;

/// The promises of all open drafts.
#[derive(Debug, Default)]
pub struct Promises {
    /// Guards how many promises there are for each attachment. Held for one look or change.
    counts: Arc<Counts>,
}

type Counts = Mutex<HashMap<AttachmentId, usize>>;

/// Keeps one attachment from being swept for as long as this value lives.
#[derive(Debug)]
pub struct Promise {
    id: AttachmentId,
    counts: Arc<Counts>,
}

impl Promises {
    pub fn make(&self, id: AttachmentId) -> Promise {
        *self.counts.lock().entry(id).or_default() += 1;
        Promise { id, counts: Arc::clone(&self.counts) }
    }

    /// The attachments that are promised now.
    pub(super) fn all(&self) -> Vec<AttachmentId> {
        self.counts.lock().keys().copied().collect()
    }
}

impl Promise {
    pub fn id(&self) -> AttachmentId {
        self.id
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_lasts_until_its_last_holder_drops_it() {
        let promises = Promises::default();
        let (one, two) = (promises.make(AttachmentId(7)), promises.make(AttachmentId(7)));
        drop(one);
        assert_eq!(promises.all(), [two.id()]);
        drop(two);
        assert_eq!(promises.all(), []);
    }
}
