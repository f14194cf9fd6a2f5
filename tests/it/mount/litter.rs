//! Files that desktops leave in every folder, and the directory in which rsync delays its updates.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::tool::{installed, run, shell};
use super::{EPERM, errno, names, picture, read};
use crate::config::Config;

fn started() -> Option<Mount> {
    Config::new()
        .table("user", "integer")
        .field("avatar", "image, min_width = 64")
        .field("photos", "image, collection = 'list'")
        .field("papers", "file, collection = 'list'")
        .mount()
}

/// A directory with one row, with litter at every level.
fn source(mount: &Mount) -> PathBuf {
    let source = mount.beside("source");
    for directory in ["user/42/photos", "user/42/papers"] {
        fs::create_dir_all(source.join(directory)).expect("a directory");
    }
    for directory in ["", "user", "user/42", "user/42/photos", "user/42/papers"] {
        for name in [".DS_Store", "._42", "Thumbs.db", "desktop.ini", ".directory", "Icon\r"] {
            fs::write(source.join(directory).join(name), [7; 6_148]).expect("litter");
        }
    }
    fs::write(source.join("user/42/avatar"), picture::good(1)).expect("a picture");
    fs::write(source.join("user/42/photos/a.png"), picture::good(2)).expect("a picture");
    fs::write(source.join("user/42/papers/a.txt"), "a text").expect("a text");
    source
}

/// Checks a script that copies the directory `$1` to `/models`, or moves it there.
fn copies(script: &str) {
    let Some(mount) = started() else { return };
    let (source, models) = (source(&mount), mount.path("models"));
    shell(script, &[&source, &models, &mount.beside("archive")]).succeeded();
    assert_eq!(
        (names(&models), names(&models.join("user"))),
        (vec!["user".into()], vec!["42".into()])
    );
    let row = models.join("user/42");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(read(&row.join("photos/a.png")), picture::good(2));
    assert_eq!(read(&row.join("papers/a.txt")).0, b"a text");
    for directory in [row.clone(), row.join("photos"), row.join("papers")] {
        let names = names(&directory);
        for name in ["desktop.ini", "Icon\r"] {
            assert!(!names.iter().any(|it| it == name), "{names:?}");
        }
    }
}

#[test]
fn cp_copies_a_folder_with_litter() {
    copies("cp -r \"$1\"/. \"$2\"");
    copies("cp -a \"$1\"/. \"$2\"");
}

#[test]
fn mv_moves_a_folder_with_litter() {
    copies("mv \"$1\"/user/42 \"$1\"/user/.DS_Store \"$1\"/user/Thumbs.db \"$2\"/user");
}

#[test]
fn tar_and_unzip_unpack_a_folder_with_litter() {
    copies("tar -C \"$1\" -cf \"$3\" . && tar -C \"$2\" -xf \"$3\" && tar -C \"$2\" -xf \"$3\"");
    if installed("zip") && installed("unzip") {
        // unzip drops control characters of names, so that `Icon\r` is a name like any other.
        copies(
            "cd \"$1\" && find . -name 'Icon*' -delete && zip -qr \"$3.zip\" . && unzip -qo \"$3.zip\" -d \"$2\"",
        );
    }
}

#[test]
fn rsync_copies_a_folder_with_litter() {
    if installed("rsync") {
        copies("rsync -a \"$1\"/ \"$2\"/ && rsync -a \"$1\"/ \"$2\"/");
    }
}

#[test]
fn python_copies_a_folder_with_litter() {
    copies(
        "python3 -c 'import shutil, sys
shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)' \"$1\" \"$2\"",
    );
}

#[test]
fn litter_is_taken_and_forgotten() {
    let Some(mount) = started() else { return };
    for directory in [mount.path(""), mount.path("models"), mount.path("models/user")] {
        let (litter, before) = (directory.join(".DS_Store"), names(&directory));
        fs::write(&litter, [1; 10_000]).expect("taken");
        assert_eq!(names(&directory), before, "it is not listed");
        assert_eq!(read(&litter).0, b"", "its user finds it, empty");
        let fork = directory.join("._set");
        let make = File::options().write(true).create_new(true).mode(0o6755).open(&fork);
        drop(make.expect("taken"));
        let mode = fs::metadata(&fork).expect("stat").mode();
        assert_eq!(mode & 0o6000, 0, "no program gets the rights of its owner");
        fs::rename(&litter, directory.join("._x")).expect("renamed");
        assert!(!litter.exists());
        fs::remove_file(directory.join("._x")).expect("removed");
        assert!(!directory.join("._x").exists());
        assert_eq!(
            errno(File::create(directory.join("x"))),
            EPERM,
            "another file in a wrong place"
        );
    }
    fs::write(mount.path("models/user/._1"), "").expect("taken");
    let found = format!("test -e '{}'", mount.path("models/user/._1").display());
    assert_eq!(run("sh", &["-c", &found]).code, 0, "another process of the user");
}

#[test]
fn rsync_delay_updates_attaches() {
    if !installed("rsync") {
        return;
    }
    copies("rsync -a --delay-updates \"$1\"/ \"$2\"/");
    let Some(mount) = started() else { return };
    let (source, row) = (source(&mount).join("user/42"), mount.row());
    fs::write(source.join("avatar"), picture::cut_short(3)).expect("half a picture");
    let done = shell("rsync -a --delay-updates \"$1\"/ \"$2\"/", &[&source, &row]);
    assert_eq!(done.code, 23, "the refusal is told: {done}");
    assert!(!row.join("avatar").exists());
    assert_eq!(read(&row.join("photos/a.png")), picture::good(2));
    assert!(!names(&row).iter().any(|name| name == ".~tmp~"), "it is not listed");
    let inside = row.join(".~tmp~");
    fs::write(inside.join("later"), "x").expect("scratch");
    assert!(names(&inside).contains(&"later".to_owned()));
    assert_eq!(read(&inside.join("later")).0, b"x");
    assert!(fs::remove_dir(&inside).is_err(), "it has a file");
    run("rm", &[Path::new("-r"), &row]).succeeded();
}
