//! The mount survives output that nobody reads, and signals that are not meant for it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::tool::{run, shell};

fn config() -> Config {
    Config::new().table("user", "integer").field("memo", "file, max_size = '1 KiB'")
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_mediafs");

const UNTIL_UNMOUNTED: &str = "while mountpoint -q \"$1\"; do sleep 0.05; done";

/// Starts the daemon with this stderr, and waits until it says that it has mounted.
fn mount_with(mount: &Mount, stderr: Stdio) -> Child {
    let mut daemon = Command::new(PROGRAM)
        .arg("--config")
        .arg(mount.config())
        .args(["-vv", "mount"])
        .arg(mount.mountpoint())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("mediafs starts");
    let mut said = String::new();
    let stdout = daemon.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut said).expect("a line");
    assert!(said.starts_with("mounted on "), "it said {said:?}");
    daemon
}

/// Makes some refusals, which are logged, and checks that a file is taken.
fn use_it(mount: &Mount, refusals: usize) {
    let row = mount.row();
    for _ in 0..refusals {
        fs::write(row.join("memo"), [b'x'; 2000]).expect_err("too large");
    }
    fs::write(row.join("memo"), b"taken").expect("it serves");
    assert_eq!(fs::read(row.join("memo")).expect("read"), b"taken");
}

fn ends_well(mut daemon: Child) {
    run("kill", &["-TERM", &daemon.id().to_string()]).succeeded();
    assert_eq!(daemon.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_mount_lives_when_whoever_read_its_output_has_gone() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let paths = [&*mount.config(), &mount.mountpoint()];
    // `head` ends at the first line of the log, before the mount.
    let script = format!(
        "{{ {PROGRAM} --config \"$1\" -v mount \"$2\" 2>&1 </dev/null | head -1; }} >/dev/null 2>&1 & \
         until mountpoint -q \"$2\"; do sleep 0.05; done"
    );
    shell(&script, &paths).succeeded();
    use_it(&mount, 3);
    let config = mount.config();
    run(PROGRAM, &[Path::new("--config"), &config, Path::new("unmount"), &mount.mountpoint()])
        .succeeded();
}

#[test]
fn a_mount_lives_when_its_stderr_is_closed_or_full() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let daemon = mount_with(&mount, writer.into());
    use_it(&mount, 3);
    ends_well(daemon);
    let full = fs::File::options().write(true).open("/dev/full").expect("a device");
    let daemon = mount_with(&mount, full.into());
    use_it(&mount, 3);
    ends_well(daemon);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up_and_says_what_is_missing() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let daemon = mount_with(&mount, writer.into());
    // More than the 64 KiB that a pipe holds.
    use_it(&mount, 200);
    let held = reader.read(&mut vec![0; 1 << 16]).expect("what the pipe held");
    assert!(held > 1 << 15, "it was full: {held} bytes");
    use_it(&mount, 1);
    ends_well(daemon);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the rest");
    assert!(rest.contains("lines of the log are missing"), "{rest}");
}

#[test]
fn a_service_manager_that_reads_nothing_holds_nobody_up() {
    let Some(mut mount) = Mount::as_service(config()) else { return };
    let path = mount.mountpoint().with_file_name("notify");
    let manager = UnixDatagram::bind(&path).expect("bound");
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("set");
    while sender.send_to(b"STATUS=x", &path).is_ok() {}
    mount.restart();
    use_it(&mount, 1);
    mount.stop();
    drop(manager);
}

#[test]
fn a_terminal_that_is_closed_unmounts() {
    for signal in ["HUP", "INT", "QUIT", "TERM"] {
        let Some(mut mount) = config().mount() else { return };
        mount.signal(signal);
        assert_eq!(mount.wait().code(), Some(0), "{signal}");
        let mountpoint = mount.mountpoint();
        assert_ne!(run("mountpoint", &[Path::new("-q"), &mountpoint]).code, 0, "{signal}");
    }
}

#[test]
fn signals_that_mean_nothing_change_nothing() {
    let Some(mut mount) = config().mount() else { return };
    let signals = [
        "USR1", "USR2", "ALRM", "VTALRM", "PROF", "POLL", "PWR", "STKFLT", "PIPE", "XCPU", "XFSZ",
        "WINCH", "CHLD", "URG", "CONT", "34", "64",
    ];
    for signal in signals {
        mount.signal(signal);
        use_it(&mount, 0);
    }
    mount.stop();
    assert!(mount.log().contains("SIGUSR1"), "{}", mount.log());
}

#[test]
fn a_mount_under_nohup_outlives_its_terminal() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let paths = [&*mount.config(), &mount.mountpoint()];
    let log = mount.mountpoint().with_file_name("nohup");
    let script = format!(
        "nohup {PROGRAM} --config \"$1\" mount \"$2\" >\"$3\" 2>&1 </dev/null & \
         until grep -q '^mounted on' \"$3\" 2>/dev/null; do sleep 0.05; done; kill -HUP $!; echo $!"
    );
    let done = shell(&script, &[paths[0], paths[1], &log]);
    done.succeeded();
    use_it(&mount, 1);
    run("kill", &["-TERM", done.stdout.trim()]).succeeded();
    shell(UNTIL_UNMOUNTED, &[&mount.mountpoint()]).succeeded();
}

#[test]
fn a_write_beyond_the_daemons_limit_of_file_sizes_is_an_error_and_no_end() {
    let Some(mount) = Mount::prepared(config().field("memo", "file")) else { return };
    let paths = [&*mount.config(), &mount.mountpoint()];
    let log = mount.mountpoint().with_file_name("limited");
    // In blocks of 1 KiB: the library's own files are smaller.
    let script = format!(
        "ulimit -f 65536; {PROGRAM} --config \"$1\" mount \"$2\" >\"$3\" 2>&1 </dev/null & \
         until grep -q '^mounted on' \"$3\" 2>/dev/null; do sleep 0.05; done; echo $!"
    );
    let done = shell(&script, &[paths[0], paths[1], &log]);
    done.succeeded();
    let big = vec![7; 66 << 20];
    fs::write(mount.row().join("memo"), big).expect_err("larger than any file of the daemon's");
    fs::write(mount.row().join("memo"), b"taken").expect("it serves");
    run("kill", &["-TERM", done.stdout.trim()]).succeeded();
    shell(UNTIL_UNMOUNTED, &[&mount.mountpoint()]).succeeded();
}
