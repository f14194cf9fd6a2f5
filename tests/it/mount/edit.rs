//! Editors of a text: sed -i, vim and the redirections of the shell.

use std::fs::File;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, installed, run, shell};
use super::{names, read, rest};

const OLD: &[u8] = b"the old text\n";
const NEW: &[u8] = b"the new text\n";
/// More bytes than the field takes.
const LONG: usize = 5000;

fn sed(script: &str, note: &Path) -> Done {
    run("sed", &["-i", script, &note.display().to_string()])
}

fn vim(command: &str, note: &Path) -> Done {
    let note = note.display().to_string();
    run("vim", &["-u", "NONE", "-es", "-c", command, "-c", "wq", &note])
}

/// Checks an editor that turns 'old' into 'new': it replaces the text, leaves an old handle its bytes, and leaves no other file.
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
    mount.last_error_has("user/42/note", "max_size");
}

#[test]
fn sed_i_replaces() {
    edits(|note| sed("s/old/new/", note));
}

#[test]
fn sed_i_reports_a_refusal_of_its_rename() {
    is_told(|note| sed(&format!("s/old/{}/", "x".repeat(LONG)), note), 4);
}

#[test]
fn vim_replaces() {
    if installed("vim") {
        edits(|note| vim("%s/old/new/", note));
    }
}

#[test]
fn vim_reports_a_refusal() {
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
fn appending_keeps_the_old_text() {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", b"the new ");
    shell("echo text >> \"$1\"", &[&note]).succeeded();
    assert_eq!(read(&note), NEW);
}

#[test]
fn a_redirection_that_is_too_long_fails_in_write() {
    is_told(|note| shell(&format!("head -c {LONG} /dev/zero | tr '\\0' x > \"$1\""), &[note]), 1);
}

#[test]
fn a_redirection_ignores_a_refusal_at_close_which_last_error_has() {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", OLD);
    // bash 5.2 ignores the answer of close.
    shell("echo a > \"$1\"", &[&note]).succeeded();
    assert_eq!(read(&note), OLD, "the old text is untouched");
    mount.last_error_has("user/42/note", "min_size");
}
