//! A full disk under the library: the writer gets an error, no stored file is lost, and deleting works.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::library_files::{holds_exactly, nothing_is_staged};
use crate::mount::mounted::Mounted;
use crate::mount::sender::{Sent, send};
use crate::mount::tool::{installed, is_root, run};
use crate::mount::{ENOSPC, errno, names, picture, read};

/// A filesystem of 16 MiB.
struct Disk {
    // Dropped first.
    _mounted: Mounted,
    folder: TempDir,
}

impl Disk {
    fn tmpfs() -> Option<Self> {
        Self::new(|path| Mounted::in_memory(path, "16m"))
    }

    fn ext4() -> Option<Self> {
        if !installed("mkfs.ext4") {
            return None;
        }
        Self::new(|path| {
            let image = format!("{}.image", path.display());
            File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
            // No reserve for root, since the tests run as root.
            run("mkfs.ext4", &["-q", "-m", "0", &image]).succeeded();
            Mounted::at(path, &["-o", "loop", &image])
        })
    }

    fn new(mount: impl Fn(&Path) -> Mounted) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("disk");
        fs::create_dir(&path).expect("a mountpoint");
        Some(Self { _mounted: mount(&path), folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn library(&self) -> PathBuf {
        self.path().join("library")
    }

    fn mount(&self) -> Option<Mount> {
        let config = Config::new()
            .with(&format!("library.path = '{}'", self.library().display()))
            .table("user", "integer")
            .field("avatar", "image")
            .field("memo", "file")
            .field("film", "file");
        config.mount()
    }

    /// Fills the disk to the last block.
    fn fill(&self) {
        let mut file =
            File::options().create(true).append(true).open(self.filler()).expect("opened");
        for size in [64 << 10, 4 << 10, 512, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        assert_eq!(errno(file.write_all(b"x")), ENOSPC);
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

/// Random bytes, different for each seed.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut reader = blake3::Hasher::new_keyed(&[7; 32]).update(&seed.to_le_bytes()).finalize_xof();
    let mut bytes = vec![0; length];
    reader.fill(&mut bytes);
    bytes
}

fn a_full_disk_loses_nothing(disk: Option<Disk>) {
    let Some(disk) = disk.filter(|_| installed("python3")) else { return };
    let Some(mount) = disk.mount() else { return };
    let (good, old, film) = (picture::good(1), noise(1, 100_000), noise(2, 3_000_000));
    let avatar = mount.attach("avatar", &good);
    let memo = mount.attach("memo", &old);
    let films = mount.attach("film", &film);
    let large = mount.outside("large", &noise(3, 20_000_000));
    let small = mount.outside("small", &noise(4, 200_000));
    let stored: [&[u8]; 3] = [&good, &old, &film];
    let untouched = || {
        for (path, bytes) in [&avatar, &memo, &films].into_iter().zip(stored) {
            assert!(read(path) == bytes, "{} is untouched", path.display());
        }
        assert_eq!(names(&mount.row()), ["avatar", "film", "memo"]);
        nothing_is_staged(&mount, &disk.library());
    };

    // The file does not fit.
    let sent = send(&memo, &large);
    assert_eq!((sent.stage.as_str(), sent.errno), ("write", ENOSPC));
    untouched();
    let said = mount.last_message();
    assert!(said.starts_with("user/42/memo: no space is left"), "{said}");
    assert!(mount.last_refusal()["rule"] == "space", "{said}");

    // No block is left.
    disk.fill();
    let Sent { stage, errno, .. } = send(&memo, &small);
    assert!(stage != "taken" && errno == ENOSPC, "{stage} {errno}");
    untouched();
    // cp unlinks the file before it writes. The reserve of the library lets the unlink succeed, and the refusal puts the file back.
    let copied = run("cp", &[Path::new("--remove-destination"), &large, &memo]);
    assert_eq!(copied.code, 1, "{copied}");
    assert!(copied.stderr.contains("No space left on device"), "{copied}");
    untouched();

    // Deleting succeeds and makes room.
    fs::remove_file(&films).expect("a field can be emptied on a full disk");
    mount.collect();
    assert_eq!(send(&memo, &small).stage, "taken");
    assert!(read(&memo).0 == noise(4, 200_000));
    holds_exactly(&mount, &disk.library(), &[&good, &noise(4, 200_000)]);

    // With room, everything succeeds again.
    fs::remove_file(disk.filler()).expect("room");
    mount.attach("film", &film);
    holds_exactly(&mount, &disk.library(), &[&good, &film, &noise(4, 200_000)]);
}

#[test]
fn a_full_tmpfs_loses_nothing_and_can_be_emptied() {
    a_full_disk_loses_nothing(Disk::tmpfs());
}

#[test]
fn a_full_ext4_loses_nothing_and_can_be_emptied() {
    a_full_disk_loses_nothing(Disk::ext4());
}

#[test]
fn a_daemon_starts_on_a_full_disk() {
    let Some(disk) = Disk::tmpfs() else { return };
    let Some(mut mount) = disk.mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    disk.fill();
    mount.stop();
    disk.fill();
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
    fs::remove_file(&avatar).expect("a field can be emptied on a full disk");
    holds_exactly(&mount, &disk.library(), &[]);
}
