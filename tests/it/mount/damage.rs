//! Damaged files in the store: no reader gets less than was attached.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::library_files::below;
use super::{EIO, errno, picture, read};

/// A length that the kernel reads without the daemon.
const LARGE: usize = 1 << 20;

/// The blob of these bytes.
pub fn blob(mount: &Mount, bytes: &[u8]) -> PathBuf {
    let digest = blake3::hash(bytes).to_hex().to_string();
    let mut paths = below(&mount.library().join("blobs")).into_iter();
    paths.find(|path| path.to_string_lossy().contains(&digest)).expect("a blob")
}

/// Makes a blob shorter or longer.
pub fn set_length(path: &Path, length: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
    File::options().write(true).open(path).expect("a blob").set_len(length).expect("cut");
}

/// The number of lines in the log with these words.
fn lines(mount: &Mount, words: &str) -> usize {
    mount.log().lines().filter(|line| line.contains(words)).count()
}

/// Damages a blob: one shortens it, one removes it.
const DAMAGES: [fn(&Path); 2] =
    [|path| set_length(path, 3), |path| fs::remove_file(path).expect("removed")];

#[test]
fn a_blob_of_another_length_is_eio_and_reported_once() {
    let Some(mount) = Mount::start() else { return };
    let (short, long) = (b"a memo".to_vec(), vec![7; LARGE]);
    let (note, memo) = (mount.attach("note", &short), mount.attach("memo", &long));
    set_length(&blob(&mount, &short), 3);
    set_length(&blob(&mount, &long), LARGE as u64 + 1);
    for _ in 0..3 {
        assert_eq!(errno(fs::read(&note)), EIO);
        assert_eq!(errno(fs::read(&memo)), EIO);
    }
    let write = File::options().write(true).open(&note).expect("opened for writing");
    assert_eq!(errno(write.write_at(b"x", 1)), EIO, "a part cannot be written");
    drop(write);
    assert_eq!(fs::metadata(&note).expect("stat").len(), short.len() as u64);
    let told =
        "a stored file is damaged; put it back from a backup, or send it anew slot=\"user/42/";
    assert_eq!(lines(&mount, told), 2, "{}", mount.log());
    assert_eq!(lines(&mount, "has 3 bytes where the catalogue knows of 6"), 1, "{}", mount.log());
    assert_eq!(mount.status()["library"]["damaged"], 2);
    assert_eq!(mount.metric("mediafs_damaged_files"), Some(2));
}

#[test]
fn a_missing_blob_is_eio_and_reported_once() {
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    fs::remove_file(blob(&mount, b"a memo")).expect("removed");
    for _ in 0..3 {
        assert_eq!(errno(fs::read(&memo)), EIO);
    }
    assert_eq!(lines(&mount, "ERROR"), 1, "{}", mount.log());
}

#[test]
fn sending_a_damaged_file_again_mends_all_attachments_of_its_blob() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"a memo");
    let other = mount.row_of("43").join("memo");
    fs::write(&other, b"a memo").expect("the same bytes");
    for damage in DAMAGES {
        damage(&blob(&mount, b"a memo"));
        assert_eq!(errno(fs::read(&memo)), EIO);
        mount.attach("memo", b"a memo");
        for path in [&memo, &other] {
            assert_eq!(read(path), b"a memo");
        }
        mount.stop_and_restart();
    }
    for path in [&memo, &other] {
        assert_eq!(read(path), b"a memo");
    }
}

#[test]
fn a_damaged_variant_is_rendered_again() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.jpg");
    let rendered = read(&thumb);
    for damage in DAMAGES {
        // Any commit makes the daemon close the blobs that it keeps open.
        mount.attach("memo", b"a memo");
        damage(&blob(&mount, &rendered));
        assert_eq!(read(&thumb), rendered);
    }
    assert_eq!(mount.status()["library"]["damaged"], 0, "a damaged variant is not reported");
}

#[test]
fn restoring_a_file_whose_bytes_are_lost_is_eio_and_it_stays_in_the_trash() {
    let Some(mount) = super::trash::keeping() else { return };
    let memo = mount.attach("memo", b"a memo");
    fs::remove_file(blob(&mount, b"a memo")).expect("lost");
    fs::remove_file(&memo).expect("removed");
    let lost = mount.lost();
    assert_eq!(errno(fs::rename(&lost, &memo)), EIO);
    assert_eq!(mount.trash().len(), 1);
    fs::write(&memo, b"a memo").expect("sent anew");
    assert_eq!(read(&lost), b"a memo", "both are whole again");
}
