//! One run: its folder, its rounds, and the libraries and lists of files that it makes or finds there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Outcome, While};

/// The configuration of each library.
const CONFIG: &str = include_str!("mediafs.toml");
/// The folder of directories that the end of the run deletes.
const PUT_AWAY: &str = "old";
/// The fields of a row of `item`; a library uses the first few.
pub const FIELDS: [&str; 4] = ["a", "b", "c", "d"];

pub struct Bench {
    /// The absolute path of the folder of this run.
    pub dir: PathBuf,
    pub pace: Pace,
    /// Folder of the pictures to use; without it some are made.
    pub corpus: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Fewer files and rounds. Shows only figures far from their targets.
    Quick,
    Full,
}

impl Bench {
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.pace == Pace::Quick { quick } else { full }
    }

    /// The number of rounds of work that takes less than a second.
    pub fn rounds(&self) -> usize {
        self.pick(5, 9)
    }

    /// Whether another round of a comparison may begin.
    pub fn has_time(&self, rounds_before: usize, spent: Duration) -> bool {
        let (enough, patience) = self.pick((2, 6), (3, 60));
        rounds_before < enough || spent < Duration::from_secs(patience)
    }

    /// The number of rounds of work that takes seconds.
    pub fn few_rounds(&self) -> usize {
        self.pick(2, 5)
    }

    /// Returns a directory that `fill` fills, or the one that an earlier run filled with the same `words`.
    pub fn kept(
        &self,
        name: &str,
        words: &str,
        fill: impl FnOnce(&Path) -> Outcome<()>,
    ) -> Outcome<PathBuf> {
        let dir = self.dir.join(name);
        let mark = dir.join("made");
        let words = format!("{words}\n{CONFIG}");
        if fs::read_to_string(&mark).is_ok_and(|made| made == words) {
            return Ok(dir);
        }
        let dir = self.fresh(name)?;
        fill(&dir).during(format_args!("make {name}"))?;
        rustix::fs::sync();
        fs::write(&mark, words)?;
        Ok(dir)
    }

    /// An empty directory with a configuration, for a library that was never mounted.
    pub fn fresh(&self, name: &str) -> Outcome<PathBuf> {
        let dir = self.empty(name)?;
        fs::write(dir.join("mediafs.toml"), CONFIG)?;
        Ok(dir)
    }

    pub fn empty(&self, name: &str) -> Outcome<PathBuf> {
        let dir = self.dir.join(name);
        if dir.exists() {
            self.put_away(&dir).during(dir.display())?;
        }
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Moves a directory aside, to be deleted after all measurements. ext4 without a journal
    /// does not reuse the inode of a file that was deleted less than a minute ago, and looks
    /// at each of them whenever a file is made (`recently_deleted` in `fs/ext4/ialloc.c`).
    fn put_away(&self, dir: &Path) -> Outcome<()> {
        let put_away = self.dir.join(PUT_AWAY);
        fs::create_dir_all(&put_away)?;
        let count = fs::read_dir(&put_away)?.count();
        Ok(fs::rename(dir, put_away.join(count.to_string()))?)
    }

    /// Deletes the directories that were moved aside.
    pub fn tidy(&self) -> Outcome<()> {
        let put_away = self.dir.join(PUT_AWAY);
        if put_away.exists() {
            fs::remove_dir_all(&put_away).during(put_away.display())?;
        }
        Ok(())
    }

    /// Writes a file with a path on each line.
    pub fn list(&self, paths: &[PathBuf]) -> Outcome<PathBuf> {
        let pairs: Vec<_> = paths.iter().map(|path| path.display()).collect();
        self.lines(&pairs)
    }

    /// Writes a file with a source, a tab and a target on each line.
    pub fn pairs(&self, pairs: &[(PathBuf, PathBuf)]) -> Outcome<PathBuf> {
        let line =
            |(from, to): &(PathBuf, PathBuf)| format!("{}\t{}", from.display(), to.display());
        self.lines(&pairs.iter().map(line).collect::<Vec<_>>())
    }

    /// Writes a list. Its name is the hash of its content, so two lists never share one and the same list is written once.
    fn lines(&self, lines: &[impl std::fmt::Display]) -> Outcome<PathBuf> {
        let mut text = String::new();
        for line in lines {
            writeln!(text, "{line}")?;
        }
        let name = words::digest::Digest::of(text.as_bytes()).to_string();
        let dir = self.dir.join("lists");
        fs::create_dir_all(&dir)?;
        let path = dir.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// The directories of rows, by number.
pub fn rows(table: &Path, numbers: impl Iterator<Item = u64>) -> Vec<PathBuf> {
    numbers.map(|number| table.join(number.to_string())).collect()
}

/// The paths of these fields of these rows.
pub fn fields(rows: &[PathBuf], names: &[&str]) -> Vec<PathBuf> {
    rows.iter().flat_map(|row| names.iter().map(|name| row.join(name))).collect()
}

/// Makes directories, as `mkdir -p` does.
pub fn make_all(directories: &[PathBuf]) -> Outcome<()> {
    directories.iter().try_for_each(|it| fs::create_dir_all(it).during(it.display()))
}

/// At most `count` parts of about equal size.
pub fn parts<T>(all: &[T], count: usize) -> impl Iterator<Item = &[T]> {
    all.chunks(all.len().div_ceil(count).max(1))
}
