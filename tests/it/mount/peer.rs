//! Another process: a Python interpreter that evaluates one expression after another.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::tool;

const LOOP: &str = "
import sys, os, mmap, subprocess
def put(path, source, times):
    content = open(source, 'rb').read()
    for _ in range(times):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(fd, content)
        os.close(fd)
names = {'put': put, 'os': os, 'mmap': mmap, 'subprocess': subprocess, 'bytes_of': lambda path: open(path, 'rb').read()}
for line in sys.stdin:
    try:
        print('ok', repr(eval(line, names)), flush=True)
    except OSError as error:
        print('errno', error.errno, flush=True)
    except Exception as error:
        print('wrong', repr(error), flush=True)
";

/// The flags of `cp`.
pub const FRESH: &str = "os.O_WRONLY | os.O_CREAT | os.O_TRUNC";
/// The flags of a writer that truncates nothing.
pub const NEW: &str = "os.O_WRONLY | os.O_CREAT";

pub struct Peer {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    /// `None`, with a message, without Python.
    pub fn start() -> Option<Self> {
        if !tool::installed("python3") {
            return None;
        }
        let mut process = Command::new("python3")
            .args(["-u", "-c", LOOP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let to = process.stdin.take().expect("its input");
        let from = BufReader::new(process.stdout.take().expect("its output"));
        Some(Self { process, to, from })
    }

    /// Evaluates an expression. Returns its value as Python writes it, or the errno of its `OSError`.
    pub fn ask(&mut self, expression: &str) -> Result<String, i32> {
        self.begin(expression);
        self.answer(expression)
    }

    /// Begins to evaluate an expression without waiting.
    pub fn begin(&mut self, expression: &str) {
        writeln!(self.to, "{expression}").expect("it listens");
    }

    /// Waits for the expression that was begun.
    pub fn answer(&mut self, expression: &str) -> Result<String, i32> {
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("it answers");
        match answer.trim_end().split_once(' ') {
            Some(("ok", value)) => Ok(value.to_owned()),
            Some(("errno", number)) => Err(number.parse().expect("a number")),
            _ => panic!("{expression}: {answer}"),
        }
    }

    /// Evaluates an expression that must succeed.
    pub fn tell(&mut self, expression: &str) -> String {
        self.ask(expression).unwrap_or_else(|errno| panic!("{expression}: errno {errno}"))
    }

    /// Opens a path as `fd`, with flags such as [`FRESH`].
    pub fn open(&mut self, path: &Path, flags: &str) -> Result<String, i32> {
        self.ask(&format!("(fd := os.open({path:?}, {flags}))"))
    }

    /// Writes a part of another file to `fd`.
    pub fn write(&mut self, source: &Path, part: &str) -> Result<String, i32> {
        self.ask(&format!("os.write(fd, bytes_of({source:?})[{part}])"))
    }

    pub fn close(&mut self) -> Result<String, i32> {
        self.ask("os.close(fd)")
    }

    /// Sends SIGKILL. Returns after the kernel has closed the files of the process.
    pub fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
