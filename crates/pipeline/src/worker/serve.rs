//! The worker's side: fences itself in, then does one job after the other until the daemon hangs up.
//! Does not know where the descriptors came from nor what becomes of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use crate::job::{Fault, Outcome};
use crate::work;
use crate::worker::protocol::{self, Ready, Request};

/// The largest file that a worker may write, in bytes.
pub const FILE_MAX: u64 = 1 << 30;

/// How many descriptors a worker may have open.
pub const DESCRIPTORS_MAX: u64 = 32;

/// Who goes first when memory runs out: this process (`proc_pid_oom_score_adj(5)`).
const FIRST_TO_GO: &str = "1000";

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
    // Before it is made undumpable: its files in /proc are root's from then on. A /proc that cannot be written to costs
    // a preference, no limit.
    let _ = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
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
    // What hostile bytes do to a decoder is told by the daemon, in one line: a trace for each would fill the journal.
    panic::set_hook(Box::new(|_| ()));
    let socket = io::stdin();
    protocol::send(&socket, &Ready { version: protocol::VERSION }, &[])?;
    loop {
        let (request, descriptors) = match protocol::receive::<Request>(&socket) {
            Ok(received) => received,
            Err(protocol::Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        let files: Vec<File> = descriptors.into_iter().map(File::from).collect();
        let [input, output] = files.as_slice() else { return Err(protocol::Error::Descriptors) };
        limit_cpu(request.cpu_secs)?;
        let outcome = shortened(work::run(&request.job, input, output));
        // Nobody may hold a descriptor that can write once the result is known.
        drop(files);
        protocol::send(&socket, &outcome, &[])?;
    }
}

/// Moves the limit, which counts from the start of the process, so far ahead of what was used already.
fn limit_cpu(secs: u64) -> io::Result<()> {
    let most = cpu_secs_used()?.saturating_add(secs);
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(maximum.map_or(most, |given| given.min(most)));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

/// `utime` and `stime` in `proc_pid_stat(5)`, rounded up. The kernel shows them in hundredths on every architecture.
fn cpu_secs_used() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    let numbered = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let ticks: u64 = numbered.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(ticks.div_ceil(100))
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
