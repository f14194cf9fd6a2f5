//! The daemon is killed while sixteen clients write, rename and remove in one list: each gets its errno, and nothing that is
//! left of the old daemon keeps the next one out.
//!
//! Without the guard some nine of ten kills hang every client for ever, with a thread of the dead daemon that cannot be killed
//! either (`fuse::daemons`). `scripts/crash kill N` runs as many kills as are asked for.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::mount::daemon::Mount;

const CONFIG: &str = "[library]\npath = \"library\"\n[tables.album]\nid = \"name\"\n\
                      [tables.album.fields.files]\ntype = \"file\"\ncollection = \"list\"\n";

const CLIENTS: usize = 16;

/// Threads of a process of their own: what hangs in the kernel must not hang the tests.
const CLIENT: &str = r#"
import errno, os, sys, threading
directory, gone = sys.argv[1], (errno.ENOTCONN, errno.ECONNABORTED)
def write(path):
    with open(path, "wb") as file: file.write(os.urandom(300))
def work(n):
    for i in range(10**9):
        if i == 2: print("at work", flush=True)
        a, b, shared = (f"{directory}/{name}" for name in (f"a{n}-{i%7}", f"b{n}-{i%5}", f"shared{i%4}"))
        for step in (lambda: write(a), lambda: os.rename(a, b), lambda: i % 3 or os.unlink(b), lambda: write(shared),
                     lambda: i % 11 or os.listdir(directory)):
            try: step()
            except OSError as error:
                if error.errno in gone: return
for n in range(int(sys.argv[2])): threading.Thread(target=work, args=(n,)).start()
"#;

/// What counts as for ever. What a user is promised, two seconds, is what `scripts/crash kill` counts beyond.
const FOR_EVER: Duration = Duration::from_secs(20);
const PROMISED: Duration = Duration::from_secs(2);

/// How long the kills go on where nobody says how many there are to be.
const SPAN: Duration = Duration::from_secs(60);

struct Clients(Child);

impl Clients {
    /// Returns when all of them are at work.
    fn start(mount: &Mount) -> Self {
        let row = mount.path("models/album/holiday");
        if !row.exists() {
            fs::create_dir(&row).expect("a row");
        }
        let mut process = Command::new("python3")
            .args(["-c", CLIENT])
            .arg(row.join("files"))
            .arg(CLIENTS.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let stdout = BufReader::new(process.stdout.take().expect("its output"));
        assert_eq!(stdout.lines().take(CLIENTS).map_while(Result::ok).count(), CLIENTS);
        Self(process)
    }

    /// Waits until every client was told that the mount is gone: how long that took, or nothing if it is for ever.
    fn told(&mut self, patience: Duration) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if self.0.try_wait().expect("a child").is_some() {
                return Some(begun.elapsed());
            }
            thread::yield_now();
        }
        None
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // Not waited for: what hangs cannot be killed.
    }
}

#[allow(clippy::print_stderr)] // The figure is what the command is for.
fn say(figure: &str) {
    eprintln!("{figure}");
}

#[test]
fn no_kill_of_the_daemon_leaves_a_client_hanging() {
    let Some(mut mount) = Mount::with(CONFIG) else { return };
    let asked = std::env::var("MEDIAFS_KILLS").ok().map(|kills| kills.parse().expect("a number"));
    let (begun, mut kills, mut late) = (Instant::now(), 0_u32, 0);
    let (mut slowest, mut slowest_start) = (Duration::ZERO, Duration::ZERO);
    while asked.map_or(begun.elapsed() < SPAN, |asked| kills < asked) {
        let mut clients = Clients::start(&mount);
        mount.kill();
        let told = clients.told(FOR_EVER);
        let told = told.unwrap_or_else(|| panic!("kill {kills}: the clients hang"));
        mount.reap();
        let again = Instant::now();
        mount.restart();
        kills += 1;
        late += u32::from(told > PROMISED);
        slowest = slowest.max(told);
        slowest_start = slowest_start.max(again.elapsed());
    }
    say(&format!(
        "{kills} kills under {CLIENTS} clients: 0 hangs, {late} times more than {PROMISED:?} until all were told; \
         at most {slowest:.1?}, and {slowest_start:.1?} until the next daemon served"
    ));
    mount.stop();
}

/// The same with the guard killed first, as by whoever kills all processes of a service: the proof that a hang would be seen, and
/// that each of these commands ends it.
#[test]
fn where_the_guard_was_killed_too_the_next_command_frees_the_clients() {
    let Some(mut mount) = Mount::with(CONFIG) else { return };
    for command in ["status", "unmount", "mount"] {
        let mut clients = hang(&mut mount);
        match command {
            "mount" => {}
            "unmount" => {
                mount.command(&["unmount", &mount.mountpoint().to_string_lossy()]).succeeded();
            }
            other => mount.command(&[other]).succeeded(),
        }
        if command != "mount" {
            assert!(clients.told(FOR_EVER).is_some(), "`mediafs {command}` frees nobody");
        }
        // Not waited for before: the parent of a daemon need not look after it.
        let dead = mount.leave();
        mount.restart();
        assert!(clients.told(FOR_EVER).is_some(), "`mediafs {command}` frees nobody");
        drop(dead);
    }
    mount.stop();
}

/// A daemon is dead, and its clients hang.
fn hang(mount: &mut Mount) -> Clients {
    for _ in 0..40 {
        let mut clients = Clients::start(mount);
        kill_guard(mount);
        mount.kill();
        if clients.told(PROMISED).is_none() {
            return clients;
        }
        mount.reap();
        mount.restart();
    }
    panic!("no kill hangs anybody: this harness would not see it");
}

fn kill_guard(mount: &Mount) {
    let [guard] = mount.children("guard")[..] else { panic!("one mount, one guard") };
    crate::mount::tool::run("kill", &["-KILL", &guard.to_string()]).succeeded();
}

/// A crash that the daemon does not survive, but that is no `SIGKILL`: other threads are awaited before its first one ends.
#[test]
fn a_crash_of_the_daemon_leaves_no_client_hanging() {
    let Some(mut mount) = Mount::with(CONFIG) else { return };
    for _ in 0..3 {
        let mut clients = Clients::start(&mount);
        mount.signal("ABRT");
        assert!(clients.told(FOR_EVER).is_some(), "the clients hang");
        mount.reap();
        mount.restart();
    }
    mount.stop();
}
