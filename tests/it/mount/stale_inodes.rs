//! Inodes that have lost their names: the kernel opens them by a name in its cache, while other processes replace the file. No program
//! may see ESTALE, nor any answer that a disk would not give.
//!
//! `MEDIAFS_OPENS` sets the number of opens.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::daemon::Mount;
use super::peer::{FRESH, Peer};
use super::read;
use super::tool::{installed, is_root};
use super::user::STRANGER;
use crate::config::Config;

const OPENS: usize = 2_000;
const PROCESSES: usize = 8;
const SPINNING: usize = 4;

/// Opens files of a row many times, for reading and for writing. Four files have one writer each, whose acknowledged versions
/// everybody knows; two files are written by all. Prints how often it opened, and whatever no disk would answer.
const CLIENT: &str = r"
import json, mmap, os, random, struct, sys
row, shared, me, opens = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SIZES = {'own0': 4096, 'own1': 320 << 10, 'own2': 4096, 'own3': 320 << 10, 'small': 4096, 'large': 320 << 10}
NAMES = list(SIZES)
acknowledged = mmap.mmap(os.open(shared, os.O_RDWR), 4096)
random.seed(me)
version, done, wrong = 0, 0, {}

def note(what):
    wrong[what] = wrong.get(what, 0) + 1

def known(name):
    return struct.unpack_from('<Q', acknowledged, 8 * NAMES.index(name))[0] if name[:3] == 'own' else 0

def write(name):
    global version
    version += 1
    number = version if name[:3] == 'own' else me << 32 | version
    flags = random.choice([os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_TRUNC, os.O_RDWR, os.O_WRONLY])
    fd = os.open(row + '/' + name, flags)
    try:
        left = memoryview(struct.pack('<Q', number) * (SIZES[name] // 8))
        while left:
            left = left[os.write(fd, left[:random.choice([65536, 1 << 20])]):]
    finally:
        os.close(fd)
    if name[:3] == 'own':
        struct.pack_into('<Q', acknowledged, 8 * NAMES.index(name), number)

def look(name):
    before = known(name)
    fd = os.open(row + '/' + name, os.O_RDONLY)
    try:
        size, parts = os.fstat(fd).st_size, []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
    finally:
        os.close(fd)
    found = b''.join(parts)
    if size != SIZES[name] or len(found) != size:
        note(f'{name} has {size} bytes of which {len(found)} were read')
    elif found != found[:8] * (size // 8):
        note(f'{name} is a mixture')
    elif struct.unpack('<Q', found[:8])[0] < before:
        note(f'{name} is older than what was acknowledged')

def stat(name):
    size = os.stat(row + '/' + name).st_size
    if size != SIZES[name]:
        note(f'{name} has {size} bytes for stat')

while done < opens:
    done += 1
    chance = random.random()
    try:
        if chance < 0.12 and me < 4:
            name = f'own{me}'
            write(name)
        elif chance < 0.2:
            name = random.choice(['small', 'large'])
            write(name)
        elif chance < 0.3:
            name = random.choice(NAMES)
            stat(name)
        name = random.choice(NAMES)
        look(name)
    except OSError as error:
        note(f'{os.strerror(error.errno)}: {name}')
print(json.dumps({'opens': done, 'wrong': wrong}))
";

fn config() -> Config {
    let files = ["own0", "own1", "own2", "own3", "small", "large"];
    let config = Config::new().with("mount.allow_other = true").table("user", "integer");
    let config = files.into_iter().fold(config, |config, name| config.field(name, "file"));
    config.field("memo", "file, max_size = '1 KiB'")
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python(arguments: &[&str]) -> Running {
    let mut command = Command::new("python3");
    command.arg("-c").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    Running(command.spawn().expect("python3 starts"))
}

/// Opens files by many processes beside some that use up the processors, and checks that every answer is one of a disk.
fn every_open_is_answered_as_by_a_disk(mount: &Mount) {
    let opens = std::env::var("MEDIAFS_OPENS").map_or(OPENS, |it| it.parse().expect("a number"));
    for (name, length) in ["own0", "own2", "small"]
        .map(|it| (it, 4096))
        .into_iter()
        .chain(LARGE.map(|it| (it, 320 << 10)))
    {
        mount.attach(name, &vec![0; length]);
    }
    let shared = mount.outside("acknowledged", &[0; 4096]);
    let _spinning: Vec<_> = (0..SPINNING).map(|_| python(&["while True: pass"])).collect();
    let (row, each) = (mount.row(), (opens / PROCESSES).to_string());
    let client = |number: usize| {
        let paths = [&row, &shared].map(|path| path.to_str().expect("UTF-8"));
        python(&[CLIENT, paths[0], paths[1], &number.to_string(), &each])
    };
    let clients: Vec<_> = (0..PROCESSES).map(client).collect();
    let reports: Vec<_> = clients.into_iter().map(report).collect();
    let count = |report: &Value| report["opens"].as_u64().expect("a number");
    say(&format!("{} opens: {reports:?}", reports.iter().map(count).sum::<u64>()));
    for report in &reports {
        assert_eq!(report["wrong"], serde_json::json!({}), "{reports:?}");
    }
}

const LARGE: [&str; 3] = ["own1", "own3", "large"];

fn report(mut client: Running) -> Value {
    let mut said = String::new();
    client.0.stdout.take().expect("piped").read_to_string(&mut said).expect("it says");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[allow(clippy::print_stderr)] // The figure belongs in the report of whoever runs this by hand.
fn say(figure: &str) {
    eprintln!("{figure}");
}

#[test]
fn no_open_is_stale_while_files_are_replaced_on_a_busy_machine() {
    if !installed("python3") {
        return;
    }
    let Some(mount) = config().mount() else { return };
    every_open_is_answered_as_by_a_disk(&mount);
}

/// A daemon in a container: its requests have no thread ids.
fn elsewhere() -> Option<Mount> {
    if !installed("python3") || !is_root() {
        return None;
    }
    let mount = Mount::elsewhere(config())?;
    let memo = mount.row().join("memo");
    std::fs::write(&memo, vec![0; 2048]).expect_err("refused");
    assert_eq!(mount.last_refusal()["pid"], 0, "the daemon sees the client");
    Some(mount)
}

#[test]
fn no_open_is_stale_for_clients_of_another_pid_namespace() {
    if let Some(mount) = elsewhere() {
        every_open_is_answered_as_by_a_disk(&mount);
    }
}

/// The kernel names no thread, so that nothing tells its writer from others of the same user.
#[test]
fn a_client_of_another_pid_namespace_reads_its_own_first_draft() {
    let (Some(mut writer), Some(mut second), Some(mount)) =
        (Peer::start(), Peer::start(), elsewhere())
    else {
        return;
    };
    let path = mount.row().join("small");
    writer.open(&path, FRESH).expect("opened");
    writer.tell("os.write(fd, b'the first')");
    assert_eq!(writer.tell(&format!("bytes_of({path:?})")), "b'the first'");
    let stranger = STRANGER.run("cat", &[&path]);
    assert!(stranger.stderr.contains("Device or resource busy"), "{stranger}");
    second.open(&path, "os.O_RDWR").expect("a draft of its own");
    second.tell("os.write(fd, b'two')");
    second.close().expect("taken");
    assert_eq!(read(&path), b"two");
    writer.close().expect("taken");
    assert_eq!(read(&path), b"the first", "two writers never mix");
}
