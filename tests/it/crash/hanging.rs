//! kill -9 of the daemon while sixteen clients write, rename and remove in one list: each client gets an error, and the next daemon
//! starts.
//!
//! Without the guard process, nine of ten kills hang every client for ever, and a thread of the dead daemon that cannot be killed
//! (`fuse::mount::daemons`). `scripts/crash kill N` runs N kills.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::mount::daemon::{Mount, PROGRAM};
use crate::mount::tool::{is_root, run};

fn config() -> Config {
    Config::new().table("album", "name").field("files", "file, collection = 'list'")
}

const CLIENTS: usize = 16;

/// The clients are threads of a process of their own, since a thread that hangs in the kernel would hang the tests.
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

/// A client that waits this long hangs.
const FOR_EVER: Duration = Duration::from_secs(20);
/// The time that users are promised. The test counts the kills after which a client waits longer.
const PROMISED: Duration = Duration::from_secs(2);

/// The time of the test without `MEDIAFS_KILLS`.
const SPAN: Duration = Duration::from_secs(60);

struct Clients(Child);

impl Clients {
    /// Returns when all clients have begun.
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

    /// Waits until every client has got its error. Returns how long that took; `None` if one hangs.
    fn freed(&mut self, patience: Duration) -> Option<Duration> {
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
        // Waits for no end: a hanging thread cannot be killed.
    }
}

#[allow(clippy::print_stderr)] // The output of `scripts/crash`.
fn say(figure: &str) {
    eprintln!("{figure}");
}

#[test]
fn no_kill_of_the_daemon_leaves_a_client_hanging() {
    let Some(mut mount) = config().mount() else { return };
    let asked = std::env::var("MEDIAFS_KILLS").ok().map(|kills| kills.parse().expect("a number"));
    let (begun, mut kills, mut hangs, mut late) = (Instant::now(), 0_u32, 0, 0);
    let (mut slowest, mut slowest_start) = (Duration::ZERO, Duration::ZERO);
    while asked.map_or(begun.elapsed() < SPAN, |asked| kills < asked) {
        let mut clients = Clients::start(&mount);
        mount.kill();
        let wait = clients.freed(FOR_EVER).unwrap_or(Duration::MAX);
        if wait == Duration::MAX {
            hangs += 1;
            mount.command(&["unmount", &mount.mountpoint().to_string_lossy()]).succeeded();
        }
        mount.reap();
        let again = Instant::now();
        mount.restart();
        kills += 1;
        late += u32::from(wait > PROMISED);
        slowest = slowest.max(wait);
        slowest_start = slowest_start.max(again.elapsed());
    }
    say(&format!(
        "{kills} kills under {CLIENTS} clients: {hangs} hangs, {late} times more than {PROMISED:?} until all had an error; \
         at most {slowest:.1?}, and {slowest_start:.1?} until the next daemon served"
    ));
    assert_eq!(hangs, 0, "of {kills} kills");
    mount.stop();
}

/// The guard is killed first, as in a kill of all processes of a service. The clients hang, and each of these commands frees them.
#[test]
fn the_next_command_frees_clients_whose_daemon_and_guard_were_killed() {
    let Some(mut mount) = config().mount() else { return };
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
            assert!(clients.freed(FOR_EVER).is_some(), "`mediafs {command}` frees no client");
        }
        // The parent of a daemon need not reap it before the next start.
        let dead = mount.leave();
        mount.restart();
        assert!(clients.freed(FOR_EVER).is_some(), "`mediafs {command}` frees no client");
        drop(dead);
    }
    mount.stop();
}

/// Kills the daemon and its guard until the clients hang.
fn hang(mount: &mut Mount) -> Clients {
    for _ in 0..40 {
        let clients = Clients::start(mount);
        kill_guard(mount);
        mount.kill();
        if is_stuck(mount.pid()) {
            return clients;
        }
        mount.reap();
        mount.restart();
    }
    panic!("no kill made the clients hang, so nothing was tested");
}

/// Whether a killed process has a thread that does not end. Watches for a short time only, since the mount of another test frees
/// it.
fn is_stuck(pid: u32) -> bool {
    let is_zombie = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("not reaped");
        status.contains("State:\tZ")
    };
    while !is_zombie() {
        thread::yield_now();
    }
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        if threads() < 2 {
            return false;
        }
        thread::yield_now();
    }
    true
}

fn kill_guard(mount: &Mount) {
    let [guard] = mount.children("guard")[..] else { panic!("one mount, one guard") };
    run("kill", &["-KILL", &guard.to_string()]).succeeded();
}

/// After a signal other than `SIGKILL`, the kernel ends the first thread after all others.
#[test]
fn a_crash_of_the_daemon_leaves_no_client_hanging() {
    let Some(mut mount) = config().mount() else { return };
    for _ in 0..3 {
        let mut clients = Clients::start(&mount);
        mount.signal("ABRT");
        assert!(clients.freed(FOR_EVER).is_some(), "the clients hang");
        mount.reap();
        mount.restart();
    }
    mount.stop();
}

/// Opens a FUSE connection of root without a server. A process of another user claims to be its daemon, and looks dead, since its
/// first thread has ended. Prints the state of the connection after a start has looked for dead daemons.
const IMPOSTOR: &str = r#"
import os, subprocess, sys
program, config, library_mount, directory = sys.argv[1:]
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
subprocess.run(["mount", "-i", "-t", "fuse", "-o", options, "none", directory], check=True, pass_fds=[device])
number = next(line.split()[2] for line in open("/proc/self/mountinfo") if line.split()[4] == directory).split(":")[1]
impostor = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", f'''
import ctypes, socket, threading, time
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("\\0mediafs/connection/{number}"); listener.listen()
threading.Thread(target=time.sleep, args=(60,)).start()
print("listening", flush=True)
ctypes.CDLL(None).pthread_exit(None)
'''], stdout=subprocess.PIPE, cwd="/")
impostor.stdout.readline()
while "State:\tZ" not in open(f"/proc/{impostor.pid}/status").read(): pass
daemon = subprocess.Popen([program, "--config", config, "mount", library_mount], stdout=subprocess.PIPE)
daemon.stdout.readline()
daemon.terminate(); daemon.wait()
try: print("alive" if os.read(device, 1 << 20) else "nothing")
except OSError as error: print(error)
impostor.kill(); os.close(device); subprocess.run(["umount", "-l", directory])
"#;

#[test]
fn a_user_cannot_end_anothers_mount_by_posing_as_its_dead_daemon() {
    if !is_root() {
        return;
    }
    let Some(mount) = Mount::prepared(config()) else { return };
    let directory = mount.beside("foreign");
    fs::create_dir(&directory).expect("a directory");
    let directory = directory.canonicalize().expect("a path");
    let program = Path::new(PROGRAM);
    let (config, mountpoint) = (mount.config(), mount.mountpoint());
    let script = [Path::new("-c"), Path::new(IMPOSTOR)];
    let arguments = [&script[..], &[program, &config, &mountpoint, &directory]].concat();
    let done = run("python3", &arguments);
    assert_eq!(done.stdout.trim(), "alive", "{done}");
}
