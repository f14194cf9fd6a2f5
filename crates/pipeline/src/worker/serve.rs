//! The worker's side: the process limits itself, then does one job after the other until the daemon closes the connection.

use std::fs::{self, File};
use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use crate::job::{Fault, Outcome};
use crate::worker::protocol::{self, Ready, Request};
use crate::worker::run::run;

/// The largest file that a worker may write, in bytes.
pub const FILE_MAX: u64 = 1 << 30;

/// How many descriptors a worker may have open.
pub const DESCRIPTORS_MAX: u64 = 32;

/// The kernel kills this process first when memory runs out (`proc_pid_oom_score_adj(5)`).
const OOM_SCORE_ADJ: &str = "1000";

/// How many characters of a decoder's message are sent at most.
const WORDS_MAX: usize = 500;

/// Serves the connection on standard input until the daemon closes it, with at most `memory` bytes of address space. Fails if
/// the limits cannot be set: without them no untrusted bytes are decoded.
pub fn serve(memory: u64) -> ExitCode {
    match set_limits(memory).map_err(protocol::Error::Io).and_then(|()| serve_all()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the only way to say so; if it is closed, nobody reads it.
            let _ = writeln!(io::stderr(), "mediafs worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn set_limits(memory: u64) -> io::Result<()> {
    // First of all, because the files in /proc of an undumpable process belong to root. A failure costs a preference only.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
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
    // The daemon logs a crash in one line; a backtrace for each hostile file would fill the journal.
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
        let outcome = shortened(run(&request.job, input, output));
        // The worker must not be able to write to the output once the daemon knows the result.
        drop(files);
        protocol::send(&socket, &outcome, &[])?;
    }
}

/// Sets the limit of CPU time, which counts from the start of the process, to so many seconds from now.
fn limit_cpu(secs: u64) -> io::Result<()> {
    let most = cpu_secs_used()?.saturating_add(secs);
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(maximum.map_or(most, |given| given.min(most)));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

/// The sum of `utime` and `stime` in `proc_pid_stat(5)`, rounded up. The kernel counts them in hundredths of a second on every
/// architecture.
fn cpu_secs_used() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses, which may contain spaces and parentheses.
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
