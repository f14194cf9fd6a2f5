//! A disk that fails: a loop device over a file that this process serves by FUSE. Some writes fail. A power cut keeps the writes
//! before the last flush, and a random half of those after it.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyEmpty, ReplyOpen, ReplyWrite, Request, Session, SessionACL,
    WriteFlags,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use crate::mount::tool::{installed, is_root, present, run};

const SIZE: u64 = 384 << 20;
/// Zero, so that the kernel caches no attribute of the file under the loop device.
const TTL: Duration = Duration::ZERO;

/// An ext4 on a disk that fails. Dropping this unmounts it.
pub struct FailingDisk {
    folder: TempDir,
    disk: Arc<Disk>,
    /// The thread that serves the file; it ends with the unmount.
    server: Option<JoinHandle<()>>,
}

impl FailingDisk {
    /// `None`, with a message, if this process may not mount.
    pub fn new(chance: u64) -> Option<Self> {
        if !is_root()
            || !installed("mkfs.ext4")
            || !present("/dev/fuse", Path::new("/dev/fuse").exists())
        {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        let image = File::options().read(true).write(true).create_new(true).open(image);
        let image = image.expect("an image");
        image.set_len(SIZE).expect("its length");
        fs::create_dir(folder.path().join("disk")).expect("a mountpoint");
        File::create(folder.path().join("device")).expect("a mountpoint");
        let made =
            ["-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"].map(PathBuf::from);
        run("mkfs.ext4", &[&made[..], &[folder.path().join("image")]].concat()).succeeded();
        let disk = Arc::new(Disk::new(image, chance));
        let mut failing = Self { folder, disk, server: None };
        failing.turn_on();
        Some(failing)
    }

    /// The mountpoint of the disk.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Makes this many of a thousand writes fail from now on.
    pub fn fail(&self, per_mille: u64) {
        self.disk.failing.store(per_mille, Ordering::SeqCst);
    }

    /// Makes the next write fail, after all earlier writes have reached the disk.
    pub fn fail_next(&self) {
        let root = File::open(self.path()).expect("a folder");
        rustix::fs::syncfs(root).expect("synced");
        self.disk.fails_next.store(true, Ordering::SeqCst);
    }

    /// The number of writes that have failed.
    pub fn failures(&self) -> u64 {
        self.disk.failures.load(Ordering::SeqCst)
    }

    /// Whether the filesystem still takes writes. ext4 refuses them after its journal could not be written.
    pub fn is_writable(&self) -> bool {
        File::create(self.path().join("probe")).is_ok()
    }

    /// Cuts the power and mounts the disk again. No file on it may be open.
    pub fn cut_power(&mut self) {
        self.fail(1000);
        self.turn_off();
        self.fail(0);
        self.disk.state().cut();
        // Repairs the filesystem's own losses, as an operator does after a disk has failed.
        let checked = run("e2fsck", &[Path::new("-fy"), &self.folder.path().join("image")]);
        assert!(checked.code < 4, "{checked}");
        self.turn_on();
    }

    fn turn_on(&mut self) {
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("FUSE");
        let options = format!("fd={},rootmode=100600,user_id=0,group_id=0", device.as_raw_fd());
        let options = std::ffi::CString::new(options).expect("no zero");
        let path = self.folder.path().join("device");
        mount("disk", &path, "fuse.disk", MountFlags::empty(), options.as_c_str())
            .expect("mounted");
        let config = fuser::Config::default();
        let server = Server(Arc::clone(&self.disk));
        let session = Session::from_fd(server, device.into(), SessionACL::Owner, config);
        let session = session.expect("a session");
        self.server = Some(thread::spawn(move || _ = session.run()));
        let way = ["-t", "ext4", "-o", "loop,noatime"].map(PathBuf::from);
        run("mount", &[&way[..], &[path, self.path()]].concat()).succeeded();
    }

    fn turn_off(&mut self) {
        run("umount", &[self.path()]).succeeded();
        self.unplug();
    }

    fn unplug(&mut self) {
        let _ = unmount(self.folder.path().join("device"), UnmountFlags::DETACH);
        if let Some(server) = self.server.take() {
            server.join().expect("the unmount ends the session");
        }
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        self.fail(0);
        // Lazily, since a failed test may have left files open.
        run("umount", &[Path::new("-l"), &self.path()]);
        let _ = unmount(self.folder.path().join("device"), UnmountFlags::DETACH);
    }
}

struct Disk {
    /// How many of a thousand writes fail.
    failing: AtomicU64,
    fails_next: AtomicBool,
    failures: AtomicU64,
    /// Guards the bytes of the disk.
    state: Mutex<State>,
}

struct State {
    image: File,
    chance: u64,
    /// The writes since the last flush: the offset, the bytes before, and the bytes since.
    unflushed: Vec<(u64, Vec<u8>, Vec<u8>)>,
}

impl Disk {
    fn new(image: File, chance: u64) -> Self {
        let state = State { image, chance: chance | 1, unflushed: Vec::new() };
        Self {
            failing: AtomicU64::new(0),
            fails_next: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self, state: &mut State) -> bool {
        let fails = state.draw() % 1000 < self.failing.load(Ordering::SeqCst)
            || self.fails_next.swap(false, Ordering::SeqCst);
        self.failures.fetch_add(u64::from(fails), Ordering::SeqCst);
        fails
    }
}

impl State {
    /// Marsaglia's xorshift: the same numbers for the same seed.
    fn draw(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance >> 8
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let mut before = vec![0; data.len()];
        self.image.read_exact_at(&mut before, offset).expect("within the image");
        self.image.write_all_at(data, offset).expect("written");
        self.unflushed.push((offset, before, data.to_vec()));
    }

    /// Cuts the power: a random half of the writes since the last flush is lost.
    fn cut(&mut self) {
        let unflushed = std::mem::take(&mut self.unflushed);
        for (offset, before, _) in unflushed.iter().rev() {
            self.image.write_all_at(before, *offset).expect("written");
        }
        for (offset, _, since) in &unflushed {
            if self.draw().is_multiple_of(2) {
                self.image.write_all_at(since, *offset).expect("written");
            }
        }
    }
}

/// The filesystem with the one file.
struct Server(Arc<Disk>);

impl Server {
    fn attr() -> FileAttr {
        FileAttr {
            ino: INodeNo::ROOT,
            size: SIZE,
            blocks: SIZE / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: FileType::RegularFile,
            perm: 0o600,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for Server {
    fn getattr(&self, _: &Request, _: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &Self::attr());
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn read(
        &self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, size: u32, _: OpenFlags,
        _: Option<LockOwner>, reply: ReplyData,
    ) {
        let end = SIZE.min(offset + u64::from(size));
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(offset)).expect("few")];
        self.0.state().image.read_exact_at(&mut bytes, offset).expect("within the image");
        reply.data(&bytes);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn write(
        &self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, data: &[u8], _: WriteFlags,
        _: OpenFlags, _: Option<LockOwner>, reply: ReplyWrite,
    ) {
        let mut state = self.0.state();
        if self.0.fails(&mut state) {
            // Some failing writes are torn.
            if state.draw().is_multiple_of(4) {
                state.write(offset, &data[..data.len() / 1024 * 512]);
            }
            return reply.error(Errno::EIO);
        }
        state.write(offset, data);
        reply.written(u32::try_from(data.len()).expect("few"));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let mut state = self.0.state();
        if self.0.fails(&mut state) {
            return reply.error(Errno::EIO);
        }
        state.unflushed.clear();
        reply.ok();
    }
}
