//! Photographs as files to be sent, and libraries that have taken some.
//! Does not know what is measured with them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, make_all, parts};
use crate::client::{self, Loop, Together};
use crate::daemon::{Daemon, Side};
use crate::failure::Outcome;
use crate::picture::{Picture, numbered};

/// Files of one picture, each in bytes of its own.
pub fn sources(bench: &Bench, picture: Picture, numbers: Range<u32>) -> Outcome<Vec<PathBuf>> {
    let bytes = picture.bytes(bench.corpus.as_deref(), &bench.dir)?;
    // Of another picture there may be files of the same numbers.
    let dir = bench.dir.join("numbered").join(format!("{}-{}", picture.name(), bytes.len()));
    fs::create_dir_all(&dir)?;
    let mut found = Vec::new();
    for number in numbers {
        let path = dir.join(format!("{number:06}.jpg"));
        if !path.exists() {
            fs::write(&path, numbered(&bytes, number)?)?;
        }
        found.push(path);
    }
    Ok(found)
}

/// Writes files into a field of new rows of a mounted library, by several clients at once. Rows are made before.
pub fn attach(
    bench: &Bench,
    table: &Path,
    sources: &[PathBuf],
    field: &str,
    clients: usize,
) -> Outcome<Together> {
    let rows: Vec<_> = sources.iter().filter_map(|it| Some(table.join(it.file_stem()?))).collect();
    let rows: Vec<_> = rows.iter().map(|row| renumbered(row)).collect();
    make_all(&rows)?;
    let pairs: Vec<_> =
        sources.iter().cloned().zip(rows.iter().map(|row| row.join(field))).collect();
    let lists = parts(&pairs, clients).map(|part| bench.pairs(part));
    let loops = lists.map(|list| Ok(Loop::Copy { list: list? })).collect::<Outcome<Vec<_>>>()?;
    client::run(&loops)
}

/// Integers have no leading zeros, and the first row is 1.
fn renumbered(row: &Path) -> PathBuf {
    let number = row.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    row.with_file_name((number.unwrap_or(0) + 1).to_string())
}

/// A library that keeps so many files of a picture whole, mounted, and the names of its rows.
pub fn library(bench: &Bench, picture: Picture, count: u32) -> Outcome<(PathBuf, Vec<String>)> {
    let length = picture.bytes(bench.corpus.as_deref(), &bench.dir)?.len();
    let name = format!("photos-{}", picture.name());
    let home = bench.kept(&name, &format!("{count} of {length} bytes"), |home| {
        let daemon = Daemon::start(home, Side::Writing)?;
        let sources = sources(bench, picture, 0..count)?;
        attach(bench, &daemon.table("photo"), &sources, "whole", 2).map(drop)
    })?;
    Ok((home, (1..=count).map(|number| number.to_string()).collect()))
}

/// Where variants of a library's pictures are.
pub fn variants(daemon: &Daemon, rows: &[String], spec: &str) -> Vec<PathBuf> {
    let table = daemon.path("thumbs/photo");
    rows.iter().map(|row| table.join(row).join("whole").join(spec)).collect()
}

/// Has a library forget variants, and their bytes.
pub fn forget(home: &Path, variants: &[PathBuf]) -> Outcome<()> {
    for path in variants {
        // What was never rendered is not there to be removed.
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    collect(home)
}

/// Deletes what a library has no name for any more.
pub fn collect(home: &Path) -> Outcome<()> {
    let config = home.join("mediafs.toml");
    let words = ["--config", &config.to_string_lossy(), "gc", "--now"];
    crate::command::run(crate::daemon::MEDIAFS, &words).map(drop)
}
