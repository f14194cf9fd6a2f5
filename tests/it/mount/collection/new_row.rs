//! Programs that make a row together with its collections, and programs that write into the collections of a row at once.

use std::fs;
use std::path::Path;

use super::super::tool::{installed, run, shell};
use super::super::{EEXIST, EPERM, errno, names, picture, read};
use super::{put, started};

/// Checks a script that copies or moves the directory `$1`, which has a list and an item in it, to the new row `$2`.
fn makes(script: &str) {
    let Some(mount) = started() else { return };
    let (source, row) = (mount.beside("42"), mount.path("models/user/43"));
    for directory in ["photos", "papers"] {
        fs::create_dir_all(source.join(directory)).expect("a directory");
    }
    put(&source.join("avatar"), 1);
    put(&source.join("photos/a.png"), 2);
    shell(script, &[&source, &row, &mount.beside("archive")]).succeeded();
    assert_eq!(names(&row), ["avatar", "papers", "photos", "sides"]);
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(read(&row.join("photos/a.png")), picture::good(2));
    assert_eq!(errno(fs::create_dir(row.join("photos"))), EEXIST, "it is there now");
}

#[test]
fn cp_makes_a_row_with_its_lists() {
    for script in ["cp -r \"$1\" \"$2\"", "cp -a \"$1\" \"$2\"", "cp -rT \"$1\" \"$2\""] {
        makes(script);
    }
}

#[test]
fn mv_makes_a_row_with_its_lists() {
    makes("mv \"$1\" \"$2\"");
}

#[test]
fn mv_moves_a_list_onto_an_empty_one() {
    makes("mkdir \"$2\" && mv \"$1/photos\" \"$2\" && cp \"$1/avatar\" \"$2\"");
}

#[test]
fn a_row_that_another_program_watches_can_be_copied() {
    makes(
        "python3 -c 'import os, subprocess, sys
row = sys.argv[2]
os.mkdir(row)
subprocess.run([\"ls\", row], check=True)
os.mkdir(row + \"/photos\")' \"$1\" \"$2\" && cp -rT \"$1\" \"$2\"",
    );
}

#[test]
fn archives_and_rsync_make_a_row_with_its_lists() {
    makes("mkdir \"$2\" && tar -C \"$1\" -cf \"$3\" . && tar -C \"$2\" -xf \"$3\"");
    if installed("rsync") {
        makes("rsync -a \"$1/\" \"$2/\"");
    }
    if installed("zip") && installed("unzip") {
        makes("cd \"$1\" && zip -qr \"$3.zip\" . && unzip -qo \"$3.zip\" -d \"$2\"");
    }
}

#[test]
fn python_and_php_make_a_row_with_its_lists() {
    makes(
        "python3 -c 'import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])' \"$1\" \"$2\"",
    );
    if installed("php") {
        let script = "[, $from, $to] = $argv;
            if (!mkdir($to) || !mkdir(\"$to/photos\")) exit(1);
            exit(copy(\"$from/avatar\", \"$to/avatar\") && copy(\"$from/photos/a.png\", \"$to/photos/a.png\") ? 0 : 1);";
        makes(&format!("php -r '{script}' -- \"$1\" \"$2\""));
    }
}

#[test]
fn mkdir_makes_what_no_program_was_shown() {
    makes(
        "mkdir \"$2\" \"$2/photos\" && cp \"$1/avatar\" \"$2\" && cp \"$1/photos/a.png\" \"$2/photos\"",
    );
    makes("mkdir -p \"$2/photos\" && mkdir -p \"$2/photos\" && cp -rT \"$1\" \"$2\"");
    makes("install -d \"$2/photos\" \"$2/papers\" && cp -rT \"$1\" \"$2\"");
}

/// A program that makes a row and then writes into a list of it never makes the list.
#[test]
fn a_new_row_takes_items_at_once_from_the_process_that_made_it() {
    let Some(mount) = started() else { return };
    let row = mount.path("models/user/43");
    fs::create_dir(&row).expect("a row");
    put(&row.join("photos/a.png"), 1);
    assert_eq!(errno(fs::create_dir(row.join("photos"))), EEXIST, "it was shown");
    assert_eq!(errno(fs::create_dir(row.join("photos/inside"))), EPERM);
    fs::create_dir(row.join("papers")).expect("nobody was shown it");
    assert_eq!(errno(fs::create_dir(row.join("papers"))), EEXIST, "it was made");
    fs::remove_dir(row.join("papers")).expect("it is empty");
    fs::create_dir(row.join("papers")).expect("it was removed");
    let other = run("mkdir", &[Path::new("-p"), &row.join("papers"), &row.join("sides")]);
    other.succeeded();
}
