//! Notifies the service manager, if there is one, of the daemon's state (`sd_notify(3)`).

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::fence::Fenced;

/// How long a message may wait until the manager has room for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says that the mount answers requests.
pub fn ready() {
    send(Some(NotifyState::Ready), "serving".into());
}

/// Says that the disk has failed.
pub fn fenced(fenced: &Fenced) {
    send(None, format!("FENCED: nothing is stored any more ({})", fenced.because));
}

/// Says that the mount is being unmounted.
pub fn stopping() {
    send(Some(NotifyState::Stopping), "unmounting".into());
}

/// Sends from a thread of its own, because a manager that reads nothing blocks the sender once its socket is full.
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
    // The service goes on without the message; the manager's own time-out deals with its absence.
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
