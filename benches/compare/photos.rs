//! Photographs as source files, and libraries that hold some.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, make_all, parts};
use crate::client::{self, Loop, Together};
use crate::corpus::{Picture, numbered};
use crate::failure::Outcome;
use crate::mounted_tree::{Daemon, Side};

/// Files of one picture, with different bytes each.
pub fn sources(bench: &Bench, picture: Picture, numbers: Range<u32>) -> Outcome<Vec<PathBuf>> {
    let bytes = picture.bytes(bench.corpus.as_deref(), &bench.dir)?;
    // Files of another picture may have the same numbers.
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

/// Makes new rows and writes a file into a field of each, with several clients at once.
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

/// The row's directory under its integer id, which has no leading zeros and begins at 1.
fn renumbered(row: &Path) -> PathBuf {
    let number = row.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    row.with_file_name((number.unwrap_or(0) + 1).to_string())
}

/// A mounted library with `count` files of a picture stored as sent, and the names of its rows.
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

/// The paths of a variant of the pictures of a library.
pub fn variants(daemon: &Daemon, rows: &[String], spec: &str) -> Vec<PathBuf> {
    let table = daemon.path("thumbs/photo");
    rows.iter().map(|row| table.join(row).join("whole").join(spec)).collect()
}

/// Deletes variants of a library, and their blobs.
pub fn forget(home: &Path, variants: &[PathBuf]) -> Outcome<()> {
    for path in variants {
        // A variant that was never rendered is missing.
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    collect(home)
}

/// Deletes the blobs without a name.
pub fn collect(home: &Path) -> Outcome<()> {
    let config = home.join("mediafs.toml");
    let words = ["--config", &config.to_string_lossy(), "gc", "--now"];
    crate::program::run(crate::mounted_tree::MEDIAFS, &words).map(drop)
}
