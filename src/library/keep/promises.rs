//! Promises: what open drafts may put back, and must find until then, however long they are open (CONTRACT 2.11).
//! Does not put anything back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use words::attachment::AttachmentId;

/// The attachments without a name that no sweep takes meanwhile.
#[derive(Debug, Default)]
pub struct Promises {
    made: Arc<Made>,
}

#[derive(Debug, Default)]
struct Made {
    /// Guards how often each is promised; held for a look or a change.
    counts: Mutex<HashMap<AttachmentId, usize>>,
}

/// One attachment that is not swept for as long as this lives.
#[derive(Debug)]
pub struct Promise {
    id: AttachmentId,
    made: Arc<Made>,
}

impl Promises {
    pub fn make(&self, id: AttachmentId) -> Promise {
        *self.made.lock().entry(id).or_default() += 1;
        Promise { id, made: Arc::clone(&self.made) }
    }

    pub fn all(&self) -> Vec<AttachmentId> {
        self.made.lock().keys().copied().collect()
    }
}

impl Promise {
    pub fn id(&self) -> AttachmentId {
        self.id
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut counts = self.made.lock();
        if let Some(count) = counts.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

impl Made {
    fn lock(&self) -> MutexGuard<'_, HashMap<AttachmentId, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_lasts_until_the_last_who_has_it_lets_go() {
        let promises = Promises::default();
        let (one, two) = (promises.make(AttachmentId(7)), promises.make(AttachmentId(7)));
        drop(one);
        assert_eq!(promises.all(), [two.id()]);
        drop(two);
        assert_eq!(promises.all(), []);
    }
}
