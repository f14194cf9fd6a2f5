//! The worker's side: fences itself in, then does one job after the other until the daemon hangs up.
//! Does not know where the descriptors came from nor what becomes of them.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use crate::pipeline::job::{Fault, Job, Outcome};
use crate::pipeline::work;
use crate::pipeline::worker::protocol::{self, Ready};

/// The largest file that a worker may write, in bytes.
pub const FILE_MAX: u64 = 1 << 30;

/// How many descriptors a worker may have open.
pub const DESCRIPTORS_MAX: u64 = 32;

/// The most characters of a decoder's message that are passed on.
const WORDS_MAX: usize = 500;

/// Serves the connection on standard input with at most `memory` bytes of address space, until the other side closes
/// it. Fails if the limits cannot be set: hostile bytes are not decoded without them.
pub fn serve(memory: u64) -> ExitCode {
    match fence(memory).map_err(protocol::Error::Io).and_then(|()| serve_all()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The journal is all that a worker has; where it is gone, so is the reader.
            let _ = writeln!(io::stderr(), "mediafs worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fence(memory: u64) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let limit =
        |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, DESCRIPTORS_MAX)?;
    limit(Resource::Fsize, FILE_MAX)?;
    limit(Resource::As, memory)?;
    Ok(())
}

fn serve_all() -> Result<(), protocol::Error> {
    let socket = io::stdin();
    protocol::send(&socket, &Ready { version: protocol::VERSION }, &[])?;
    loop {
        let (job, descriptors) = match protocol::receive::<Job>(&socket) {
            Ok(request) => request,
            Err(protocol::Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        let files: Vec<File> = descriptors.into_iter().map(File::from).collect();
        let [input, output] = files.as_slice() else { return Err(protocol::Error::Descriptors) };
        let outcome = shortened(work::run(&job, input, output));
        // Nobody may hold a descriptor that can write once the result is known.
        drop(files);
        protocol::send(&socket, &outcome, &[])?;
    }
}

fn shortened(outcome: Outcome) -> Outcome {
    let short = |words: String| words.chars().take(WORDS_MAX).collect::<String>();
    match outcome {
        Outcome::Fault(Fault::Truncated(words)) => Outcome::Fault(Fault::Truncated(short(words))),
        Outcome::Fault(Fault::Corrupt(words)) => Outcome::Fault(Fault::Corrupt(short(words))),
        Outcome::Fault(Fault::Unsupported(words)) => {
            Outcome::Fault(Fault::Unsupported(short(words)))
        }
        other => other,
    }
}
