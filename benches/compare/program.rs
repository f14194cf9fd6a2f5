//! Programs that run to their end.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use crate::failure::{Failure, Outcome, While};

/// Runs a program to its end and returns its output. An error has the program's own message.
pub fn run(program: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> Outcome<String> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    finish(
        program,
        &command.args(arguments).stdin(Stdio::null()).output().during(program.display())?,
    )
}

/// The output of a program that ended with success.
pub fn finish(program: &OsStr, output: &Output) -> Outcome<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let (status, words) = (output.status, text(&output.stderr));
        return Err(Failure::new(format_args!("{}: {status}: {words}", program.display())));
    }
    Ok(text(&output.stdout))
}

/// The first line that a program prints, on stdout or else on stderr; `None` if the program is missing.
pub fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
