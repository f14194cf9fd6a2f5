//! Collections, filled by the tools that people fill directories with.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::daemon::Mount;
use super::super::tool::{installed, present, run, shell};
use super::super::{listed, names, picture, read};
use super::{put, started};

const NAMES: [&str; 3] = ["c.png", "a.png", "b.png"];

/// A directory of pictures outside of the tree, and a text beside them.
fn source(mount: &Mount) -> PathBuf {
    let directory = mount.beside("source");
    fs::create_dir_all(directory.join("photos")).expect("a directory");
    fs::create_dir_all(directory.join("papers")).expect("a directory");
    for (name, seed) in NAMES.into_iter().zip(1..) {
        put(&directory.join("photos").join(name), seed);
    }
    fs::write(directory.join("papers/old.txt"), "the old text\n").expect("a text");
    directory
}

/// Checks that the row has the files of that directory.
fn arrived(row: &Path) {
    assert_eq!(names(row), ["papers", "photos", "sides"]);
    assert_eq!(names(&row.join("photos")), ["a.png", "b.png", "c.png"]);
    for (name, seed) in NAMES.into_iter().zip(1..) {
        assert_eq!(read(&row.join("photos").join(name)), picture::good(seed), "{name}");
    }
    assert_eq!(read(&row.join("papers/old.txt")).0, b"the old text\n");
}

/// Checks a tool that copies a tree into a row, twice. The second time replaces the files.
fn fills(script: &str) {
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    let mut before = None;
    for _ in 0..2 {
        shell(script, &[&source, &row, &mount.beside("archive")]).succeeded();
        arrived(&row);
        let order = listed(&row.join("photos"));
        assert_eq!(
            before.get_or_insert_with(|| order.clone()),
            &order,
            "each item keeps its place"
        );
    }
}

#[test]
fn cp_r_fills_a_row() {
    fills("cp -r \"$1\"/. \"$2\"");
}

#[test]
fn cp_a_fills_a_row() {
    fills("cp -a \"$1\"/. \"$2\"");
}

#[test]
fn tar_fills_a_row() {
    fills("tar -C \"$1\" -cf \"$3\" . && tar -C \"$2\" -xf \"$3\"");
}

#[test]
fn unzip_fills_a_row() {
    if installed("zip") && installed("unzip") {
        fills(
            "cd \"$1\" && zip -qr \"$3.zip\" . && unzip -qo \"$3.zip\" -d \"$2\" && rm \"$3.zip\"",
        );
    }
}

#[test]
fn mv_fills_a_list() {
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    let script = "mv \"$1\"/photos/*.png \"$2\"/photos && mv \"$1\"/papers/* \"$2\"/papers";
    shell(script, &[&source, &row]).succeeded();
    arrived(&row);
    assert_eq!(names(&source.join("photos")), Vec::<String>::new());
}

#[test]
fn a_second_rsync_of_files_stored_as_sent_sends_nothing() {
    if !installed("rsync") {
        return;
    }
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    let rsync = || shell("rsync -ai \"$1\"/ \"$2\"/", &[&source, &row]);
    rsync().succeeded();
    arrived(&row);
    let again = rsync();
    again.succeeded();
    let moved: Vec<_> = again.stdout.lines().filter(|line| !line.starts_with('.')).collect();
    assert_eq!(moved, Vec::<&str>::new(), "{again}");
    arrived(&row);
}

#[test]
fn rsync_delete_empties_a_list() {
    if !installed("rsync") {
        return;
    }
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    shell("rsync -a \"$1\"/ \"$2\"/", &[&source, &row]).succeeded();
    shell("rm \"$1\"/photos/*; rsync -a --delete \"$1\"/photos \"$2\"/", &[&source, &row])
        .succeeded();
    assert_eq!(names(&row.join("photos")), Vec::<String>::new());
    put(&row.join("photos/a.png"), 1);
}

#[test]
fn tar_and_cp_copy_the_files_of_a_row_out() {
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    shell("cp -r \"$1\"/. \"$2\"", &[&source, &row]).succeeded();
    let back = source.with_file_name("back");
    fs::create_dir(&back).expect("a directory");
    shell("tar -C \"$1\" -cf - . | tar -C \"$2\" -xf -", &[&row, &back]).succeeded();
    arrived(&back);
    let again = back.with_file_name("again");
    shell("cp -r \"$1\" \"$2\"", &[&row, &again]).succeeded();
    arrived(&again);
}

/// Checks an editor that turns 'old' into 'new' in an item of a list.
fn edits(edit: impl Fn(&Path)) {
    let Some(mount) = started() else { return };
    let papers = mount.row().join("papers");
    for name in ["first.txt", "second.txt", "third.txt"] {
        fs::write(papers.join(name), "the old text\n").expect("taken");
    }
    edit(&papers.join("second.txt"));
    assert_eq!(read(&papers.join("second.txt")).0, b"the new text\n");
    assert_eq!(
        listed(&papers),
        ["first.txt", "second.txt", "third.txt"],
        "the item keeps its place, and no other file is left"
    );
}

#[test]
fn sed_i_edits_an_item_in_its_place() {
    edits(|item| run("sed", &[Path::new("-i"), Path::new("s/old/new/"), item]).succeeded());
}

#[test]
fn vim_edits_an_item_in_its_place() {
    if installed("vim") {
        edits(|item| {
            let item = item.display().to_string();
            run("vim", &["-u", "NONE", "-es", "-c", "%s/old/new/", "-c", "wq", &item]).succeeded();
        });
    }
}

#[test]
fn python_edits_an_item_in_its_place() {
    let script = "import os, sys, tempfile
path = sys.argv[1]
text = open(path).read().replace('old', 'new')
with tempfile.NamedTemporaryFile('w', dir=os.path.dirname(path), delete=False) as file:
    file.write(text)
os.replace(file.name, path)";
    edits(|item| run("python3", &[Path::new("-c"), Path::new(script), item]).succeeded());
}

#[test]
fn mogrify_changes_items_in_their_places() {
    let mogrify = "/usr/bin/mogrify";
    if !present(mogrify, Path::new(mogrify).exists()) {
        return;
    }
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in NAMES.into_iter().zip(1..) {
        put(&photos.join(name), seed);
    }
    shell("/usr/bin/mogrify -resize 80x80 \"$1\"/*.png", &[&photos]).succeeded();
    assert_eq!(listed(&photos), NAMES);
    for name in NAMES {
        assert_eq!(picture::png_size(&read(&photos.join(name))).0, 80, "{name}");
    }
}

#[test]
fn find_and_du_see_every_item_once() {
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount), mount.row());
    shell("cp -r \"$1\"/. \"$2\"", &[&source, &row]).succeeded();
    let found = run("find", &[row.as_path(), Path::new("-type"), Path::new("f")]);
    found.succeeded();
    assert_eq!(found.stdout.lines().count(), 4, "{found}");
    run("du", &[Path::new("-sb"), &row]).succeeded();
}
