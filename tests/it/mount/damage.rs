//! Damaged files in the store: no reader gets less than was attached.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::{EIO, errno, picture, read};

/// A length that the kernel reads by itself.
const LARGE: usize = 1 << 20;

/// The stored file that has these bytes.
pub fn blob(mount: &Mount, bytes: &[u8]) -> PathBuf {
    let digest = blake3::hash(bytes).to_hex().to_string();
    let folder = mount.library().join("blobs").join(&digest[..2]);
    let mut paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());
    paths.find(|path| path.to_string_lossy().contains(&digest)).expect("it is stored")
}

/// Makes a stored file shorter or longer.
pub fn set_length(path: &Path, length: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
    File::options().write(true).open(path).expect("a blob").set_len(length).expect("cut");
}

fn lines(mount: &Mount, words: &str) -> usize {
    mount.log().lines().filter(|line| line.contains(words)).count()
}

#[test]
fn a_stored_file_of_another_length_is_eio_and_told_of_once() {
    let Some(mount) = Mount::start() else { return };
    let (short, long) = (b"a memo".to_vec(), vec![7; LARGE]);
    let (note, memo) = (mount.attach("note", &short), mount.attach("memo", &long));
    set_length(&blob(&mount, &short), 3);
    set_length(&blob(&mount, &long), LARGE as u64 + 1);
    for _ in 0..3 {
        assert_eq!(errno(fs::read(&note)), EIO);
        assert_eq!(errno(fs::read(&memo)), EIO);
    }
    let write = File::options().write(true).open(&note).expect("it can be written anew");
    assert_eq!(errno(write.write_at(b"x", 1)), EIO, "but not in part");
    drop(write);
    assert_eq!(fs::metadata(&note).expect("it has its attributes").len(), short.len() as u64);
    let told =
        "a stored file is damaged; put it back from a backup, or send it anew slot=\"user/42/";
    assert_eq!(lines(&mount, told), 2, "{}", mount.log());
    assert_eq!(lines(&mount, "has 3 bytes where the catalogue knows of 6"), 1, "{}", mount.log());
    assert_eq!(mount.status()["library"]["damaged"], 2);
    let metrics = fs::read_to_string(mount.path(".mediafs/metrics")).expect("metrics");
    assert!(metrics.contains("\nmediafs_damaged_files 2\n"), "{metrics}");
}

#[test]
fn a_stored_file_that_is_missing_is_told_of_once() {
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    fs::remove_file(blob(&mount, b"a memo")).expect("removed");
    for _ in 0..3 {
        assert_eq!(errno(fs::read(&memo)), EIO);
    }
    assert_eq!(lines(&mount, "ERROR"), 1, "{}", mount.log());
}

#[test]
fn who_sends_a_damaged_file_anew_mends_it_for_all_who_have_it() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    let other = mount.row_of("43").join("memo");
    fs::write(&other, b"a memo").expect("the same bytes");
    let damages: [fn(&Path); 2] =
        [|path| set_length(path, 3), |path| fs::remove_file(path).expect("removed")];
    for damage in damages {
        damage(&blob(&mount, b"a memo"));
        assert_eq!(errno(fs::read(&memo)), EIO);
        mount.attach("memo", b"a memo");
        for path in [&memo, &other] {
            assert_eq!(read(path), b"a memo");
        }
        mount.stop();
        mount.restart();
    }
    for path in [&memo, &other] {
        assert_eq!(read(path), b"a memo");
    }
}

#[test]
fn a_damaged_variant_is_rendered_anew() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.jpg");
    let rendered = read(&thumb);
    let damages: [fn(&Path); 2] =
        [|path| set_length(path, 9), |path| fs::remove_file(path).expect("removed")];
    for damage in damages {
        // The daemon closes the files that it keeps open when anything changes.
        mount.attach("memo", b"a memo");
        damage(&blob(&mount, &rendered));
        assert_eq!(read(&thumb), rendered);
    }
    assert_eq!(mount.status()["library"]["damaged"], 0, "nobody was told of an error");
}
