//! Editors on a text: sed -i, vim and the redirections of the shell.

use std::fs::File;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, installed, run, shell};
use super::{names, read, rest};

const OLD: &[u8] = b"the old text\n";
const NEW: &[u8] = b"the new text\n";
/// Longer than the field takes.
const LONG: usize = 5000;

fn sed(script: &str, note: &Path) -> Done {
    run("sed", &["-i", script, &note.display().to_string()])
}

fn vim(command: &str, note: &Path) -> Done {
    let note = note.display().to_string();
    run("vim", &["-u", "NONE", "-es", "-c", command, "-c", "wq", &note])
}

/// Checks an editor that turns 'old' into 'new': the text is replaced, an old handle keeps its bytes, nothing is left behind.
fn edits(edit: impl Fn(&Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", OLD);
    let mut old = File::open(&note).expect("the old text opens");
    edit(&note).succeeded();
    assert_eq!(read(&note), NEW);
    assert_eq!(rest(&mut old), OLD, "the old handle keeps its text");
    assert_eq!(names(&mount.row()), ["note"], "nothing is left behind");
}

/// Checks an editor that makes the text too long: it fails with this exit code, and the old text stays.
fn is_told(edit: impl Fn(&Path) -> Done, exit_code: i32) {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", OLD);
    let done = edit(&note);
    assert_eq!(done.code, exit_code, "{done}");
    assert_eq!(read(&note), OLD, "the old text is untouched");
    assert!(mount.last_error().contains("max_size"), "{}", mount.last_error());
}

#[test]
fn sed_i_replaces() {
    edits(|note| sed("s/old/new/", note));
}

#[test]
fn sed_i_is_told_of_a_refusal_by_rename() {
    is_told(|note| sed(&format!("s/old/{}/", "x".repeat(LONG)), note), 4);
}

#[test]
fn vim_replaces() {
    if installed("vim") {
        edits(|note| vim("%s/old/new/", note));
    }
}

#[test]
fn vim_is_told_of_a_refusal() {
    if installed("vim") {
        is_told(|note| vim(&format!("%s/old/\\=repeat('x', {LONG})/"), note), 1);
    }
}

#[test]
fn vim_writes_a_new_text() {
    if !installed("vim") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let note = mount.row().join("note");
    vim("call setline(1, 'the new text')", &note).succeeded();
    assert_eq!(read(&note), NEW);
    assert_eq!(names(&mount.row()), ["note"], "nothing is left behind");
}

#[test]
fn a_redirection_replaces() {
    edits(|note| shell("echo 'the new text' > \"$1\"", &[note]));
}

#[test]
fn appending_keeps_what_was_there() {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", b"the new ");
    shell("echo text >> \"$1\"", &[&note]).succeeded();
    assert_eq!(read(&note), NEW);
}

#[test]
fn a_redirection_that_is_too_long_is_told_in_write() {
    is_told(|note| shell(&format!("head -c {LONG} /dev/zero | tr '\\0' x > \"$1\""), &[note]), 1);
}

#[test]
fn a_redirection_is_not_told_of_a_refusal_at_close_but_last_error_is() {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", OLD);
    // bash ignores the answer of close (seen with 5.2).
    shell("echo a > \"$1\"", &[&note]).succeeded();
    assert_eq!(read(&note), OLD, "the old text is untouched");
    let said = mount.last_error();
    assert!(said.contains("user/42/note") && said.contains("min_size"), "{said}");
}
