//! Programs that people write files with, run as people run them.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The outcome of a program.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn succeeded(&self) {
        assert_eq!(self.code, 0, "{self}");
    }
}

impl fmt::Display for Done {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "exit code {}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs a program to its end. Kills it after a minute, with exit code 124.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Done {
    let output = Command::new("timeout")
        .args(["--kill-after=5", "60", program])
        .args(arguments)
        // Messages are compared, so they must be in one language.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .expect("timeout(1) runs");
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a shell script; the paths are `$1`, `$2`.
pub fn shell(script: &str, paths: &[&Path]) -> Done {
    let mut arguments = vec![OsStr::new("-c"), OsStr::new(script), OsStr::new("bash")];
    arguments.extend(paths.iter().map(|path| path.as_os_str()));
    run("bash", &arguments)
}

/// Whether a program is installed, with a message if not.
pub fn installed(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    });
    present(program, found)
}

/// Whether the tests run as root, with a message if not.
pub fn is_root() -> bool {
    present("root", rustix::process::geteuid().is_root())
}

/// Reports a missing program, device or privilege, and returns whether it is there. Fails if `CI` is set and it is missing.
pub fn present(what: &str, found: bool) -> bool {
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{what} is missing, though CI must have everything"
        );
        // The test runner holds back what passing tests print through `print!`; this writes to stderr directly.
        let _ = writeln!(io::stderr(), "NOT TESTED: {what} is missing");
    }
    found
}
