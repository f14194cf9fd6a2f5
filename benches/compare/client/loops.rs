//! The loops of a client: one operation on a tree, repeated.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Report;
use crate::failure::{Failure, Outcome, While};
use crate::figure::median;

/// The buffer of a program that copies a file (`cat`: 128 KiB; `cp` of coreutils since 9.2: 256 KiB).
const READ: usize = 128 * 1024;
const WRITE: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// A loop and its files. A `list` is a file with a path on each line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Loop {
    /// Opens, reads to the end and closes every file.
    OpenRead { list: PathBuf, threads: usize },
    /// Like `OpenRead`, timing each file.
    Fetch { list: PathBuf },
    /// `lstat` of every path.
    Stat { list: PathBuf },
    /// Like `Stat`, timing each path.
    Lookup { list: PathBuf },
    /// Lists a tree to its leaves, with `lstat` of every entry, as `du` does.
    Walk { tree: PathBuf },
    /// Reads a file from beginning to end.
    Sequential { file: PathBuf },
    /// Reads pages at random.
    Random { file: PathBuf, count: u64, seed: u64 },
    /// Makes every file of a list, of `size` bytes, no two files alike.
    Create { list: PathBuf, size: usize, seed: u64, manner: Manner },
    /// Writes one file, 1 MiB at a time.
    Write { file: PathBuf, mebibytes: u64, seed: u64, manner: Manner },
    /// Copies files; each line is a source, a tab and a target.
    Copy { list: PathBuf },
}

/// The way in which a writer makes a file whole and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// Closes the file: the close of mediafs makes it durable.
    Close,
    /// Writes a temporary file, syncs it, renames it and syncs the directory, as a careful program does on any disk.
    Rename,
}

/// A loop whose list has been read.
pub struct Prepared {
    job: Loop,
    paths: Vec<PathBuf>,
}

impl Loop {
    pub fn prepare(self) -> Outcome<Prepared> {
        let list = match &self {
            Self::OpenRead { list, .. }
            | Self::Fetch { list }
            | Self::Stat { list }
            | Self::Lookup { list }
            | Self::Create { list, .. }
            | Self::Copy { list } => Some(list),
            _ => None,
        };
        let text = list.map_or_else(|| Ok(String::new()), fs::read_to_string)?;
        Ok(Prepared { job: self, paths: text.lines().map(PathBuf::from).collect() })
    }
}

impl Prepared {
    /// The files that exist after the loop.
    fn made(&self) -> Vec<PathBuf> {
        let target = |pair: &PathBuf| Some(PathBuf::from(pair.to_str()?.split_once('\t')?.1));
        match &self.job {
            Loop::Create { .. } => self.paths.clone(),
            Loop::Write { file, .. } => vec![file.clone()],
            Loop::Copy { .. } => self.paths.iter().filter_map(target).collect(),
            _ => Vec::new(),
        }
    }

    pub fn run(self) -> Outcome<Report> {
        let paths = &self.paths;
        let made = self.made();
        let begun = Instant::now();
        let (count, single) = match self.job {
            Loop::OpenRead { threads, .. } => (in_threads(paths, threads, read_all)?, None),
            Loop::Fetch { .. } => {
                (paths.len(), timed(paths, |path| read(path, &mut buffer(READ)))?)
            }
            Loop::Stat { .. } => (all(paths, |path| Ok(fs::symlink_metadata(path)?))?, None),
            Loop::Lookup { .. } => {
                (paths.len(), timed(paths, |path| Ok(fs::symlink_metadata(path)?))?)
            }
            Loop::Walk { tree } => (walk(&tree)?, None),
            Loop::Sequential { file } => (read(&file, &mut buffer(READ))?, None),
            Loop::Random { file, count, seed } => (pages(&file, count, seed)?, None),
            Loop::Create { size, seed, manner, .. } => (create(paths, size, seed, manner)?, None),
            Loop::Write { file, mebibytes, seed, manner } => {
                (write_large(&file, mebibytes, seed, manner)?, None)
            }
            Loop::Copy { .. } => (all(paths, copy)?, None),
        };
        let seconds = begun.elapsed().as_secs_f64();
        check(&made)?;
        Ok(Report { seconds, count: u64::try_from(count)?, median: single })
    }
}

/// Checks that every file has its length. Dropping a `File` ignores the answer of close(2), and a refused file must not count.
fn check(made: &[PathBuf]) -> Outcome<()> {
    all(made, |path| match fs::symlink_metadata(path)?.len() {
        0 => Err(Failure::new("it is empty")),
        _ => Ok(()),
    })
    .map(drop)
}

fn all<T>(paths: &[PathBuf], work: impl Fn(&Path) -> Outcome<T>) -> Outcome<usize> {
    for path in paths {
        work(path).during(path.display())?;
    }
    Ok(paths.len())
}

/// The median time of a path.
fn timed<T>(paths: &[PathBuf], work: impl Fn(&Path) -> Outcome<T>) -> Outcome<Option<f64>> {
    let mut times = Vec::with_capacity(paths.len());
    for path in paths {
        let begun = Instant::now();
        work(path).during(path.display())?;
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok(median(&times))
}

/// Runs a share of the paths in each of some threads.
fn in_threads(
    paths: &[PathBuf],
    threads: usize,
    work: fn(&[PathBuf]) -> Outcome<usize>,
) -> Outcome<usize> {
    let part = paths.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let running: Vec<_> =
            paths.chunks(part).map(|part| scope.spawn(move || work(part))).collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|it| it.unwrap_or_else(|_| Err(Failure::new("a thread of a client fell")))).sum()
    })
}

fn read_all(paths: &[PathBuf]) -> Outcome<usize> {
    let mut buffer = buffer(READ);
    for path in paths {
        read(path, &mut buffer).during(path.display())?;
    }
    Ok(paths.len())
}

/// Reads a file and returns its length. A file shorter than the buffer is not read again, as in programs that know its size.
fn read(path: &Path, buffer: &mut [u8]) -> Outcome<usize> {
    let mut file = File::open(path)?;
    let mut total = 0;
    loop {
        let bytes = file.read(buffer)?;
        total += bytes;
        if bytes < buffer.len() {
            return Ok(total);
        }
    }
}

fn pages(path: &Path, count: u64, seed: u64) -> Outcome<usize> {
    let file = File::open(path)?;
    let pages = file.metadata()?.len() / 4096;
    let mut random = Random(seed | 1);
    let mut page = buffer(PAGE);
    for _ in 0..count {
        file.read_exact_at(&mut page, random.next() % pages * 4096)?;
    }
    Ok(usize::try_from(count)?)
}

fn walk(tree: &Path) -> Outcome<usize> {
    let mut found = 0;
    let mut waiting = vec![tree.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            found += 1;
            // Asks the directory's descriptor, which needs no walk of the path.
            if entry.metadata()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(found)
}

fn create(paths: &[PathBuf], size: usize, seed: u64, manner: Manner) -> Outcome<usize> {
    let mut bytes = buffer(size);
    let mut random = Random(seed | 1);
    random.fill(&mut bytes);
    for path in paths {
        mark(&mut bytes, &mut random);
        make(path, manner, |file| Ok(file.write_all(&bytes)?)).during(path.display())?;
    }
    Ok(paths.len())
}

fn write_large(path: &Path, mebibytes: u64, seed: u64, manner: Manner) -> Outcome<usize> {
    let mut bytes = buffer(WRITE);
    let mut random = Random(seed | 1);
    random.fill(&mut bytes);
    make(path, manner, |file| {
        for _ in 0..mebibytes {
            mark(&mut bytes, &mut random);
            file.write_all(&bytes)?;
        }
        Ok(())
    })?;
    Ok(usize::try_from(mebibytes)? * WRITE)
}

fn copy(pair: &Path) -> Outcome<()> {
    let pair = pair.to_string_lossy();
    let (source, target) = pair.split_once('\t').ok_or_else(|| Failure::new("no pair"))?;
    let bytes = fs::read(source)?;
    make(Path::new(target), Manner::Close, |file| Ok(file.write_all(&bytes)?))
}

/// Makes a file whole and durable.
fn make(path: &Path, manner: Manner, write: impl FnOnce(&mut File) -> Outcome<()>) -> Outcome<()> {
    let new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    if manner == Manner::Close {
        return write(&mut new(path)?);
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.part"));
    let mut file = new(&temporary)?;
    write(&mut file)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    Ok(File::open(directory)?.sync_all()?)
}

/// Marks the bytes, so that no other file has them.
fn mark(bytes: &mut [u8], random: &mut Random) {
    for byte in bytes.iter_mut().take(64) {
        *byte = random.byte();
    }
}

fn buffer(size: usize) -> Vec<u8> {
    vec![0; size]
}

/// Marsaglia's xorshift: fast, and the same bytes for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_ne_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}
