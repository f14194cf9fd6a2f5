//! `scripts/bench`: compares mediafs with the disk itself and the tools that a user would pick instead, in one table.
//! The exit code says only whether everything could be measured.
//!
//! The sides are measured in turns, and the ratio of a row is the median of the
//! ratios of its rounds. The same loop runs against every tree, in client processes.

mod bench;
mod bulk;
mod client;
mod corpus;
mod failure;
mod figure;
mod image_tools;
mod machine;
mod mounted_tree;
mod photos;
mod program;
mod results;
mod usage;
mod workload;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use bench::{Bench, Pace};
use failure::Outcome;
use machine::Machine;
use results::{Row, Table};
use workload::Workload;

/// Show how fast mediafs is beside the disk itself and the tools that a user would pick instead
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
struct Options {
    /// Fewer files and rounds: under five minutes
    #[arg(long)]
    quick: bool,

    /// Write the table for programs, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// A directory with p2.jpg, p12b.jpg, p24.jpg and p4a.png; without it such pictures are made
    #[arg(long, value_name = "DIRECTORY")]
    corpus: Option<PathBuf>,

    /// Only print the names of the rows
    #[arg(long)]
    list: bool,

    /// The rows whose names contain one of these [default: all]
    rows: Vec<String>,

    /// Is set by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == client::CLIENT => client::serve(rest).map(|()| true),
        _ => run(&Options::parse()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            tell(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Measures the rows, and returns whether all of them could be measured.
fn run(options: &Options) -> Outcome<bool> {
    let wanted: Vec<&Workload> = workload::ALL.iter().filter(|it| is_wanted(it, options)).collect();
    if options.list || wanted.is_empty() {
        let names: Vec<_> = workload::ALL.iter().map(|it| it.name).collect();
        return print(&format!("{}\n", names.join("\n"))).map(|()| !wanted.is_empty());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&dir)?;
    // Removes lists of files; no other run uses them.
    let _ = fs::remove_dir_all(dir.join("lists"));
    let mut machine = Machine::look(&dir)?;
    let pace = if options.quick { Pace::Quick } else { Pace::Full };
    let bench = Bench { dir, pace, corpus: options.corpus.clone() };
    let mut rows = Vec::new();
    for workload in wanted {
        machine.watch()?;
        rows.extend(measured(workload, &bench));
    }
    bench.tidy()?;
    let is_whole = rows.iter().all(|row| row.missing.as_deref().is_none_or(|it| it == "not built"));
    let (versions, remarks) = (image_tools::versions(&bench), remarks(&bench));
    let table = Table { rows, machine, versions, remarks };
    print(&table.markdown())?;
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&table.json())?)?;
    }
    Ok(is_whole)
}

fn is_wanted(workload: &Workload, options: &Options) -> bool {
    options.rows.is_empty() || options.rows.iter().any(|row| workload.name.contains(row.as_str()))
}

/// The rows of a workload. A failure becomes a row of the table, too.
fn measured(workload: &Workload, bench: &Bench) -> Vec<Row> {
    let begun = Instant::now();
    let rows = (workload.measure)(bench).unwrap_or_else(|failure| {
        tell(&format!("{}: {failure}", workload.name));
        vec![Row::missing(workload.name, None, Some("failed".into()))]
    });
    tell(&format!("{}, {:.1} s", workload.name, begun.elapsed().as_secs_f64()));
    // Prints each row at once, so that an interrupted run has shown some.
    for row in &rows {
        tell(&row.line());
    }
    rows
}

fn remarks(bench: &Bench) -> Vec<String> {
    let mut found =
        vec!["Ratios are medians over rounds in turns, with the least and the greatest.".into()];
    if bench.pace == Pace::Quick {
        found.push("Measured with `--quick`: fewer files and rounds.".into());
    }
    if bench.corpus.is_none() {
        found.push("The pictures are made by the program: slopes and grain.".into());
    }
    found
}

fn print(text: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints progress. A failure to print is ignored: the table has everything.
fn tell(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}
