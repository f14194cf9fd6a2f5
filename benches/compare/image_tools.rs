//! The image tools that a user would pick instead, called by small Python programs (`peers/`). `scripts/bench` installs them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::Bench;
use crate::failure::{Failure, Outcome, While};
use crate::program::{finish, said};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/peers");

/// Seconds that sqlalchemy-media needs for the files of a list in this many processes.
pub fn ingest(bench: &Bench, list: &Path, processes: usize) -> Outcome<f64> {
    let directory = bench.empty("sqlalchemy-media")?;
    let directory = directory.to_string_lossy();
    python(bench, "ingest.py", &[&directory, &processes.to_string()], list)
}

/// Processor time that pyvips needs for each picture of a list. `render.py` defines the tasks.
pub fn render(bench: &Bench, task: &str, quality: u8, list: &Path) -> Outcome<f64> {
    python(bench, "render.py", &[task, &quality.to_string()], list)
}

/// The versions of the tools, Debian's first.
pub fn versions(bench: &Bench) -> Vec<(&'static str, String)> {
    let names = ["mediafs", "bindfs", "vipsthumbnail"];
    let programs = [crate::mounted_tree::MEDIAFS, "bindfs", "vipsthumbnail"];
    let last = |text: String| text.split_whitespace().last().map(str::to_owned);
    let of = |program| said(program, &["--version"]).and_then(last);
    let mut found: Vec<_> = names
        .into_iter()
        .zip(programs)
        .map(|(name, program)| (name, of(program).unwrap_or_else(|| "not here".into())))
        .collect();
    let python = Command::new(interpreter(bench)).arg(format!("{SCRIPTS}/versions.py")).output();
    let words = python.map(|it| String::from_utf8_lossy(&it.stdout).trim().replace('\n', ", "));
    found.push(("with", words.unwrap_or_else(|_| "no Python peers".into())));
    found
}

fn interpreter(bench: &Bench) -> PathBuf {
    bench.dir.join("venv/bin/python")
}

/// The number that a Python program prints.
fn python(bench: &Bench, script: &str, arguments: &[&str], list: &Path) -> Outcome<f64> {
    let interpreter = interpreter(bench);
    let output = Command::new(&interpreter)
        .arg(format!("{SCRIPTS}/{script}"))
        .args(arguments)
        .stdin(Stdio::from(File::open(list)?))
        .output()
        .during(format_args!("{} (scripts/bench installs it)", interpreter.display()))?;
    let said = finish(interpreter.as_os_str(), &output).during(script)?;
    said.parse().map_err(|_| Failure::new(format_args!("{script} said {said}")))
}
