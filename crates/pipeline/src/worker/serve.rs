//! The worker's side: the process limits itself, then does one job after the other until the daemon closes the connection.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::panic;
use std::process::{self, ExitCode};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use crate::job::{Fault, Job, Outcome, at_most};
use crate::refine::refine;
use crate::transcode::{Product, render};
use crate::worker::protocol::{self, Ready, Request};

/// The largest file that a worker may write, in bytes.
pub const FILE_MAX: u64 = 1 << 30;

/// How many descriptors a worker may have open.
pub const DESCRIPTORS_MAX: u64 = 32;

/// The largest input that is read into memory, also where the rules of a field allow more.
const MAX_INPUT: u64 = 512 << 20;

/// The kernel kills this process first when memory runs out (`proc_pid_oom_score_adj(5)`).
const OOM_SCORE_ADJ: &str = "1000";

/// The exit code of a worker whose decoder panicked, as of any program that panics.
const PANICKED: i32 = 101;

/// How many characters of a decoder's message are sent at most.
const WORDS_MAX: usize = 500;

/// Serves the connection on standard input until the daemon closes it, with at most `memory` bytes of address space. Fails if a
/// limit cannot be set: without limits no untrusted bytes are decoded.
pub fn serve(memory: u64) -> ExitCode {
    match set_limits(memory).map_err(protocol::Error::Io).and_then(|()| serve_all()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the only place for the message. If it is closed, nobody reads it.
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
    // The daemon logs a crash in one line; a backtrace for each hostile file would fill the journal. A panic in a function of
    // C's kind, as rav1d's are, would abort, and look like an allocation that failed.
    panic::set_hook(Box::new(|_| process::exit(PANICKED)));
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
        let mut outcome = run(&request.job, input, output);
        if let Outcome::Fault(
            Fault::Truncated(words) | Fault::Corrupt(words) | Fault::Unsupported(words),
        ) = &mut outcome
        {
            *words = words.chars().take(WORDS_MAX).collect();
        }
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

/// The sum of `utime` and `stime` in `proc_pid_stat(5)`, rounded up. The kernel counts them in hundredths of a second.
fn cpu_secs_used() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses, which may contain spaces and parentheses.
    let numbered = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let ticks: u64 = numbered.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(ticks.div_ceil(100))
}

/// Does one job on an image. Reads `input` from offset 0 wherever its cursor is, and writes the result to `output` from offset
/// 0, which has the length of the result afterwards. A failure is an outcome, too.
///
/// - BMP and TIFF are kept as they are unless the job names a format: they are not stripped, so that metadata in them stays.
///   One that would have to be resized or cropped without a format is `Unsupported`.
/// - An animated AVIF is `Unsupported`.
/// - A 16-bit image that is encoded again has 8 bits a channel afterwards.
/// - A file whose container has faults is repaired first; the result of such a job is never the input.
/// - `metadata = keep` carries EXIF over to an image that is encoded again, set upright if the pixels were turned (JPEG, PNG,
///   WebP); XMP and comments are lost. Colours are converted to sRGB and the ICC profile is dropped.
pub fn run(job: &Job, input: &File, output: &File) -> Outcome {
    attempt(job, input, output).unwrap_or_else(Outcome::Fault)
}

fn attempt(job: &Job, input: &File, output: &File) -> Result<Outcome, Fault> {
    let bytes = read(input)?;
    let product = match job {
        Job::Refine { format, normal, limits } => refine(*format, &bytes, normal, limits),
        Job::Render { format, variant, quality, limits } => {
            render(*format, &bytes, *variant, *quality, limits)
        }
    }?;
    match product {
        Product::Same(dimensions) => Ok(Outcome::Untouched { dimensions }),
        Product::New { format, dimensions, bytes } => {
            let failed = |error: io::Error| Fault::Output(error.raw_os_error().unwrap_or(0));
            output.write_all_at(&bytes, 0).map_err(failed)?;
            let length = bytes.len() as u64;
            output.set_len(length).map_err(failed)?;
            Ok(Outcome::Written { format, dimensions, length })
        }
    }
}

/// The whole input. If it becomes shorter meanwhile, the bytes that could be read.
fn read(input: &File) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| Fault::Input(error.raw_os_error().unwrap_or(0));
    let length = input.metadata().map_err(failed)?.len();
    at_most("bytes of input", length, MAX_INPUT)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let mut done = 0;
    while done < bytes.len() {
        match input.read_at(&mut bytes[done..], done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}
