//! A library on a disk that fails: acknowledged changes are there after the next start, also after a power cut. Once the disk has
//! failed, no change is acknowledged, readers see only what was written, and every channel reports the failure.
//!
//! `scripts/crash disk N` runs more rounds than the test does.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod failing;
mod full;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

use self::failing::FailingDisk;
use crate::config::Config;
use crate::crash::child_writer as writer;
use crate::mount::daemon::Mount;
use crate::mount::tool::run;
use crate::mount::{EIO, attribute, errno, names};
use crate::wait::until;

/// The environment variable with the number of random rounds.
const ROUNDS: &str = "MEDIAFS_DISK_ROUNDS";

/// The most repetitions in the text of a number.
const LONGEST: u64 = 40_000;

/// The child process: writes, renames and unlinks, at most 400 times, until a number of operations in a row have failed.
#[test]
#[ignore = "is the writer that the tests start"]
fn writer() {
    let Some(arguments) = writer::arguments() else { return };
    let [first, patience, rows @ ..] = &arguments[..] else { panic!("{arguments:?}") };
    let (first, patience): (u64, u32) =
        (first.parse().expect("one"), patience.parse().expect("one"));
    let mut failed = 0;
    for number in first..first + 400 {
        let row = usize::try_from(number).expect("few") % rows.len();
        let path = Path::new(&rows[row]).join("memo");
        let gone = number % 7 == 6 && path.exists();
        let value = if gone { "-".into() } else { number.to_string() };
        let done = writer::tell(&row.to_string(), &value, || match number % 7 {
            6 if gone => fs::remove_file(&path),
            5 => {
                let part = path.with_file_name(format!(".{number}.part"));
                writer::put(&part, &text(number))?;
                fs::rename(part, &path)
            }
            _ => writer::put(&path, &text(number)),
        });
        failed = if done.is_ok() { 0 } else { failed + 1 };
        if let Err(error) = done {
            writer::say(&format!("failed {row} {}", error.raw_os_error().expect("an errno")));
        }
        if failed == patience {
            break;
        }
    }
}

const ROWS: usize = 6;

/// The content of a field: the number of a text, or nothing.
type Value = Option<u64>;

/// The values that a field may have.
#[derive(Debug, Clone, Default)]
struct Field {
    /// The value that was acknowledged last, and the one before it.
    acknowledged: Value,
    before: Value,
    /// The values that were begun since and not acknowledged.
    begun: Vec<Value>,
}

impl Field {
    fn allows(&self, found: Value) -> bool {
        // A file that its writer unlinked before an interrupted write is put back (CONTRACT 2.11).
        let put_back = self.acknowledged.is_none() && !self.begun.is_empty();
        found == self.acknowledged
            || self.begun.contains(&found)
            || (put_back && found == self.before)
    }
}

fn text(number: u64) -> Vec<u8> {
    writer::text(number, LONGEST)
}

fn number_of(bytes: &[u8]) -> Option<u64> {
    writer::number_of(bytes, LONGEST)
}

/// A library on a disk that fails, and the values that its fields may have.
struct Setup {
    disk: FailingDisk,
    mount: Mount,
    fields: BTreeMap<usize, Field>,
}

impl Setup {
    fn new(chance: u64) -> Option<Self> {
        let disk = FailingDisk::new(chance)?;
        let mount = config(&disk).mount()?;
        let setup = Self { disk, mount, fields: BTreeMap::new() };
        setup.rows();
        Some(setup)
    }

    fn rows(&self) -> Vec<PathBuf> {
        (0..ROWS).map(|row| self.mount.row_of(&row.to_string())).collect()
    }

    fn library(&self) -> PathBuf {
        self.disk.path().join("library")
    }

    /// Runs a writer until this many of its operations in a row have failed. Returns their errors.
    fn write(&mut self, first: u64, patience: u32) -> Vec<i32> {
        let mut arguments = vec![first.to_string(), patience.to_string()];
        arguments.extend(self.rows().iter().map(|row| row.display().to_string()));
        let done = writer::run("disk::writer", &arguments);
        done.succeeded();
        let mut failures = Vec::new();
        for line in done.stderr.lines() {
            let [word, row, value] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let field = self.fields.entry(row.parse().expect("a row")).or_default();
            match word {
                "begin" => field.begun.push(value.parse().ok()),
                "end" => {
                    let before = field.acknowledged;
                    *field = Field { acknowledged: value.parse().ok(), before, begun: Vec::new() };
                }
                _ => failures.push(value.parse().expect("an errno")),
            }
        }
        failures
    }

    /// Checks that every field holds a whole value that it may have. With `or_eio`, EIO is allowed instead.
    fn check(&mut self, or_eio: bool) {
        for (row, field) in &mut self.fields {
            let path = self.mount.path("models/user").join(row.to_string()).join("memo");
            let found = match fs::read(&path) {
                // The placeholder of a failed write, which is not released yet.
                Ok(bytes) if or_eio && bytes.is_empty() => None,
                Ok(bytes) => Some(number_of(&bytes).unwrap_or_else(|| {
                    panic!("{}: {} bytes that no writer wrote", path.display(), bytes.len())
                })),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) if or_eio && error.raw_os_error() == Some(EIO) => continue,
                Err(error) => panic!("{}: {error} after {field:?}", path.display()),
            };
            assert!(field.allows(found), "{} holds {found:?} after {field:?}", path.display());
            if !or_eio {
                *field = Field { acknowledged: found, ..Field::default() };
            }
        }
    }

    /// Drops the kernel's cached pages of all files of the library.
    fn evict(&self) {
        let found = run("find", &[self.library().as_os_str(), "-type".as_ref(), "f".as_ref()]);
        for file in found.stdout.lines().filter_map(|path| File::open(path).ok()) {
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
        }
    }

    fn is_fenced(&self) -> bool {
        !self.mount.status()["fenced"].is_null()
    }

    fn cut_power(&mut self) {
        self.mount.kill9();
        run("umount", &[Path::new("-l"), &self.mount.mountpoint()]).succeeded();
        self.disk.cut_power();
        self.mount.restart();
    }
}

fn config(disk: &FailingDisk) -> Config {
    Config::new()
        .with(&format!("library.path = '{}'", disk.path().join("library").display()))
        .table("user", "integer")
        .field("avatar", "image")
        .field("memo", "file")
}

#[test]
fn acknowledged_changes_survive_a_disk_that_fails_some_writes() {
    let rounds = std::env::var(ROUNDS).ok().map_or(3, |rounds| rounds.parse().expect("a number"));
    let (mut failed, mut fenced_rounds) = (0, 0);
    for round in 0..rounds {
        let Some(mut setup) = Setup::new(round * 7919 + 1) else { return };
        setup.write(1 + round * 1000, 1);
        setup.disk.fail(20 + round * 40 % 280);
        for errno in setup.write(401 + round * 1000, 8) {
            assert_eq!(errno, EIO, "round {round}");
        }
        failed += setup.disk.failures();
        let fenced = setup.is_fenced();
        setup.evict();
        setup.check(true);
        setup.disk.fail(0);
        if fenced {
            fenced_rounds += 1;
            assert_eq!(errno(fs::create_dir(setup.mount.path("models/user/99"))), EIO);
        }
        if round.is_multiple_of(2) && setup.disk.is_writable() {
            // A new daemon acknowledges only what the disk has, although the kernel's caches may have more.
            setup.mount.crash_and_restart();
            setup.check(false);
            setup.write(801 + round * 1000, 1);
        }
        setup.cut_power();
        setup.check(false);
    }
    say(&format!("{rounds} rounds, {failed} failed writes, {fenced_rounds} fences, nothing lost"));
    assert!(failed > 0 && fenced_rounds > 0, "no write failed, so nothing was tested");
}

#[test]
fn changes_acknowledged_after_a_failed_write_survive_a_power_cut() {
    let Some(mut setup) = Setup::new(3) else { return };
    let row = |setup: &Setup, id: &str| setup.mount.path("models/user").join(id);
    fs::create_dir(row(&setup, "101")).expect("a row");
    // The next write is to the catalogue's log. The kernel takes the page of a failed write for written.
    setup.disk.fail_next();
    assert_eq!(errno(fs::create_dir(row(&setup, "102"))), EIO);
    assert!(setup.is_fenced());
    setup.mount.crash_and_restart();
    fs::create_dir(row(&setup, "103")).expect("a row");
    setup.cut_power();
    assert!(row(&setup, "101").is_dir() && row(&setup, "103").is_dir());
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_and_every_channel_reports_it() {
    let Some(disk) = FailingDisk::new(7) else { return };
    let Some(mut mount) = Mount::as_service(config(&disk)) else { return };
    let manager = UnixDatagram::bind(mount.beside("notify")).expect("bound");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    mount.restart();
    let (memo, other) = (mount.attach("memo", &text(1)), mount.row_of("43").join("memo"));
    fs::write(&other, text(2)).expect("taken");
    assert!(mount.status()["fenced"].is_null());

    disk.fail(1000);
    // The standard library ignores the answer of close(2).
    let written = |path: &Path| {
        let made = File::create(path)?;
        std::io::Write::write_all(&mut &made, &text(3))?;
        made.sync_all()
    };
    assert_eq!(errno(written(&memo)), EIO);
    until("the fence is raised", || !mount.status()["fenced"].is_null());
    disk.fail(0);

    let row = mount.row();
    let changes: [(&str, std::io::Result<()>); 9] = [
        ("open for writing", File::create(&other).map(drop)),
        ("write", written(&other)),
        ("create", File::create(row.join("scratch")).map(drop)),
        ("mkdir", fs::create_dir(mount.path("models/user/44"))),
        ("rename", fs::rename(&other, row.join("memo"))),
        ("unlink", fs::remove_file(&other)),
        ("link", fs::hard_link(&other, mount.row_of("42").join("avatar"))),
        ("chmod", fs::set_permissions(&other, mode(0o600))),
        ("rmdir", fs::remove_dir(mount.path("models/user/43"))),
    ];
    for (what, outcome) in changes {
        assert!(outcome.is_err(), "{what}");
        assert_eq!(errno(outcome), EIO, "{what}");
    }
    assert_eq!(attribute::set(&other, "user.a", b"b").map_err(Errno::raw_os_error), Err(EIO));
    for (path, number) in [(&memo, 1), (&other, 2)] {
        assert_eq!(number_of(&fs::read(path).expect("it is read")), Some(number));
    }
    assert_eq!(names(&mount.path("models/user")), ["42", "43"]);
    check_channels(&mount, &manager, &other);

    mount.stop_and_restart();
    assert!(mount.status()["fenced"].is_null());
    assert_eq!(mount.all_kept().len(), 1, "the bytes of the failed write");
    for (path, number) in [(&memo, 1), (&other, 2)] {
        let found = number_of(&fs::read(path).expect("it is read"));
        assert!(found == Some(number) || (number == 1 && found == Some(3)), "{found:?}");
    }
    fs::write(&other, text(4)).expect("taken");
}

#[allow(clippy::print_stdout)] // The output of `scripts/crash`.
fn say(figure: &str) {
    println!("{figure}");
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// Checks that the status, the metrics, last-error, the attribute, the log and the service manager report the failure.
fn check_channels(mount: &Mount, manager: &UnixDatagram, field: &Path) {
    let status = mount.status();
    let because = status["fenced"]["because"].as_str().expect("a reason");
    assert!(because.contains("could not be"), "{because}");
    assert!(status["fenced"]["since"].as_str().is_some_and(|since| since.starts_with("20")));
    let shown = mount.command(&["status"]).stdout;
    assert!(shown.contains("fenced      since 20") && shown.contains(because), "{shown}");
    assert_eq!(mount.metric("mediafs_fenced"), Some(1));
    mount.last_error_has(because, "start the daemon again");
    for path in [field, &mount.row()] {
        let error = attribute::text(path, "user.mediafs.error");
        assert!(error.contains("start the daemon again"), "{error}");
    }
    let log = mount.log();
    assert_eq!(log.matches("the disk failed: nothing is stored any more").count(), 1, "{log}");
    let mut message = [0; 1024];
    let heard = (0..2).map(|_| {
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    });
    let heard: Vec<_> = heard.collect();
    assert!(heard[1].contains("STATUS=FENCED") && heard[1].contains(because), "{heard:?}");
}
