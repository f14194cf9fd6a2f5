//! Writers in processes of their own, which print each operation when it begins and when it is acknowledged. A writer is an ignored
//! test of this binary, which the tests start as a child process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{IntoRawFd, RawFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::mount::daemon::Mount;
use crate::mount::tool::{self, Done};
use crate::mount::{ECONNABORTED, ENOTCONN};

/// The environment variable with the arguments of a writer, a line each.
const ARGUMENTS: &str = "MEDIAFS_WRITER";

/// The parts of the time of one operation: the kills fall into each in turn.
pub const PARTS: u32 = 7;

/// The errors of programs after the death of the daemon.
pub const DEAD: [i32; 2] = [ENOTCONN, ECONNABORTED];

/// One line of a writer.
#[derive(Debug)]
pub struct Said {
    /// The position of the writer among those that were started together.
    pub writer: usize,
    pub acknowledged: bool,
    /// The name of the thing that is changed, and its new value.
    pub what: String,
    pub value: String,
}

pub struct Writers {
    processes: Vec<Child>,
    said: Receiver<Said>,
}

impl Writers {
    /// Starts a writer for each list of arguments.
    pub fn start(test: &str, arguments: &[Vec<String>]) -> Self {
        let (say, said) = mpsc::channel();
        let start = |(writer, arguments): (usize, &Vec<String>)| {
            let mut process = start(test, arguments);
            let (output, say) = (process.stderr.take().expect("a pipe"), say.clone());
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = say.send(parse(writer, &line));
                }
            });
            process
        };
        Self { processes: arguments.iter().enumerate().map(start).collect(), said }
    }

    /// Kills the daemon after `count` acknowledged operations and a part of the next one. Returns all lines of the writers.
    pub fn kill_after(self, mount: &mut Mount, count: u32, part: u32) -> Vec<Said> {
        let (begun, mut heard, mut acknowledged) = (Instant::now(), Vec::new(), 0);
        while acknowledged < count {
            let said = self.said.recv_timeout(Duration::from_secs(60)).expect("the writers write");
            acknowledged += u32::from(said.acknowledged);
            heard.push(said);
        }
        spin(begun, count, part, PARTS);
        mount.kill9();
        for mut process in self.processes {
            assert!(process.wait().expect("it ends").success(), "the writer got another error");
        }
        heard.extend(self.said);
        heard
    }
}

/// Starts an ignored test of this binary as a writer. It reads its arguments with [`arguments`] and talks on stderr.
pub fn start(test: &str, arguments: &[String]) -> Child {
    Command::new("env")
        .args(command(test, arguments))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the writer starts")
}

/// Runs a writer to its end.
pub fn run(test: &str, arguments: &[String]) -> Done {
    tool::run("env", &command(test, arguments))
}

/// The arguments of env(1).
fn command(test: &str, arguments: &[String]) -> [OsString; 6] {
    let this = std::env::current_exe().expect("this binary").into_os_string();
    let arguments = format!("{ARGUMENTS}={}", arguments.join("\n"));
    let [exact, ignored, aloud] = ["--exact", "--ignored", "--nocapture"].map(Into::into);
    [arguments.into(), this, exact, test.into(), ignored, aloud]
}

/// The arguments of this writer; `None` if the ignored tests are run directly.
pub fn arguments() -> Option<Vec<String>> {
    let arguments = std::env::var(ARGUMENTS).ok()?;
    Some(arguments.lines().map(str::to_owned).collect())
}

/// Waits for a part of the average time of `count` operations: no event tells how far a writer is in an operation.
pub fn spin(begun: Instant, count: u32, part: u32, parts: u32) {
    let end = Instant::now() + begun.elapsed() / count * part / parts;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Runs an operation, and prints a line before and after it.
pub fn tell<T>(what: &str, value: &str, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    say(&format!("begin {what} {value}"));
    let done = work()?;
    say(&format!("end {what} {value}"));
    Ok(done)
}

/// Runs `step` with one number after another, from `first` on, until it fails. The error must be one of `told`.
pub fn until_killed(first: u64, told: &[i32], mut step: impl FnMut(u64) -> io::Result<()>) {
    let error = (first..).find_map(|number| step(number).err()).expect("the numbers never end");
    let errno = error.raw_os_error();
    assert!(errno.is_some_and(|errno| told.contains(&errno)), "the writer got {error}");
}

/// Prints a line at once.
pub fn say(line: &str) {
    writeln!(io::stderr(), "{line}").expect("printed");
}

fn parse(writer: usize, line: &str) -> Said {
    let [word, what, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
    Said { writer, acknowledged: word == "end", what: what.into(), value: value.into() }
}

/// Writes a file anew, in pieces.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    for piece in bytes.chunks(50_000) {
        file.write_all(piece)?;
    }
    close(file)
}

/// Closes a file and returns the answer, which the standard library ignores.
#[allow(unsafe_code)] // The standard library and rustix have no close(2) that answers.
fn close(file: File) -> io::Result<()> {
    unsafe extern "C" {
        fn close(fd: RawFd) -> i32;
    }
    // SAFETY: the file has given its descriptor up, so nothing else closes it.
    if unsafe { close(file.into_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A text that repeats a number, from 1 to `most` times.
pub fn text(number: u64, most: u64) -> Vec<u8> {
    let times = usize::try_from(1 + number * 7919 % most).expect("a count");
    format!("{number} ").repeat(times).into_bytes()
}

/// The number of a text; `None` if the text is not whole.
pub fn number_of(bytes: &[u8], most: u64) -> Option<u64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&bytes[..digits]).ok()?.parse().ok()?;
    (text(number, most) == bytes).then_some(number)
}
