//! One client's long work beside another client's short requests: their answers are timed while the work is under way, and compared
//! with those of the calm moments before and after it, so that a noisy machine is no failure.

use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::config;
use super::daemon::Mount;
use super::picture::{self, Bytes};
use crate::wait::until;

/// How often the other client asks for each thing, and for how long at most.
const ROUNDS: usize = 200;
const AT_MOST: Duration = Duration::from_secs(40);
/// The longest 99th percentile on a calm machine, and how many times that of a calm moment is allowed beside it.
const CALM: Duration = Duration::from_millis(50);
const NOISE: u32 = 10;

/// The requests of the other client.
const ASKED: [&str; 4] = ["stat", "open", "read", "mkdir"];

/// The requests that one client repeats.
type Work = Box<dyn Fn() + Send + Sync>;

/// open(2): past the page cache, so that each read asks the daemon.
const O_DIRECT: i32 = 0o40_000;

/// A mount whose library is in memory, since the speed of the disk is not measured.
struct Scene {
    mount: Mount,
    _library: TempDir,
}

impl Scene {
    fn start() -> Option<Self> {
        let library = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        let path = format!("library.path = '{}'", library.path().join("library").display());
        let lists = config().with(&path).table("album", "name");
        let lists = lists.field("papers", "file, collection = 'list'");
        let lists = lists
            .field("photo", "image, format = 'avif'")
            .field("film", "file, max_size = '1 GiB'");
        let mount = lists.mount()?;
        mount.attach("memo", b"a memo");
        Some(Self { mount, _library: library })
    }

    /// The directory of a new row of albums.
    fn album(&self, name: &str) -> std::path::PathBuf {
        let row = self.mount.path("models/album").join(name);
        fs::create_dir(&row).expect("a row");
        row
    }

    /// The 99th percentiles of the other client's answers.
    fn percentiles(&self, rows: &str) -> [Duration; ASKED.len()] {
        let (row, memo) = (self.mount.row(), self.mount.row().join("memo"));
        let begun = Instant::now();
        let mut took: [Vec<Duration>; ASKED.len()] = Default::default();
        let mut timed = |asked: usize, ask: &mut dyn FnMut()| {
            let since = Instant::now();
            ask();
            took[asked].push(since.elapsed());
        };
        for round in 0..ROUNDS {
            if begun.elapsed() > AT_MOST {
                break;
            }
            let absent = row.join(format!("{rows}-{round}"));
            timed(0, &mut || drop(fs::metadata(&absent).expect_err("no such file")));
            let mut file = None;
            let mut options = OpenOptions::new();
            let options = options.read(true).custom_flags(O_DIRECT);
            timed(1, &mut || file = Some(options.open(&memo).expect("opened")));
            let mut bytes = [0; 16];
            let mut read = || file.as_ref().map(|file| file.read_at(&mut bytes, 0).expect("read"));
            timed(2, &mut || assert_eq!(read(), Some(6)));
            let new = self.mount.path("models/album").join(format!("{rows}-{round}"));
            timed(3, &mut || fs::create_dir(&new).expect("made"));
        }
        took.map(|mut took| {
            took.sort_unstable();
            took[(took.len() * 99).div_ceil(100) - 1]
        })
    }

    /// Checks the other client's answers while each of these works is done again and again by a thread of its own.
    fn judge(&self, works: &[Work]) {
        let (before, over) = (self.percentiles("before"), AtomicBool::new(false));
        let busy = thread::scope(|scope| {
            for work in works {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        work();
                    }
                });
            }
            let _over = Over(&over);
            // Until all are under way.
            thread::sleep(Duration::from_millis(500));
            self.percentiles("busy")
        });
        let after = self.percentiles("after");
        let told = format!("calm {before:?} and {after:?}, between them {busy:?}");
        for (asked, what) in ASKED.iter().enumerate() {
            let calm = before[asked].max(after[asked]);
            assert!(busy[asked] <= CALM + calm * NOISE, "{what}: {told}");
        }
        #[allow(clippy::print_stderr)] // The figures are wanted of a test that passes, too.
        {
            eprintln!("{told}");
        }
    }
}

/// Ends the works when it is dropped, also by a failure.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes a file anew. On a busy machine that may be ESTALE, which is not judged here.
fn write_again(path: &Path, bytes: &[u8]) {
    let _ = fs::write(path, bytes);
}

fn boxed(work: impl Fn() + Send + Sync + 'static) -> Work {
    Box::new(work)
}

#[test]
fn a_large_row_json_keeps_nobody_else_waiting() {
    let Some(scene) = Scene::start() else { return };
    let row = scene.album("large");
    thread::scope(|scope| {
        for part in 0..8 {
            let papers = row.join("papers");
            scope.spawn(move || {
                for number in 0..500 {
                    let paper = papers.join(format!("{part}-{number}.txt"));
                    fs::write(paper, b"a paper").expect("taken");
                }
            });
        }
    });
    let json = row.join("row.json");
    let asks = (0..6).map(|_| {
        let json = json.clone();
        boxed(move || {
            let size = fs::metadata(&json).expect("there").len();
            let text = fs::read(&json).expect("read");
            assert!(size > 1_000_000 && text.len() > 1_000_000);
        })
    });
    // Each commit makes the text that was composed before it out of date.
    let other = scene.album("other").join("film");
    let commits = boxed(move || write_again(&other, b"a film"));
    scene.judge(&asks.chain([commits]).collect::<Vec<_>>());
}

#[test]
fn a_patch_of_a_hundred_thousand_keys_keeps_nobody_else_waiting() {
    let Some(scene) = Scene::start() else { return };
    let mut patch = String::from("{\"film\": {");
    for key in 0..100_000 {
        write!(patch, "\"a key with no value {key}\": null, ").expect("a text");
    }
    patch.push_str("\"last\": null}}");
    assert!(patch.len() > 2 << 20);
    let patches = (0..4).map(|number| {
        let (row, patch) = (scene.album(&format!("row-{number}")), patch.clone());
        fs::write(row.join("film"), b"a film").expect("taken");
        boxed(move || {
            fs::write(row.join("row.json"), &patch).expect("taken");
        })
    });
    scene.judge(&patches.collect::<Vec<_>>());
}

#[test]
fn a_byte_in_a_large_file_keeps_nobody_else_waiting() {
    const SIZE: usize = 128 << 20;
    let Some(scene) = Scene::start() else { return };
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at >> 10).to_le_bytes()[0] | 1).collect();
    let writes = (0..5_u8).map(|number| {
        let film = scene.album(&format!("row-{number}")).join("film");
        let draft = File::create(&film).expect("made");
        draft.write_all_at(&bytes, 0).expect("written");
        draft.write_all_at(&[number], 0).expect("written");
        drop(draft);
        boxed(move || {
            let draft = OpenOptions::new().write(true).open(&film).expect("opened");
            draft.write_all_at(b"x", 7).expect("written");
            // Its writer takes the draft back, and the stored file stays.
            fs::remove_file(&film).expect("removed");
        })
    });
    scene.judge(&writes.collect::<Vec<_>>());
}

#[test]
fn a_hundred_pictures_that_are_closed_at_once_keep_nobody_else_waiting() {
    let Some(scene) = Scene::start() else { return };
    let closes = (0..100).map(|number| {
        let photo = scene.album(&format!("row-{number}")).join("photo");
        let bytes = picture::good(number);
        boxed(move || write_again(&photo, &bytes))
    });
    scene.judge(&closes.collect::<Vec<_>>());
}

#[test]
fn reads_of_a_draft_that_is_judged_keep_nobody_else_waiting() {
    let Some(scene) = Scene::start() else { return };
    let works = (0..4).flat_map(|number| {
        let photo = scene.album(&format!("row-{number}")).join("photo");
        let bytes = picture::png(300, 300, number);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let draft = options.custom_flags(O_DIRECT).open(&photo).expect("opened");
        let reads = (0..2).map(|_| {
            let draft = draft.try_clone().expect("another descriptor");
            boxed(move || {
                let mut part = vec![0; 4096];
                let _ = draft.read_at(&mut part, 0).expect("read");
            })
        });
        let reads: Vec<_> = reads.collect();
        let judge = boxed(move || {
            if draft.write_all_at(&bytes, 0).is_err() {
                // On a busy machine the worker's time may have ended, which is a refusal.
                draft.set_len(0).expect("begun anew");
            }
            // A close of one descriptor judges the bytes, and leaves the others open.
            drop(draft.try_clone().expect("another descriptor"));
        });
        reads.into_iter().chain([judge])
    });
    scene.judge(&works.collect::<Vec<_>>());
}

#[test]
fn status_json_keeps_nobody_else_waiting() {
    let Some(scene) = Scene::start() else { return };
    let asks = ["status.json", "metrics"].repeat(4).into_iter().map(|name| {
        let path = scene.mount.path(".mediafs").join(name);
        boxed(move || {
            fs::metadata(&path).expect("there");
            fs::read(&path).expect("read");
        })
    });
    scene.judge(&asks.collect::<Vec<_>>());
}

/// Fills a photo, in a process that can be killed.
fn copy(from: &Path, to: &Path) -> std::process::Child {
    let mut command = Command::new("cp");
    command.arg(from).arg(to).stderr(Stdio::null()).spawn().expect("cp")
}

#[test]
fn a_client_that_is_killed_in_close_need_not_wait_and_its_file_is_judged() {
    let Some(scene) = Scene::start() else { return };
    let Bytes(picture) = picture::png(400, 400, 1);
    let (source, row) = (scene.mount.outside("large.png", &picture), scene.album("one"));
    let photo = row.join("photo");
    let mut client = copy(&source, &photo);
    let is_closing = || fs::metadata(&photo).is_ok_and(|meta| meta.len() == picture.len() as u64);
    until("all bytes are written", is_closing);
    // The verdict takes longer than the pause, after which the watch looks at whoever waits for it.
    thread::sleep(Duration::from_millis(200));
    client.kill().expect("killed");
    client.wait().expect("ended");
    let is_stored = || fs::metadata(&photo).is_ok_and(|meta| meta.len() != picture.len() as u64);
    assert!(!is_stored(), "the verdict came before the end");
    until("the file is stored", is_stored);
}
