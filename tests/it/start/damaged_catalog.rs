//! A library whose catalogue is missing, older or damaged: no start writes to it, and the message says what is wrong and what to do.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::missing_library::seen;
use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::tool::run;
use crate::mount::{EIO, read};

/// The number of rows of the library whose bits are flipped, with a file of each name.
const ROWS: u32 = 10;
const NAMES: [&str; 4] = ["memo", "photos/one.txt", "photos/two.txt", "papers/deed.txt"];

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("memo", "file")
        .field("photos", "file, collection = 'list'")
        .field("papers", "file, collection = 'dict'")
}

/// The number of bits that each try flips.
const BITS: [u32; 8] = [1, 1, 1, 2, 4, 20, 20, 20];

impl Mount {
    fn database(&self) -> PathBuf {
        self.library().join("catalog.sqlite")
    }

    /// The log of the database.
    fn wal(&self) -> PathBuf {
        self.library().join("catalog.sqlite-wal")
    }

    /// Kills the daemon, and unmounts, since the next start may fail.
    fn crash(&mut self) {
        self.kill9();
        run("umount", &[Path::new("-l"), &self.mountpoint()]).succeeded();
    }

    /// Copies the library to a folder beside it.
    fn save(&self, name: &str) {
        replace(&self.library(), &self.beside(name));
    }

    fn put_back(&self, name: &str) {
        replace(&self.beside(name), &self.library());
    }

    /// Replaces the catalogue and its log by those of another library.
    fn take_catalog_of(&self, library: &Path) {
        for name in ["catalog.sqlite", "catalog.sqlite-wal"] {
            let _ = fs::remove_file(self.library().join(name));
            if library.join(name).exists() {
                fs::copy(library.join(name), self.library().join(name)).expect("a copy");
            }
        }
    }

    /// Checkpoints the log into the database: any program that closes the last connection does.
    fn checkpoint(&self) {
        let other = Connection::open(self.database()).expect("a connection");
        let count = other.query_row("SELECT count(*) FROM links", [], |row| row.get::<_, i64>(0));
        count.expect("a count");
        drop(other);
        assert!(!self.wal().exists(), "SQLite removes the log after the checkpoint");
    }

    /// Checks that the mount fails with exit code 1 and this message, and leaves the catalogue as it is.
    fn refuses(&self, said: &[&str]) {
        // An empty file is as good as none: opening the database makes an empty log.
        let catalog =
            || [self.database(), self.wal()].map(|path| fs::read(path).unwrap_or_default());
        let before = catalog();
        let mountpoint = self.mountpoint().display().to_string();
        let done = self.command(&["mount", &mountpoint]);
        assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{done}");
        for words in said {
            assert!(done.stderr.contains(words), "{words}: {done}");
        }
        assert_eq!(done.stderr.lines().count(), 1, "{done}");
        assert!(catalog() == before, "a refused start changed the catalogue");
    }
}

/// Replaces a folder by a copy of another.
fn replace(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    run("cp", &[Path::new("-a"), from, to]).succeeded();
}

/// Flips a bit of the byte at an offset.
fn flip(path: &Path, at: u64, bit: u32) {
    let file = File::options().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ (1 << bit)], at).expect("another");
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

#[test]
fn a_library_without_its_catalogue_refuses_the_start() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    mount.stop();
    let catalog = mount.database();
    let saved = fs::read(&catalog).expect("the catalogue");
    let message = "has lost its catalogue: catalog.sqlite is missing or empty, though the library was used; \
                put the library's whole directory back from one backup";
    fs::remove_file(&catalog).expect("removed");
    mount.refuses(&[message]);
    let before = seen(&mount.library());
    for command in [&["status"][..], &["gc"], &["refused"]] {
        let done = mount.command(command);
        assert!(done.code == 1 && done.stderr.contains(message), "{done}");
        assert_eq!(seen(&mount.library()), before, "{command:?}");
    }
    let mountpoint = mount.mountpoint().display().to_string();
    let done = mount.command(&["mount", "--read-only", &mountpoint]);
    assert!(done.code == 1 && done.stderr.contains(message), "{done}");
    fs::write(&catalog, b"").expect("an empty file");
    mount.refuses(&[message]);
    // An older mediafs wrote no file of this name.
    fs::remove_file(mount.library().join("commits")).expect("removed");
    mount.refuses(&[message]);
    fs::write(&catalog, saved).expect("put back");
    mount.restart();
    assert_eq!(read(&memo), b"a memo");
}

#[test]
fn a_missing_log_refuses_the_start_until_it_is_put_back() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    mount.crash();
    let aside = mount.beside("wal");
    fs::rename(mount.wal(), &aside).expect("taken away");
    let log = "catalog.sqlite-wal, is missing or empty; put back what is missing";
    mount.refuses(&["has lost commits: it ends with number 0", log]);
    mount.refuses(&["has lost commits", log]);
    fs::rename(&aside, mount.wal()).expect("put back");
    mount.restart();
    assert_eq!(read(&memo), b"a memo");
}

#[test]
fn a_flipped_bit_anywhere_in_the_log_refuses_the_start() {
    let Some(mut mount) = Mount::start() else { return };
    for number in 0..4 {
        mount.attach("memo", format!("memo {number}").as_bytes());
    }
    let memo = mount.row().join("memo");
    mount.crash();
    let end = length(&mount.wal());
    // In the header, in the first transactions, and in the last.
    for at in [9, 5_000, end / 2, end - 100] {
        flip(&mount.wal(), at, 3);
        mount.refuses(&["has lost commits", "catalog.sqlite-wal, is damaged"]);
        flip(&mount.wal(), at, 3);
    }
    mount.restart();
    assert_eq!(read(&memo), b"memo 3");
}

#[test]
fn a_log_that_another_program_has_checkpointed_may_be_missing() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    mount.crash();
    mount.checkpoint();
    mount.restart();
    assert_eq!(read(&memo), b"a memo");
}

#[test]
fn an_older_catalogue_refuses_the_start_unless_its_loss_is_accepted() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"an old memo");
    mount.stop();
    mount.save("older");
    mount.restart();
    let note = mount.attach("note", b"a new note");
    mount.stop();
    mount.take_catalog_of(&mount.beside("older"));
    mount.refuses(&["has lost commits: it ends with number ", "`mediafs mount --accept-loss`"]);
    mount.restart_with(&["--accept-loss"]);
    assert_eq!(read(&memo), b"an old memo");
    assert!(!note.exists());
    mount.attach("note", b"a new note");
    mount.stop_and_restart();
    assert_eq!(read(&note), b"a new note");
}

#[test]
fn a_catalogue_that_does_not_know_the_blobs_refuses_the_start() {
    let Some(mut mount) = Mount::start() else { return };
    mount.attach("memo", b"a memo");
    mount.stop();
    let Some(mut other) = Mount::start() else { return };
    other.stop();
    mount.take_catalog_of(&other.library());
    fs::remove_file(mount.library().join("commits")).expect("removed");
    mount.refuses(&["is an older copy", "it does not know ", "`mediafs mount --accept-loss`"]);
    mount.restart_with(&["--accept-loss"]);
    let memo = mount.attach("memo", b"a memo");
    mount.stop_and_restart();
    assert_eq!(read(&memo), b"a memo");
}

#[test]
fn a_backup_of_the_whole_directory_starts_without_a_message() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"an old memo");
    mount.stop();
    mount.save("stopped");
    mount.restart();
    mount.attach("memo", b"a new memo");
    mount.crash();
    mount.save("killed");
    for (backup, holds) in [("stopped", b"an old memo".as_slice()), ("killed", b"a new memo")] {
        mount.put_back(backup);
        mount.restart();
        assert_eq!(read(&memo), holds, "{backup}");
        mount.attach("memo", b"a new memo");
        mount.stop();
    }
    assert!(!mount.log().contains("ERROR"), "{}", mount.log());
}

#[test]
fn a_damaged_catalogue_is_shown_to_readers_and_not_written_to() {
    let Some(mut mount) = Mount::start() else { return };
    mount.attach("memo", b"a memo");
    mount.stop();
    mount.checkpoint();
    let catalog = mount.database();
    let damage = Connection::open(&catalog).expect("a connection");
    let page: u32 = damage
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'attachments_by_blob'",
            [],
            |row| row.get(0),
        )
        .expect("a page");
    drop(damage);
    let file = File::options().write(true).open(&catalog).expect("the catalogue");
    file.write_all_at(&[0; 4096], u64::from(page - 1) * 4096).expect("overwritten");
    mount.refuses(&["is damaged (", "from a backup", "`mediafs mount --read-only`"]);
    let mountpoint = mount.mountpoint().display().to_string();
    let done = mount.command(&["mount", "--accept-loss", &mountpoint]);
    assert!(done.code == 1 && done.stderr.contains("is damaged ("), "{done}");
    mount.restart_with(&["--read-only"]);
    assert_eq!(read(&mount.path("models/user/42/memo")), b"a memo");
    assert!(mount.log().contains("the library is not what it was"), "{}", mount.log());
}

/// The generator of George Marsaglia, 'Xorshift RNGs' (2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Flips bits at random offsets of the catalogue and its log.
fn damage(mount: &Mount, chance: &mut Chance, bits: u32) {
    let (catalog, log) = (mount.database(), mount.wal());
    for _ in 0..bits {
        let at = chance.below(length(&catalog) + length(&log));
        let bit = u32::try_from(chance.below(8)).expect("a bit");
        match at.checked_sub(length(&catalog)) {
            Some(at) => flip(&log, at, bit),
            None => flip(&catalog, at, bit),
        }
    }
}

fn content(row: u32, name: &str) -> String {
    format!("{name} of {row}")
}

/// Checks that each file has its bytes, or is an EIO that the log reports.
fn holds_all(mount: &Mount, what: &str) {
    let mut damaged = 0;
    for row in 1..=ROWS {
        for name in NAMES {
            let path = mount.path("models/user").join(row.to_string()).join(name);
            match fs::read_to_string(&path) {
                Ok(found) => assert_eq!(found, content(row, name), "{what}"),
                Err(error) if error.raw_os_error() == Some(EIO) => damaged += 1,
                Err(error) => panic!("{what}: {}: {error}", path.display()),
            }
        }
    }
    assert!(
        damaged == 0 || mount.log().contains("ERROR"),
        "{what}: the log reports none of {damaged} damaged files"
    );
}

#[test]
fn flipped_bits_in_the_catalogue_lose_no_file_unreported() {
    let Some(mut mount) = config().mount() else { return };
    for row in 1..=ROWS {
        let folder = mount.row_of(&row.to_string());
        for name in NAMES {
            fs::write(folder.join(name), content(row, name)).expect("taken");
        }
    }
    mount.crash();
    mount.save("killed");
    mount.restart();
    mount.stop();
    mount.checkpoint();
    mount.save("stopped");
    let mut chance = Chance(20_261_129);
    let mut refused = 0;
    for saved in ["killed", "stopped"] {
        for (round, bits) in BITS.into_iter().enumerate() {
            let what = format!("round {round} of {bits} bits, {saved}");
            mount.put_back(saved);
            damage(&mount, &mut chance, bits);
            if mount.try_restart() {
                holds_all(&mount, &what);
                mount.crash();
            } else {
                refused += 1;
                let log = mount.log();
                let said = log.lines().last().unwrap_or_default().to_owned();
                assert!(said.starts_with("mediafs: the catalogue "), "{what}: {said}");
            }
        }
    }
    assert!(refused > BITS.len(), "most damage refuses the start: {refused}");
}
