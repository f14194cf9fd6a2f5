//! Tells the service manager how far we are (`sd_notify(3)`).
//! Without one, which is when `NOTIFY_SOCKET` is not set, nothing happens.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::fence::Fenced;

/// How long the manager may take to make room for a message.
const PATIENCE: Duration = Duration::from_secs(1);

/// The mount answers.
pub fn ready() {
    send(Some(NotifyState::Ready), "serving".into());
}

/// The disk has failed.
pub fn fenced(fenced: &Fenced) {
    send(None, format!("FENCED: nothing is stored any more ({})", fenced.because));
}

/// The mount is being taken away.
pub fn stopping() {
    send(Some(NotifyState::Stopping), "unmounting".into());
}

/// From a thread of its own: a manager that reads nothing makes whoever tells it wait once the socket is full.
fn send(phase: Option<NotifyState<'static>>, said: String) {
    let (done, is_done) = mpsc::sync_channel(1);
    let tell = move || {
        let states: Vec<_> = phase.into_iter().chain([NotifyState::Status(&said)]).collect();
        done.send(sd_notify::notify(&states))
    };
    let started = thread::Builder::new().name("notify".into()).spawn(tell);
    let told = started.and_then(|_| {
        is_done.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    });
    // The service works without its manager being told; the manager's own time-out says the rest.
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
