//! The mount survives output without a reader, and signals that have no meaning for it.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::config::Config;
use crate::mount::daemon::{Mount, PROGRAM, start};
use crate::mount::tool::{run, shell};

fn config() -> Config {
    Config::new().table("user", "integer").field("memo", "file, max_size = '1 KiB'")
}

/// Waits until a path is no mountpoint.
const UNTIL_UNMOUNTED: &str = "while mountpoint -q \"$1\"; do sleep 0.05; done";

/// Starts the daemon with this stderr, and waits until it says that it has mounted.
fn mount_with(mount: &Mount, stderr: Stdio) -> Child {
    let mut command = mount.mount_command(&["-vv", "mount"]);
    let (daemon, line) = start(command.arg(mount.mountpoint()).stderr(stderr));
    assert!(line.is_some_and(|line| line.starts_with("mounted on ")));
    daemon
}

/// Starts the daemon with a shell command of its own, which has the configuration, the mountpoint and a log as `$1` to `$3`.
/// Returns the process id after the daemon has mounted.
fn launch(mount: &Mount, command: &str) -> String {
    let script = format!(
        "{command} >\"$3\" 2>&1 </dev/null & \
         until grep -q '^mounted on' \"$3\" 2>/dev/null; do sleep 0.05; done; echo $!"
    );
    let done = shell(&script, &[&mount.config(), &mount.mountpoint(), &mount.beside("output")]);
    done.succeeded();
    done.stdout.trim().to_owned()
}

/// Ends a daemon that `launch` has started.
fn terminate(mount: &Mount, pid: &str) {
    run("kill", &["-TERM", pid]).succeeded();
    shell(UNTIL_UNMOUNTED, &[&mount.mountpoint()]).succeeded();
}

/// Checks that the mount refuses and takes files. Each refusal writes a line to the log.
fn serves(mount: &Mount, refusals: usize) {
    let row = mount.row();
    for _ in 0..refusals {
        fs::write(row.join("memo"), [b'x'; 2000]).expect_err("too large");
    }
    fs::write(row.join("memo"), b"taken").expect("taken");
    assert_eq!(fs::read(row.join("memo")).expect("read"), b"taken");
}

/// Checks that SIGTERM ends the daemon with exit code 0.
fn ends_well(mut daemon: Child) {
    run("kill", &["-TERM", &daemon.id().to_string()]).succeeded();
    assert_eq!(daemon.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_mount_survives_the_end_of_the_reader_of_its_output() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let paths = [&*mount.config(), &mount.mountpoint()];
    // `head` ends at the first line of the log, before the mount.
    let script = format!(
        "{{ {PROGRAM} --config \"$1\" -v mount \"$2\" 2>&1 </dev/null | head -1; }} >/dev/null 2>&1 & \
         until mountpoint -q \"$2\"; do sleep 0.05; done"
    );
    shell(&script, &paths).succeeded();
    serves(&mount, 3);
    mount.command(&["unmount", &mount.mountpoint().to_string_lossy()]).succeeded();
}

#[test]
fn a_mount_survives_a_stderr_that_is_closed_or_full() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let daemon = mount_with(&mount, writer.into());
    serves(&mount, 3);
    ends_well(daemon);
    let full = fs::File::options().write(true).open("/dev/full").expect("a device");
    let daemon = mount_with(&mount, full.into());
    serves(&mount, 3);
    ends_well(daemon);
}

#[test]
fn an_unread_log_blocks_no_request_and_counts_the_missing_lines() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let daemon = mount_with(&mount, writer.into());
    // More than the 64 KiB that a pipe holds.
    serves(&mount, 200);
    let held = reader.read(&mut vec![0; 1 << 16]).expect("the content of the pipe");
    assert!(held > 1 << 15, "the pipe was full: {held} bytes");
    serves(&mount, 1);
    ends_well(daemon);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the rest");
    assert!(rest.contains("lines of the log are missing"), "{rest}");
}

#[test]
fn a_service_manager_that_reads_no_message_blocks_no_request() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    let path = mount.beside("notify");
    let manager = UnixDatagram::bind(&path).expect("bound");
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("set");
    while sender.send_to(b"STATUS=x", &path).is_ok() {}
    mount.restart();
    serves(&mount, 1);
    mount.stop();
    drop(manager);
}

#[test]
fn each_of_the_ending_signals_unmounts() {
    for signal in ["HUP", "INT", "QUIT", "TERM"] {
        let Some(mut mount) = config().mount() else { return };
        mount.signal(signal);
        assert_eq!(mount.wait().code(), Some(0), "{signal}");
        assert_ne!(run("mountpoint", &[Path::new("-q"), &mount.mountpoint()]).code, 0, "{signal}");
    }
}

#[test]
fn other_signals_change_nothing() {
    let Some(mut mount) = config().mount() else { return };
    let signals = [
        "USR1", "USR2", "ALRM", "VTALRM", "PROF", "POLL", "PWR", "STKFLT", "PIPE", "XCPU", "XFSZ",
        "WINCH", "CHLD", "URG", "CONT", "34", "64",
    ];
    for signal in signals {
        mount.signal(signal);
        serves(&mount, 0);
    }
    mount.stop();
    assert!(mount.log().contains("SIGUSR1"), "{}", mount.log());
}

#[test]
fn a_mount_under_nohup_outlives_its_terminal() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let pid = launch(&mount, &format!("nohup {PROGRAM} --config \"$1\" mount \"$2\""));
    run("kill", &["-HUP", &pid]).succeeded();
    serves(&mount, 1);
    terminate(&mount, &pid);
}

#[test]
fn a_write_beyond_ulimit_f_of_the_daemon_fails_and_the_mount_survives() {
    let Some(mount) = Mount::prepared(config().field("memo", "file")) else { return };
    // 64 MiB, in blocks of 1 KiB: larger than the library's own files.
    let limited = format!("ulimit -f 65536; {PROGRAM} --config \"$1\" mount \"$2\"");
    let pid = launch(&mount, &limited);
    fs::write(mount.row().join("memo"), vec![7; 66 << 20]).expect_err("beyond the limit");
    serves(&mount, 0);
    terminate(&mount, &pid);
}

#[test]
fn misses_and_every_step_are_logged_by_vv_alone() {
    let Some(mut mount) = config().mount() else { return };
    let memo = mount.row().join("memo");
    fs::read(&memo).expect_err("a miss");
    let log = mount.log();
    assert!(!log.contains("found nothing") && !log.contains("there is no such file"), "{log}");
    mount.stop();
    let steps = mount.beside("steps");
    let mut daemon = mount_with(&mount, fs::File::create(&steps).expect("a log").into());
    fs::read(&memo).expect_err("a miss");
    run("umount", &[mount.mountpoint()]).succeeded();
    daemon.wait().expect("a child");
    let log = fs::read_to_string(&steps).expect("the log");
    assert!(log.contains("an operation found nothing") && log.contains("has ended"), "{log}");
}
