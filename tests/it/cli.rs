//! The command line as a program, without a mount: exit codes, stdout and stderr.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Output};

use crate::mount::daemon::PROGRAM;
use crate::mount::tool::{is_root, present};

fn mediafs(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .current_dir(dir)
        .env_remove("JOURNAL_STREAM")
        .output()
        .expect("the program runs")
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn init_writes_a_configuration_that_check_config_takes() {
    let dir = dir();
    let init = mediafs(dir.path(), &["init"]);
    assert_eq!((code(&init), stderr(&init).as_str()), (0, ""));
    let check = mediafs(dir.path(), &["check-config"]);
    assert_eq!((code(&check), stderr(&check).as_str()), (0, ""));
    assert!(stdout(&check).starts_with("mediafs.toml: valid\n"), "{}", stdout(&check));
    assert!(stdout(&check).contains("user.avatar "), "{}", stdout(&check));
}

#[test]
fn init_never_overwrites() {
    let dir = dir();
    fs::write(dir.path().join("mediafs.toml"), "mine").expect("a file");
    let init = mediafs(dir.path(), &["init"]);
    assert_eq!(code(&init), 1);
    assert_eq!(stderr(&init), "mediafs: ./mediafs.toml is there already; nothing was changed\n");
    assert_eq!(fs::read_to_string(dir.path().join("mediafs.toml")).expect("the file"), "mine");
}

#[test]
fn init_makes_the_directory_that_it_is_given() {
    let dir = dir();
    assert_eq!(code(&mediafs(dir.path(), &["init", "a/b"])), 0);
    assert_eq!(code(&mediafs(dir.path(), &["--config", "a/b/mediafs.toml", "check-config"])), 0);
}

#[test]
fn a_typo_is_reported_with_file_line_and_hint() {
    let dir = dir();
    let text = "[library]\npath = \"x\"\n[tables.user]\nid = \"integer\"\n\
                [tables.user.fields.avatar]\ntype = \"image\"\nmax_sise = \"5 MiB\"\n";
    fs::write(dir.path().join("mediafs.toml"), text).expect("a file");
    let check = mediafs(dir.path(), &["check-config"]);
    assert_eq!(code(&check), 2);
    assert_eq!(
        stderr(&check),
        "mediafs.toml:7:1: unknown key `max_sise` in [tables.user.fields.avatar]; did you mean `max_size`?\n"
    );
    assert_eq!(stdout(&check), "");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let dir = dir();
    let named = mediafs(dir.path(), &["--config", "absent.toml", "check-config"]);
    assert_eq!(code(&named), 2);
    assert!(stderr(&named).starts_with("mediafs: cannot read absent.toml: "), "{}", stderr(&named));
}

#[test]
fn without_any_configuration_both_usual_places_are_named() {
    let installed = Path::new("/etc/mediafs/mediafs.toml").exists();
    if !present("a machine without an installed configuration", !installed) {
        return;
    }
    let dir = dir();
    let output = mediafs(dir.path(), &["check-config"]);
    assert_eq!(code(&output), 2);
    for place in ["./mediafs.toml", "/etc/mediafs/mediafs.toml", "mediafs init"] {
        assert!(stderr(&output).contains(place), "{}", stderr(&output));
    }
}

#[test]
fn help_has_examples_and_hides_internal_commands() {
    let dir = dir();
    let help = mediafs(dir.path(), &["--help"]);
    assert_eq!(code(&help), 0);
    assert!(stdout(&help).contains("Examples:\n  mediafs init"));
    assert!(!stdout(&help).contains("worker"));
    for command in ["init", "mount", "unmount", "check-config", "try", "show", "gc"] {
        let help = mediafs(dir.path(), &[command, "--help"]);
        assert_eq!(code(&help), 0, "{command}");
        assert!(stdout(&help).contains("Examples:\n  mediafs "), "{command}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = dir();
    assert_eq!(code(&mediafs(dir.path(), &[])), 2);
    assert_eq!(code(&mediafs(dir.path(), &["mout"])), 2);
    assert_eq!(code(&mediafs(dir.path(), &["init"])), 0);
    assert_eq!(code(&mediafs(dir.path(), &["mount", "-o", "bogus", "."])), 2);
    assert_eq!(code(&mediafs(dir.path(), &["try", "--field", "user.nothing", "x"])), 2);
    assert_eq!(code(&mediafs(dir.path(), &["show", "user/42"])), 2);
}

#[test]
fn unmount_fails_where_no_mediafs_is_mounted() {
    let dir = dir();
    let output = mediafs(dir.path(), &["unmount", "."]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).ends_with(" is not mounted\n"), "{}", stderr(&output));
    let root = mediafs(dir.path(), &["unmount", "/proc"]);
    assert_eq!(code(&root), 1);
    assert!(stderr(&root).contains("not of mediafs"), "{}", stderr(&root));
}

#[test]
fn output_into_a_closed_pipe_is_no_failure() {
    let dir = dir();
    assert_eq!(code(&mediafs(dir.path(), &["init"])), 0);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = Command::new(PROGRAM)
        .arg("check-config")
        .current_dir(dir.path())
        .stdout(writer)
        .status()
        .expect("the program runs");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn try_reports_each_refusal_with_its_rule() {
    let dir = dir();
    assert_eq!(code(&mediafs(dir.path(), &["init"])), 0);
    fs::write(dir.path().join("notes.txt"), "just some text\n").expect("a file");
    let tried = mediafs(dir.path(), &["try", "--field", "user.avatar", "notes.txt", "absent.jpg"]);
    assert_eq!(code(&tried), 1);
    let line = stdout(&tried);
    assert!(line.starts_with("notes.txt: refused: "), "{line}");
    assert!(line.contains("(content_types)"), "{line}");
    assert!(stderr(&tried).contains("cannot read absent.jpg"), "{}", stderr(&tried));
    assert!(stderr(&tried).ends_with("mediafs: 2 of 2 would not be taken\n"), "{}", stderr(&tried));
    let kept = mediafs(dir.path(), &["try", "--field", "user.resume", "notes.txt"]);
    assert_eq!(code(&kept), 0);
    assert_eq!(stdout(&kept), "notes.txt: text/plain, 15 B, kept as it is\n");
}

#[test]
fn a_mount_whose_daemon_died_is_cleared_by_unmount() {
    // Without a daemon, only root can make a dead mount.
    if !is_root() || !present("/dev/fuse", Path::new("/dev/fuse").exists()) {
        return;
    }
    let dir = dir();
    let mountpoint = dir.path().join("media");
    fs::create_dir(&mountpoint).expect("a directory");
    let device = fs::File::options().read(true).write(true).open("/dev/fuse").expect("/dev/fuse");
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = std::ffi::CString::new(options).expect("text");
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("test", &mountpoint, "fuse", flags, options.as_c_str()).expect("a mount");
    drop(device);
    let stale = fs::metadata(&mountpoint).expect_err("a dead mount");
    assert_eq!(stale.raw_os_error(), Some(rustix::io::Errno::NOTCONN.raw_os_error()));
    let output = mediafs(dir.path(), &["unmount", "media"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(fs::metadata(&mountpoint).is_ok_and(|facts| facts.is_dir()));
}
