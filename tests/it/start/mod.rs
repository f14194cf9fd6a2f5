//! Starts that must fail: a message says what is wrong and what to do, the exit code is 1, and nothing is made.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod damaged_catalog;
mod missing_library;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::mount::daemon::{Mount, PROGRAM};
use crate::mount::mounted::Mounted;
use crate::mount::peer::Peer;
use crate::mount::tool::{Done, installed, is_root, run, shell};
use crate::wait::until;

const ON_FUSE: &str = "lies on a FUSE filesystem, which cannot promise that a file is on disk; choose a path on a local disk";

/// A folder with a configuration and a mountpoint.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new(library: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Self { folder };
        fs::create_dir(site.path("mnt")).expect("a mountpoint");
        site.configure(library);
        site
    }

    fn configure(&self, library: &Path) {
        let text = format!(
            "[library]\npath = \"{}\"\n[tables.user]\nid = \"integer\"\n\
             [tables.user.fields.avatar]\ntype = \"image\"\n",
            library.display()
        );
        fs::write(self.config(), text).expect("a configuration");
    }

    fn config(&self) -> PathBuf {
        self.path("mediafs.toml")
    }

    /// A path in the folder, without symbolic links, as the program prints it.
    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("a folder").join(below)
    }

    fn mount(&self, mountpoint: &str) -> Done {
        let config = self.config();
        let mountpoint = self.path(mountpoint);
        run(PROGRAM, &[Path::new("--config"), &config, Path::new("mount"), &mountpoint])
    }

    /// Checks that the mount fails with exit code 1 and this sentence on one line of stderr.
    fn refuses(&self, mountpoint: &str, sentence: &str) {
        let done = self.mount(mountpoint);
        assert_eq!(done.code, 1, "{done}");
        assert_eq!(done.stdout, "");
        assert_eq!(done.stderr, format!("mediafs: {sentence}\n"));
    }
}

/// A site whose library is made beside the configuration.
fn usual() -> Site {
    Site::new(Path::new("library"))
}

#[test]
fn a_missing_mountpoint_is_reported_with_the_way_out() {
    let site = usual();
    let path = site.path("absent").display().to_string();
    site.refuses(
        "absent",
        &format!("the mountpoint {path} is not there; make it with `mkdir -p {path}`"),
    );
}

#[test]
fn a_mountpoint_that_is_not_empty_is_refused() {
    let site = usual();
    fs::write(site.path("mnt/file"), b"precious").expect("a file");
    let path = site.path("mnt").display().to_string();
    let sentence = "is not empty; mount over an empty directory, or what is in it would be hidden";
    site.refuses("mnt", &format!("the mountpoint {path} {sentence}"));
    assert_eq!(fs::read(site.path("mnt/file")).expect("the file"), b"precious");
}

#[test]
fn a_mountpoint_that_is_a_file_is_refused() {
    let site = usual();
    fs::write(site.path("file"), b"").expect("a file");
    let path = site.path("file").display().to_string();
    let sentence = "is not a directory";
    site.refuses("file", &format!("the mountpoint {path} {sentence}"));
}

#[test]
fn a_configuration_typo_is_reported_with_line_and_hint() {
    let site = usual();
    let text =
        fs::read_to_string(site.config()).expect("the configuration").replace("type", "tpye");
    fs::write(site.config(), text).expect("a typo");
    let done = site.mount("mnt");
    assert_eq!(done.code, 2, "{done}");
    let place = format!("{}:6:1: unknown key `tpye` in ", site.config().display());
    assert!(done.stderr.contains(&place), "{done}");
    assert!(done.stderr.contains("did you mean `type`?"), "{done}");
    assert!(!site.path("library").exists(), "nothing was made");
}

#[test]
fn a_library_below_a_file_is_refused() {
    let site = usual();
    fs::write(site.path("file"), b"").expect("a file");
    site.configure(&site.path("file/library"));
    let path = site.path("file/library").display().to_string();
    let cause = "cannot be used: Not a directory (os error 20)";
    site.refuses("mnt", &format!("the library {path} {cause}"));
    site.configure(&site.path("file"));
    let path = site.path("file").display().to_string();
    site.refuses("mnt", &format!("the library {path} cannot be used: not a directory"));
}

#[test]
fn a_library_that_cannot_be_written_to_is_refused() {
    if !is_root() {
        return;
    }
    let site = usual();
    let disk = site.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let _disk = Mounted::at(&disk, &["-t", "tmpfs", "-o", "ro", "tmpfs"]);
    for below in ["disk", "disk/library"] {
        site.configure(&site.path(below));
        let path = site.path(below).display().to_string();
        let cause = "cannot be used: Read-only file system (os error 30)";
        site.refuses("mnt", &format!("the library {path} {cause}"));
    }
}

#[test]
fn a_library_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let site = usual();
    let path = site.path("library");
    fs::create_dir(&path).expect("a folder");
    chown(&path, Some(12_345), None).expect("given away");
    let sentence =
        "belongs to uid 12345; run mediafs as that user, or give the directory to this one";
    site.refuses("mnt", &format!("the library {} {sentence}", path.display()));
}

#[test]
fn neither_library_nor_mountpoint_may_lie_inside_the_other() {
    let site = usual();
    site.configure(&site.path("mnt/library"));
    let (mnt, inside) = (site.path("mnt"), site.path("mnt/library"));
    let (mnt, inside) = (mnt.display(), inside.display());
    let sentence = format!("the library {inside} lies inside the mountpoint {mnt}");
    site.refuses("mnt", &format!("{sentence}; keep it elsewhere ([library] path)"));

    fs::create_dir_all(site.path("library/mnt")).expect("a folder");
    site.configure(&site.path("library"));
    let (library, inside) = (site.path("library"), site.path("library/mnt"));
    let (library, inside) = (library.display(), inside.display());
    let sentence = format!("the mountpoint {inside} lies inside the library {library}");
    site.refuses("library/mnt", &format!("{sentence}; mount elsewhere"));
}

#[test]
fn a_library_or_mountpoint_of_another_mediafs_is_refused() {
    let Some(mount) = Mount::start() else { return };
    let real = |path: PathBuf| path.canonicalize().expect("a path");
    let site = usual();

    let library = real(mount.library());
    site.configure(&library);
    let sentence = "is in use by another mediafs; unmount that one first, or choose another path";
    site.refuses("mnt", &format!("the library {} {sentence}", library.display()));

    // A library in a row of a mount, whose daemon would judge its files.
    let row = real(mount.row());
    for path in [row.join("library"), row.clone()] {
        site.configure(&path);
        site.refuses("mnt", &format!("the library {} {ON_FUSE}", path.display()));
    }

    site.configure(Path::new("library"));
    let mountpoint = real(mount.mountpoint()).display().to_string();
    let sentence = "is mounted already (fuse.mediafs); unmount it first with `mediafs unmount";
    site.refuses(&mountpoint, &format!("{mountpoint} {sentence} {mountpoint}`"));
    assert_eq!(mount.status()["library"]["rows"], 1, "the other daemon goes on");
}

#[test]
fn a_missing_device_is_reported_with_the_way_out() {
    if !is_root() || !installed("unshare") {
        return;
    }
    let way_out = "load the module with `modprobe fuse`, or give the container the device (docker: --device /dev/fuse --cap-add SYS_ADMIN)";
    for (hide, what) in [
        ("mount -t tmpfs tmpfs /dev", "is not there:"),
        ("mount --bind \"$3\" /dev/fuse", "is no device: remove it and"),
    ] {
        let site = usual();
        // In a mount namespace of its own, so that other tests keep the device.
        let script = format!(
            "unshare --mount bash -c '{hide} && exec {PROGRAM} --config \"$1\" mount \"$2\"' bash \"$@\""
        );
        let config = site.config();
        let done = shell(&script, &[&config, &site.path("mnt"), &config]);
        assert_eq!(done.code, 1, "{done}");
        assert_eq!(done.stderr, format!("mediafs: /dev/fuse {what} {way_out}\n"));
    }
}

#[test]
fn sigterm_ends_a_start_that_takes_long() {
    let (Some(mut mount), Some(mut peer)) = (Mount::start(), Peer::start()) else { return };
    mount.stop();
    // The start waits up to 10 s for a process that writes to the catalogue, and then fails.
    let catalog = mount.library().join("catalog.sqlite");
    let connect = format!("__import__('sqlite3').connect({catalog:?}, isolation_level=None)");
    peer.tell(&format!("globals().update(db={connect})"));
    peer.tell("db.execute('BEGIN IMMEDIATE') and None");
    let mut command = mount.mount_command(&["mount"]);
    let mut daemon = command.arg(mount.mountpoint()).spawn().expect("mediafs starts");
    let descriptors = PathBuf::from(format!("/proc/{}/fd", daemon.id()));
    until("the start waits", || {
        let open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|path| path == catalog)
    });
    run("kill", &["-s", "TERM", &daemon.id().to_string()]).succeeded();
    assert_eq!(daemon.wait().expect("a child").code(), Some(0));
}
