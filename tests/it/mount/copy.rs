//! Tools that copy a file: cp, mv, install, dd, rsync and curl; and touch.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::daemon::Mount;
use super::tool::{Done, installed, run};
use super::{accepts, names, picture, read, refuses, refuses_over, replaces};

fn cp(source: &Path, target: &Path) -> Done {
    run("cp", &[source, target])
}

/// Removes the target before it copies.
fn cp_that_removes_first(source: &Path, target: &Path) -> Done {
    run("cp", &[Path::new("--remove-destination"), source, target])
}

fn mv(source: &Path, target: &Path) -> Done {
    run("mv", &[source, target])
}

fn install(source: &Path, target: &Path) -> Done {
    run("install", &[Path::new("-m644"), source, target])
}

fn dd(source: &Path, target: &Path) -> Done {
    let paths = [format!("if={}", source.display()), format!("of={}", target.display())];
    run("dd", &[paths[0].as_str(), paths[1].as_str(), "bs=8k"])
}

fn rsync(source: &Path, target: &Path) -> Done {
    run("rsync", &[Path::new("-aI"), source, target])
}

fn curl(source: &Path, target: &Path) -> Done {
    let url = format!("file://{}", source.display());
    run("curl", &["-sS", "-o", &target.display().to_string(), &url])
}

/// Sets the time of a file outside of the tree.
fn set_time(path: &Path, secs: u64) -> SystemTime {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    let file = fs::File::options().write(true).open(path).expect("opened");
    file.set_modified(time).expect("set");
    time
}

#[test]
fn cp_attaches() {
    accepts(cp);
}

#[test]
fn cp_replaces() {
    replaces(cp);
}

#[test]
fn cp_reports_a_refusal() {
    refuses(cp).noticed(1);
    refuses_over(None, cp).noticed(1);
}

#[test]
fn cp_that_removes_first_replaces() {
    replaces(cp_that_removes_first);
}

#[test]
fn cp_that_removes_first_loses_nothing_when_it_is_refused() {
    refuses(cp_that_removes_first).noticed(1);
}

#[test]
fn cp_says_wrong_medium_type_of_a_text() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let text = mount.outside("README.md", b"# A text, and no picture at all\n");
    let done = cp(&text, &avatar);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stderr.contains("Wrong medium type"), "{done}");
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn cp_p_keeps_mode_and_times() {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let then = set_time(&source, 1_000_000_000);
    let avatar = mount.row().join("avatar");
    run("cp", &[Path::new("-p"), &source, &avatar]).succeeded();
    let (kept, given) =
        (fs::metadata(&avatar).expect("stat"), fs::metadata(&source).expect("stat"));
    assert_eq!(kept.modified().expect("a time"), then);
    assert_eq!(kept.mode(), given.mode());
}

#[test]
fn mv_attaches() {
    accepts(mv);
}

#[test]
fn mv_replaces() {
    replaces(mv);
}

#[test]
fn mv_keeps_its_source_when_it_is_refused() {
    for old in [Some(picture::good(1)), None] {
        let refused = refuses_over(old, mv);
        refused.noticed(1);
        assert!(refused.source_kept);
    }
}

#[test]
fn install_attaches() {
    accepts(install);
}

#[test]
fn install_replaces() {
    replaces(install);
}

#[test]
fn install_reports_a_refusal() {
    refuses(install).noticed(1);
}

#[test]
fn dd_attaches() {
    accepts(dd);
}

#[test]
fn dd_replaces() {
    replaces(dd);
}

#[test]
fn dd_reports_a_refusal() {
    refuses(dd).noticed(1);
}

#[test]
fn rsync_attaches_and_keeps_the_time() {
    if !installed("rsync") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    set_time(&source, 1_234_567_890);
    let avatar = mount.row().join("avatar");
    rsync(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(fs::metadata(&avatar).expect("stat").mtime(), 1_234_567_890);
    assert_eq!(names(&mount.row()), ["avatar"], "its temporary file is gone");
}

#[test]
fn rsync_replaces() {
    if installed("rsync") {
        replaces(rsync);
    }
}

#[test]
fn rsync_reports_a_refusal_of_its_rename() {
    if installed("rsync") {
        refuses(rsync).noticed(23);
    }
}

#[test]
fn rsync_of_a_whole_row_attaches_every_field() {
    if !installed("rsync") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let source = mount.beside("rows");
    fs::create_dir_all(source.join("7")).expect("a directory");
    fs::write(source.join("7/avatar.png"), picture::good(3)).expect("a picture");
    fs::write(source.join("7/note.txt"), b"a note\n").expect("a note");
    let (from, table) = (format!("{}/", source.display()), mount.path("models/user"));
    run("rsync", &["-a", &from, &table.to_string_lossy()]).succeeded();
    let row = mount.path("models/user/7");
    assert_eq!(read(&row.join("avatar")), picture::good(3));
    assert_eq!(read(&row.join("note")), b"a note\n");
    assert_eq!(names(&row), ["avatar.png", "note.txt"], "listed as they were written");
}

#[test]
fn touch_makes_a_placeholder_on_a_free_field_and_changes_no_byte_of_an_occupied_one() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    run("touch", &[row.join("avatar")]).succeeded();
    assert_eq!(fs::metadata(row.join("avatar")).expect("a placeholder").len(), 0);
    assert_eq!(names(&row), ["avatar"]);

    let note = mount.attach("note", b"some text\n");
    run("touch", &[Path::new("-d@1000000000"), &note]).succeeded();
    assert_eq!(read(&note), b"some text\n");
    assert_eq!(fs::metadata(&note).expect("stat").mtime(), 1_000_000_000);
}

#[test]
fn touch_is_refused_an_extension_that_the_field_never_takes() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let done = run("touch", &[row.join("avatar.gif")]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stderr.contains("Wrong medium type"), "{done}");
    assert!(names(&row).is_empty());
}

#[test]
fn curl_attaches() {
    if installed("curl") {
        accepts(curl);
    }
}

#[test]
fn curl_replaces() {
    if installed("curl") {
        replaces(curl);
    }
}

#[test]
fn curl_reports_a_refusal() {
    if installed("curl") {
        // CURLE_WRITE_ERROR
        refuses(curl).noticed(23);
    }
}
