//! Tells the service manager how far we are (`sd_notify(3)`).
//! Without one, which is when `NOTIFY_SOCKET` is not set, nothing happens.

use sd_notify::NotifyState;

use crate::fence::Fenced;

/// The mount answers.
pub fn ready() {
    send(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The disk has failed.
pub fn fenced(fenced: &Fenced) {
    let status = format!("FENCED: nothing is stored any more ({})", fenced.because);
    send(&[NotifyState::Status(&status)]);
}

/// The mount is being taken away.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("unmounting")]);
}

fn send(states: &[NotifyState<'_>]) {
    // The service works without its manager being told; the manager's own time-out says the rest.
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
