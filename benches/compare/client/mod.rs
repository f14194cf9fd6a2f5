//! Clients: processes of their own that run one loop against a tree, whatever serves it.
//! Does not know which tree that is.
//!
//! A process for each client, as real ones are: two clients share no table of open files, and a draft has the writer that
//! it would have. Each gets ready, waits for the word, and times its loop itself, so that neither its start nor the pipe is
//! in the figure.

mod loops;

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome, While};
use crate::figure::float;

pub use loops::{Loop, Manner};

/// The argument by which this program knows that it is a client.
pub const CLIENT: &str = "client";

/// What one client measured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Report {
    pub seconds: f64,
    /// Files, names or reads, as the loop counts.
    pub count: u64,
    /// The median of single operations, of loops that time each.
    pub median: Option<f64>,
}

/// What clients that ran at the same time did together.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    /// Until the last was done.
    pub seconds: f64,
    pub count: u64,
    /// That of the first client.
    pub median: Option<f64>,
}

impl Together {
    pub fn each(self) -> f64 {
        self.seconds / float(self.count)
    }
}

/// Runs loops at the same time, a client each.
pub fn run(loops: &[Loop]) -> Outcome<Together> {
    let mut clients = loops.iter().map(Client::start).collect::<Outcome<Vec<_>>>()?;
    for client in &mut clients {
        client.await_ready()?;
    }
    for client in &mut clients {
        client.release()?;
    }
    let reports = clients.into_iter().map(Client::finish).collect::<Outcome<Vec<_>>>()?;
    let seconds = reports.iter().map(|report| report.seconds).fold(0.0, f64::max);
    let count = reports.iter().map(|report| report.count).sum();
    Ok(Together { seconds, count, median: reports.first().and_then(|report| report.median) })
}

/// Runs one loop.
pub fn alone(it: Loop) -> Outcome<Together> {
    run(&[it])
}

/// A client's side: gets ready, waits for the word, runs, reports.
pub fn serve(arguments: &[String]) -> Outcome<()> {
    let job = arguments.first().ok_or_else(|| Failure::new("a client needs a loop"))?;
    let job: Loop = serde_json::from_str(job)?;
    let prepared = job.prepare()?;
    say("ready")?;
    let mut word = String::new();
    io::stdin().lock().read_line(&mut word)?;
    say(&serde_json::to_string(&prepared.run()?)?)
}

fn say(line: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

struct Client {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Client {
    fn start(job: &Loop) -> Outcome<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args([CLIENT, &serde_json::to_string(job)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during("start a client")?;
        let said = process.stdout.take().ok_or_else(|| Failure::new("a client without output"))?;
        Ok(Self { process, said: BufReader::new(said) })
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        if line.is_empty() { Err(Failure::new("a client ended; see above")) } else { Ok(line) }
    }

    fn await_ready(&mut self) -> Outcome<()> {
        self.line().map(drop)
    }

    fn release(&mut self) -> Outcome<()> {
        let stdin = self.process.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| Failure::new("a client without input"))?;
        Ok(stdin.write_all(b"go\n")?)
    }

    fn finish(mut self) -> Outcome<Report> {
        let line = self.line()?;
        self.process.wait()?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // One that was reported already has ended, and then neither does anything.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
