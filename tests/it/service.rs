//! The daemon as a service manager sees it: its readiness, its end, and the unit file.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::mount::daemon::{Mount, PROGRAM};
use crate::mount::tool::{installed, run};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn config() -> Config {
    Config::new().table("user", "integer").field("memo", "file")
}

const UNIT: &str = include_str!("../../systemd/mediafs@.service");

/// The socket of the service manager of a mount.
fn manager(mount: &Mount) -> UnixDatagram {
    let socket = UnixDatagram::bind(mount.beside("notify")).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

/// The next message to the manager.
fn told(socket: &UnixDatagram) -> String {
    let mut message = [0; 512];
    let length = socket.recv(&mut message).expect("a message");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

fn says(message: &str, assignment: &str) -> bool {
    message.lines().any(|line| line == assignment)
}

#[test]
fn the_daemon_reports_ready_when_the_mount_answers() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    let socket = manager(&mount);
    let models = mount.path("models/user");
    let listener = thread::spawn(move || {
        let first = told(&socket);
        (first, fs::create_dir(models.join("42")))
    });
    mount.restart();
    let (first, made) = listener.join().expect("a listener");
    assert!(says(&first, "READY=1"), "{first}");
    made.expect("the mount answers at the moment of READY=1");
}

#[test]
fn the_daemon_reports_stopping_when_its_end_begins() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    let socket = manager(&mount);
    mount.restart();
    assert!(says(&told(&socket), "READY=1"));
    mount.signal("TERM");
    let last = told(&socket);
    assert!(says(&last, "STOPPING=1"), "{last}");
    assert_eq!(mount.wait().code(), Some(0));
}

#[test]
fn a_missing_service_manager_keeps_no_daemon_from_mounting() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    mount.restart();
    fs::create_dir(mount.path("models/user/42")).expect("the mount answers");
    mount.stop();
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if !installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let unit = directory.path().join("mediafs@.service");
    // systemd-analyze checks that the programs exist, and this one is not installed.
    assert!(UNIT.contains("\nExecStart=/usr/bin/mediafs "));
    fs::write(&unit, UNIT.replace("/usr/bin/mediafs ", &format!("{PROGRAM} "))).expect("a unit");
    let done = run("systemd-analyze", &["verify", "--man=no", &unit.to_string_lossy()]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done}");
}

#[test]
fn the_unit_outlives_a_worker_that_the_kernel_killed_for_its_memory() {
    // The default, `stop`, would end the mount for everybody.
    assert!(says(UNIT, "OOMPolicy=continue"), "{UNIT}");
}

#[test]
fn the_unit_clears_a_mount_whose_daemon_was_killed() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    mount.restart();
    mount.kill9();
    let commands = UNIT.lines().filter_map(|line| line.strip_prefix("ExecStartPre="));
    let mountpoint = mount.mountpoint().display().to_string();
    let mut commands = commands.map(|line| line.replace("/srv/mediafs/%i", &mountpoint));
    let clear = commands.next().expect("a first command");
    let make = commands.next().expect("a second command");
    for command in [clear.strip_prefix('-').expect("a command that may fail"), &make] {
        let command = command.replace("/usr/bin/mediafs ", &format!("{PROGRAM} "));
        let words: Vec<&str> = command.split(' ').collect();
        run(words[0], &words[1..]).succeeded();
    }
    assert!(fs::read_dir(mount.mountpoint()).is_ok_and(|mut entries| entries.next().is_none()));
    mount.restart();
}
