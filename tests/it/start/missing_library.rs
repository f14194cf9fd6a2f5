//! A missing library: `mount` makes a new one and says so; every other command fails and leaves everything as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::tool::is_root;

/// The commands that need a library and make none.
const READING: [&[&str]; 9] = [
    &["status"],
    &["gc", "--dry-run"],
    &["gc", "--now"],
    &["refused"],
    &["refused", "--retry", "1k3x9a7c0q2"],
    &["orphans"],
    &["restore", "17"],
    &["show", "user/42/avatar"],
    &["mount", "--read-only", "MOUNTPOINT"],
];

fn config() -> Config {
    Config::new()
        .with("stores.cold.path = 'cold'")
        .table("user", "integer")
        .field("avatar", "file, store = 'cold'")
}

/// Owner, mode, length and time of a folder and everything below it.
pub fn seen(folder: &Path) -> BTreeMap<PathBuf, (u32, u32, u64, i64)> {
    let mut seen = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        seen.insert(path, (meta.uid(), meta.mode(), meta.len(), meta.mtime_nsec()));
    }
    seen
}

/// Runs a command that must fail with exit code 1, and returns its message.
fn refused(mount: &Mount, command: &[&str]) -> String {
    let mountpoint = mount.mountpoint().display().to_string();
    let command: Vec<_> = command
        .iter()
        .map(|word| if *word == "MOUNTPOINT" { mountpoint.as_str() } else { word })
        .collect();
    let done = mount.command(&command);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{command:?}: {done}");
    done.stderr
}

#[test]
fn only_a_mount_makes_a_library() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let library = mount.library();
    let message = format!(
        "mediafs: there is no library in {}; `mediafs mount` without --read-only makes one\n",
        library.display()
    );
    for made in [false, true] {
        if made {
            fs::create_dir(&library)
                .expect("an empty folder, such as the mountpoint of a missing disk");
        }
        let beside = library.parent().expect("a folder");
        let before = seen(beside);
        for command in READING {
            assert_eq!(refused(&mount, command), message, "{command:?}");
            assert_eq!(seen(beside), before, "{command:?}");
        }
    }
}

#[test]
fn a_mount_says_that_its_library_is_new() {
    let Some(mut mount) = Mount::prepared(config()) else { return };
    mount.restart();
    let library = mount.library().canonicalize().expect("a library");
    let message = format!("made a new library in {}\n", library.display());
    assert!(mount.log().contains(&message), "{}", mount.log());
    mount.stop_and_restart();
    assert_eq!(mount.log().matches("new library").count(), 1, "{}", mount.log());
}

#[test]
fn only_a_mount_makes_the_folder_of_a_store() {
    let Some(mut mount) = Mount::prepared(config()) else { return };
    mount.configure(Config::new().table("user", "integer").field("avatar", "file"));
    mount.restart();
    mount.stop();
    mount.configure(config());
    let cold = mount.beside("cold");
    let message = format!(
        "mediafs: there is no store `cold` in {}; `mediafs mount` without --read-only makes one\n",
        cold.display()
    );
    assert_eq!(refused(&mount, &["status"]), message);
    assert!(!cold.exists());
    fs::create_dir(&cold).expect("a folder");
    assert_eq!(refused(&mount, &["gc"]), message);
    assert_eq!(fs::read_dir(&cold).expect("the folder").count(), 0);
    mount.restart();
    mount.stop();
    mount.command(&["status"]).succeeded();
}

#[test]
fn a_stopped_library_of_another_user_stays_unchanged() {
    if !is_root() {
        return;
    }
    let Some(mut mount) = Mount::start() else { return };
    mount.attach("memo", b"a memo");
    mount.stop();
    let library = mount.library();
    for path in seen(&library).keys() {
        lchown(path, Some(12_345), Some(12_345)).expect("given away");
    }
    let before = seen(&library);
    for command in READING.iter().filter(|command| command[0] != "mount") {
        let message = refused(&mount, command);
        assert!(message.contains("belongs to uid 12345; run mediafs as that user"), "{message}");
        assert_eq!(seen(&library), before, "{command:?}");
    }
}

#[test]
fn a_library_whose_blobs_are_not_there_takes_no_upload_for_stored() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    mount.stop();
    let blobs = mount.library().join("blobs");
    let away = mount.beside("away");
    fs::rename(&blobs, &away).expect("not mounted");
    // The first command leaves an empty folder, such as the mountpoint of a missing disk.
    for command in
        [&["mount", "MOUNTPOINT"][..], &["status"], &["mount", "--read-only", "MOUNTPOINT"]]
    {
        let message = refused(&mount, command);
        assert!(message.contains("though its catalogue knows of 1; mount the disk"), "{message}");
    }
    assert_eq!(fs::read_dir(&blobs).expect("a folder").count(), 0);
    mount.restart_with(&["--accept-loss"]);
    fs::write(&memo, b"a memo").expect("sent again");
    assert_eq!(fs::read(&memo).expect("read"), b"a memo");
    mount.stop_and_restart();
    assert_eq!(fs::read(&memo).expect("read"), b"a memo");
}
