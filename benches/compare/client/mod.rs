//! Clients: processes that run one loop against a tree.
//!
//! Each client is a process of its own, as real clients are: two of them share no table
//! of open files, and each draft has one writer. A client prepares, waits for the start
//! signal and times its loop itself, so that neither its start nor the pipe counts.

mod loops;

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome, While};
use crate::figure::float;

pub use loops::{Loop, Manner};

/// The argument that makes this program a client.
pub const CLIENT: &str = "client";

/// The measurement of one client.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Report {
    pub seconds: f64,
    /// The number of files, names or reads.
    pub count: u64,
    /// The median time of one operation, for loops that time each.
    pub median: Option<f64>,
}

/// The result of clients that ran at the same time.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    /// The time until the last of them ended.
    pub seconds: f64,
    pub count: u64,
    /// The median of the first client.
    pub median: Option<f64>,
}

impl Together {
    pub fn each(self) -> f64 {
        self.seconds / float(self.count)
    }
}

/// Runs each loop in a client, all at the same time.
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

/// Runs one loop in one client.
pub fn alone(it: Loop) -> Outcome<Together> {
    run(&[it])
}

/// The client's side: prepares, waits for the signal, runs, reports.
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
        // After its report a client has ended, and neither call has an effect.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
