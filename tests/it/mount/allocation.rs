//! fallocate(2): allocated space counts against `max_size` and the quotas, and the close gives back what lies beyond the end of
//! a file (CONTRACT 2.9).

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::library_files::below;
use super::peer::Peer;
use super::user::{OWNER, may_become_others};
use super::{EFBIG, EOPNOTSUPP, names, read};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .table("user", "integer")
        .with("tables.user.dir_mode = '0777'")
        .field("memo", "file, max_size = '8 MiB'")
        .field("film", "file, max_size = '8 MiB', on_refuse = 'quarantine'")
        .table("page", "integer")
        .with("tables.page.dir_mode = '0777'")
        .field("memo", "file")
        .with("quotas.tables.page.bytes = '1 MiB'")
        .with("quotas.uid.scratch = '1 MiB'")
}

const KEEP: FallocateFlags = FallocateFlags::KEEP_SIZE;
const PUNCH: FallocateFlags = KEEP.union(FallocateFlags::PUNCH_HOLE);
const ZERO: FallocateFlags = KEEP.union(FallocateFlags::ZERO_RANGE);
const MIB: u64 = 1 << 20;

fn create(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).open(path).expect("opened")
}

/// fallocate(2), with its errno.
fn allocate(file: &File, mode: FallocateFlags, at: u64, length: u64) -> Result<(), i32> {
    fallocate(file, mode, at, length).map_err(rustix::io::Errno::raw_os_error)
}

/// The bytes on the disk of all files below a folder of the library.
fn taken(folder: &Path) -> u64 {
    below(folder).iter().map(|path| fs::metadata(path).expect("stat").blocks() * 512).sum()
}

#[test]
fn a_blob_takes_no_more_room_than_its_bytes() {
    let Some(mount) = config().mount() else { return };
    let memo = mount.row().join("memo");
    for (mode, at, length) in [(KEEP, 0, 4 * MIB), (ZERO, MIB, 4 * MIB), (KEEP, 7 * MIB, MIB)] {
        let file = create(&memo);
        rustix::io::pwrite(&file, b"ten bytes.", 0).expect("written");
        allocate(&file, mode, at, length).expect("allocated");
        assert_eq!(file.metadata().expect("fstat").size(), 10);
        drop(file);
        assert_eq!(read(&memo), b"ten bytes.");
        // The log of the store lies there too.
        let blobs = taken(&mount.library().join("blobs"));
        assert!(blobs < 2 * MIB, "{mode:?}: {blobs}");
        fs::remove_file(&memo).expect("detached");
        mount.collect();
    }
}

#[test]
fn an_allocation_beyond_max_size_is_refused_and_the_file_is_not() {
    let Some(mount) = config().mount() else { return };
    let fields = ["memo", "film"].map(|field| mount.row().join(field));
    for path in fields {
        for (mode, at) in [(KEEP, 0), (ZERO, 0), (KEEP, 8 * MIB)] {
            let file = create(&path);
            assert_eq!(allocate(&file, mode, at, 1 << 30), Err(EFBIG), "{mode:?}");
            mount.last_error_has("user/42/", "max_size");
            rustix::io::pwrite(&file, b"ten bytes.", 0).expect("written");
            drop(file);
            assert_eq!(read(&path), b"ten bytes.");
        }
    }
    assert!(taken(&mount.library().join("staging")) < MIB);
    assert!(mount.all_kept().is_empty());
}

#[test]
fn a_draft_that_grows_by_an_allocation_is_judged_as_by_a_write() {
    let Some(mount) = config().mount() else { return };
    let memo = mount.attach("memo", b"old");
    let file = create(&memo);
    let grow = FallocateFlags::empty();
    assert_eq!(allocate(&file, grow, 0, 1 << 30), Err(EFBIG));
    assert_eq!(allocate(&file, grow, 0, 10), Err(EFBIG), "a refused draft stays refused");
    drop(file);
    assert_eq!(read(&memo), b"old");
}

#[test]
fn allocated_space_is_held_to_the_quota() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let page = mount.path("models/page/1");
    fs::create_dir(&page).expect("a row");
    let full =
        "touch $1/memo; 2>&1 fallocate -n -l 2M $1/memo; 2>&1 fallocate -n -o 900K -l 200K $1/memo";
    let done = OWNER.shell(full, &[&page]);
    assert_eq!(done.stdout.matches("quota exceeded").count(), 2, "{done}");
    OWNER
        .shell("touch $1/memo && fallocate -n -l 900K $1/memo && echo text >> $1/memo", &[&page])
        .succeeded();
    assert_eq!(read(&page.join("memo")), b"text\n");
    let done = OWNER.shell("touch $1/.a.part; 2>&1 fallocate -n -l 2M $1/.a.part", &[&mount.row()]);
    assert_eq!(done.stdout.matches("quota exceeded").count(), 1, "{done}");
}

#[test]
fn a_hole_beyond_the_end_charges_for_nothing() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    for name in [".a.part", "memo"] {
        let hole = format!("echo a > $1/{name} && fallocate -p -o 1M -l 1G $1/{name}");
        OWNER.shell(&hole, &[&row]).succeeded();
    }
    OWNER.shell("head -c 1000000 /dev/zero > $1/.b.part", &[&row]).succeeded();
}

/// Allocates space and prints the errors. `os.posix_fallocate` cannot keep the length.
const RESERVE: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def reserve(fd, length):
    done = libc.fallocate(fd, 1, ctypes.c_long(0), ctypes.c_long(length))
    return 0 if done == 0 else ctypes.get_errno()
def send(name):
    fd = os.open(f'{sys.argv[1]}/{name}', os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(fd, b'x' * 200_000)
    except OSError as error:
        return error.errno
    finally:
        os.close(fd)
        os.unlink(f'{sys.argv[1]}/{name}')
fd = os.open(f'{sys.argv[1]}/.a.part', os.O_RDWR | os.O_CREAT, 0o600)
os.write(fd, b'ten bytes.')
print(reserve(fd, 900 << 10), send('.b.part'), reserve(fd, 2 << 20), os.fstat(fd).st_size)
os.close(fd)
# The kernel tells of the last close after it has answered it.
while send('.b.part'):
    pass
";

#[test]
fn space_beyond_the_end_of_scratch_counts_until_the_close_gives_it_back() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    let script = mount.outside("reserve.py", RESERVE.as_bytes());
    // A Python that `pyenv` has put first in PATH may be unreadable to other users.
    let done = OWNER.shell("PATH=/usr/bin:$PATH python3 $1 $2", &[&script, &row]);
    assert_eq!((done.code, done.stdout.trim()), (0, "0 122 122 10"), "{done}");
    assert!(taken(&mount.library().join("scratch")) < MIB);
    assert_eq!(read(&row.join(".a.part")), b"ten bytes.");
}

#[test]
fn giving_space_back_changes_no_times_and_no_bytes_of_other_writers() {
    let (Some(mut peer), Some(mount)) = (Peer::start(), config().mount()) else { return };
    let scratch = mount.row().join(".a.part");
    peer.open(&scratch, "os.O_RDWR | os.O_CREAT").expect("opened");
    peer.tell("os.write(fd, b'ten bytes.')");
    let file = create(&scratch);
    allocate(&file, KEEP, MIB, MIB).expect("root has no quota");
    assert!(taken(&mount.library().join("scratch")) >= MIB);
    let at = rustix::fs::Timespec { tv_sec: 5, tv_nsec: 0 };
    let old = rustix::fs::Timestamps { last_access: at, last_modification: at };
    rustix::fs::futimens(&file, &old).expect("set");
    drop(file);
    until("the kernel tells of the last close", || taken(&mount.library().join("scratch")) < MIB);
    assert_eq!(fs::metadata(&scratch).expect("stat").mtime(), 5);
    peer.tell("os.write(fd, b'more')");
    peer.close().expect("closed");
    assert_eq!(read(&scratch), b"ten bytes.more");
}

#[test]
fn space_that_a_crash_leaves_beyond_an_end_is_given_back_at_the_next_start() {
    let Some(mut mount) = config().mount() else { return };
    let row = mount.row();
    let files = [row.join("memo"), row.join(".a.part")].map(|path| create(&path));
    for file in &files {
        rustix::io::pwrite(file, b"ten bytes.", 0).expect("written");
        allocate(file, KEEP, 0, 4 * MIB).expect("allocated");
    }
    mount.kill9();
    drop(files);
    mount.restart();
    for folder in ["quarantine", "scratch"] {
        let taken = taken(&mount.library().join(folder));
        assert!(taken > 0 && taken < MIB, "{folder}: {taken}");
    }
    assert_eq!(read(&mount.row().join(".a.part")), b"ten bytes.");
}

#[test]
fn a_quarantined_file_takes_no_more_room_than_its_bytes() {
    let Some(mount) = config().mount() else { return };
    let memo = mount.row().join("memo");
    let file = create(&memo);
    rustix::io::pwrite(&file, b"ten bytes.", 0).expect("written");
    allocate(&file, KEEP, 0, 4 * MIB).expect("allocated");
    // Without its row the draft goes to the quarantine.
    fs::remove_dir(mount.row()).expect("a first draft keeps no row");
    drop(file);
    let quarantine = mount.library().join("quarantine");
    until("the kernel tells of the last close", || !names(&quarantine).is_empty());
    assert!(taken(&quarantine) < MIB, "{}", taken(&quarantine));
}

#[test]
fn modes_that_move_bytes_are_not_supported() {
    let Some(mount) = config().mount() else { return };
    let file = create(&mount.attach("memo", &[7; 8192]));
    for mode in [
        FallocateFlags::COLLAPSE_RANGE,
        FallocateFlags::INSERT_RANGE,
        FallocateFlags::UNSHARE_RANGE,
    ] {
        assert_eq!(allocate(&file, mode, 0, 4096), Err(EOPNOTSUPP), "{mode:?}");
    }
    allocate(&file, PUNCH, 0, 4096).expect("a hole");
    allocate(&file, FallocateFlags::ZERO_RANGE, 8192, 4096).expect("zeros");
    assert_eq!(file.metadata().expect("fstat").size(), 12_288);
    drop(file);
    let stored = read(&mount.row().join("memo"));
    assert_eq!(stored, [[0; 4096], [7; 4096], [0; 4096]].concat().as_slice());
}

#[test]
fn a_length_without_bytes_counts_as_bytes() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().mount() else { return };
    let page = mount.path("models/page/1");
    fs::create_dir(&page).expect("a row");
    let done = OWNER.shell("2>&1 truncate -s 2M $1/memo", &[&page]);
    assert!(done.stdout.contains("quota exceeded"), "{done}");
    let done = OWNER.shell("2>&1 truncate -s 2M $1/.a.part", &[&page]);
    assert!(done.stdout.contains("quota exceeded"), "{done}");
    let done = OWNER.shell("2>&1 truncate -s 1G $1/memo", &[&mount.row()]);
    assert!(done.stdout.contains("File too large"), "{done}");
    OWNER.shell("truncate -s 1M $1/memo", &[&mount.row()]).succeeded();
    assert_eq!(read(&mount.row().join("memo")).len(), 1 << 20);
    assert!(taken(&mount.library().join("blobs")) < 4 * MIB);
}
