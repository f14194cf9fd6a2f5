//! Large files, which the kernel reads without the daemon: readers and writers of one file see each other's changes.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::daemon::Mount;
use super::mounted::Mounted;
use super::peer::Peer;
use super::tool::{is_root, run};
use super::{ENOTDIR, ESTALE, ETXTBSY, errno, picture, read, rest};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("film", "file")
        .field("still", "image, keep_original = true")
        .field("clip", "file")
}

/// Well above the length from which the kernel reads without the daemon.
const LENGTH: usize = 3 << 20;

/// A file of one repeated byte, which shows a mixture of two files.
fn film(byte: u8) -> Vec<u8> {
    vec![byte; LENGTH]
}

/// The byte of a film. Fails on a mixture.
fn seen(bytes: &[u8]) -> u8 {
    assert_eq!(bytes.len(), LENGTH);
    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "two files mixed");
    bytes[0]
}

/// A mount whose kernel reads large files without the daemon. `None`, with a message, without FUSE or root.
fn mount() -> Option<Mount> {
    let mount = config().mount()?;
    if !is_root() {
        return None;
    }
    let passthrough = mount.status()["passthrough"].clone();
    assert_eq!(passthrough["on"], true, "{passthrough}");
    Some(mount)
}

/// The bytes that the daemon reads during `work`.
fn cost(mount: &Mount, work: impl Fn()) -> u64 {
    let before = mount.proc("io", "rchar:");
    work();
    mount.proc("io", "rchar:") - before
}

#[test]
fn a_large_file_is_read_without_the_daemon_and_a_small_one_through_it_once() {
    let Some(mount) = mount() else { return };
    let small = vec![7; 200 << 10];
    let paths = [(mount.attach("film", &film(1)), film(1)), (mount.attach("clip", &small), small)];
    let costs = paths.map(|(path, bytes)| {
        [(), ()].map(|()| cost(&mount, || assert!(fs::read(&path).expect("read") == bytes)))
    });
    let [[first, again], [small_first, small_again]] = costs;
    assert!(first < 64 << 10 && again < 64 << 10, "{first} and {again} bytes of {LENGTH}");
    assert!(small_first >= 200 << 10 && small_again < 64 << 10, "{small_first}, {small_again}");
}

#[test]
fn large_originals_and_files_of_the_trash_are_read_without_the_daemon_too() {
    let Some(mount) = mount() else { return };
    let still = picture::png(800, 800, 1);
    assert!(still.len() > 1 << 20, "noise does not shrink");
    let path = mount.attach("still", &still);
    let cost = |path: &Path| cost(&mount, || assert_eq!(read(path), still));
    assert!(cost(&mount.path("originals/user/42/still")) < 64 << 10);
    fs::remove_file(&path).expect("removed");
    assert!(cost(&mount.lost()) < 64 << 10);
}

#[test]
fn a_passthrough_handle_keeps_its_bytes_after_a_replacement_and_its_sweep() {
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let mut old = File::open(&path).expect("opened");
    let mut half = vec![0; LENGTH / 2];
    old.read_exact(&mut half).expect("read");
    mount.attach("film", &film(2));
    mount.collect();
    let mut all = half;
    all.extend(rest(&mut old).0);
    assert_eq!(seen(&all), 1);
    assert_eq!(old.metadata().expect("fstat").len(), LENGTH as u64);
    assert_eq!(seen(&fs::read(&path).expect("read")), 2);
    old.seek(SeekFrom::Start(0)).expect("seek");
    assert_eq!(seen(&rest(&mut old)), 1);
}

#[test]
fn a_mapping_keeps_its_bytes_after_a_replacement_and_its_sweep() {
    let Some(mut reader) = Peer::start() else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    reader.open(&path, "os.O_RDONLY").expect("opened");
    reader.tell("(map := mmap.mmap(fd, 0, prot=mmap.PROT_READ))");
    reader.close().expect("closed");
    mount.attach("film", &film(2));
    mount.collect();
    let whole = format!("len(map) == {LENGTH} and map[:] == b'\\x01' * {LENGTH}");
    assert_eq!(reader.tell(&whole), "True");
    assert_eq!(seen(&fs::read(&path).expect("read")), 2);
}

#[test]
fn a_passthrough_reader_does_not_stop_a_writer() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let source = mount.outside("film", &film(2));
    let old = File::open(&path).expect("opened");
    for flags in ["os.O_WRONLY | os.O_TRUNC", "os.O_RDWR", "os.O_WRONLY | os.O_CREAT"] {
        writer.open(&path, flags).expect("opened for writing");
        writer.write(&source, ":").expect("written");
        let mut bytes = vec![0; LENGTH];
        old.read_exact_at(&mut bytes, 0).expect("the reader goes on");
        assert_eq!(seen(&bytes), 1);
        writer.close().expect("taken");
        assert_eq!(seen(&fs::read(&path).expect("read")), 2);
    }
}

#[test]
fn readers_and_writers_of_one_large_file_see_whole_files() {
    const ROUNDS: usize = 25;
    let (Some(mut first), Some(mut second)) = (Peer::start(), Peer::start()) else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let put = |byte: u8| {
        let source = mount.outside(&byte.to_string(), &film(byte));
        format!("put({path:?}, {source:?}, {ROUNDS})")
    };
    let (one, other) = (put(2), put(3));
    first.begin(&one);
    second.begin(&other);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = End(&over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    assert!(
                        (1..=3).contains(&seen(&rest(&mut File::open(&path).expect("opened"))))
                    );
                }
            });
        }
        let done = [first.answer(&one), second.answer(&other)];
        drop(end);
        assert_eq!(done, [Ok("None".to_owned()), Ok("None".to_owned())]);
    });
}

/// Stops the readers of a test when it is dropped, also if the test fails: otherwise they would run for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Opens as Samba does: the path without access, then the link of the descriptor.
fn reopen(writer: &mut Peer, path: &Path, flags: &str) -> Result<String, i32> {
    writer.tell(&format!("(path := os.open({path:?}, os.O_PATH))"));
    let opened = writer.ask(&format!("(fd := os.open(f'/proc/self/fd/{{path}}', {flags}))"));
    writer.tell("os.close(path)");
    opened
}

#[test]
fn a_large_file_without_readers_is_written_through_proc() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    assert_eq!(seen(&fs::read(&path).expect("read")), 1);
    let source = mount.outside("film", &film(2));
    reopen(&mut writer, &path, "os.O_RDWR").expect("opened");
    writer.write(&source, ":1000").expect("written");
    let mut old = File::open(&path).expect("opened by a reader meanwhile");
    assert_eq!(seen(&rest(&mut old)), 1);
    writer.write(&source, "1000:").expect("written");
    old.seek(SeekFrom::Start(0)).expect("seek");
    assert_eq!(seen(&rest(&mut old)), 1);
    writer.close().expect("taken");
    assert_eq!(seen(&fs::read(&path).expect("read")), 2);
    old.seek(SeekFrom::Start(0)).expect("seek");
    assert_eq!(seen(&rest(&mut old)), 1);
}

#[test]
fn a_write_through_proc_to_a_large_file_with_readers_is_etxtbsy() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let mut reader = File::open(&path).expect("opened");
    for flags in ["os.O_WRONLY", "os.O_RDWR"] {
        assert_eq!(reopen(&mut writer, &path, flags), Err(ETXTBSY), "{flags}");
    }
    assert_eq!(seen(&rest(&mut reader)), 1);
    assert!(mount.last_error().contains("user/42/film: "), "{}", mount.last_error());
    assert_eq!(mount.status()["open"]["drafts"], 0, "the refused opens leave no draft");
    reopen(&mut writer, &path, "os.O_RDONLY").expect("opened to read");
    assert_eq!(writer.tell(&format!("os.pread(fd, {LENGTH}, 0) == b'\\x01' * {LENGTH}")), "True");
    writer.close().expect("closed");
    drop(reader);
    let source = mount.outside("film", &film(2));
    // The kernel releases the last reader after its close has returned.
    let opened = (0..1000).find_map(|_| reopen(&mut writer, &path, "os.O_RDWR").ok());
    assert!(opened.is_some(), "the last reader has closed it");
    writer.write(&source, ":").expect("written");
    writer.close().expect("taken");
    assert_eq!(seen(&fs::read(&path).expect("read")), 2);
}

#[test]
fn readers_writers_and_samba_at_once_see_whole_files() {
    const ROUNDS: usize = 40;
    let (Some(mut writer), Some(mut samba)) = (Peer::start(), Peer::start()) else { return };
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let (two, three) = (mount.outside("two", &film(2)), mount.outside("three", &film(3)));
    let put = format!("put({path:?}, {two:?}, {ROUNDS})");
    writer.begin(&put);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = End(&over);
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    let file = File::open(&path).expect("opened");
                    let mut bytes = vec![0; LENGTH];
                    file.read_exact_at(&mut bytes, 0).expect("read");
                    assert!((1..=3).contains(&seen(&bytes)));
                }
            });
        }
        for _ in 0..ROUNDS {
            match reopen(&mut samba, &path, "os.O_RDWR") {
                Ok(_) => {
                    samba.write(&three, ":").expect("written");
                    samba.close().expect("taken");
                }
                // ETXTBSY while it is read. ESTALE if the other writer replaced it after the lookup.
                Err(refused) => assert!([ETXTBSY, ESTALE].contains(&refused), "{refused}"),
            }
        }
        let done = writer.answer(&put);
        drop(end);
        assert_eq!(done.as_deref(), Ok("None"));
    });
    assert!([2, 3].contains(&seen(&fs::read(&path).expect("read"))));
}

#[test]
fn duplicated_and_reopened_descriptors_keep_their_bytes() {
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let file = File::open(&path).expect("opened");
    let twin = file.try_clone().expect("dup");
    let through_proc = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("reopened");
    drop(file);
    mount.attach("film", &film(2));
    let reopened = || File::open(format!("/proc/self/fd/{}", twin.as_raw_fd()));
    let later = reopened().expect("after the replacement");
    mount.collect();
    let last = reopened().expect("after the sweep");
    for mut descriptor in [twin, through_proc, later, last] {
        assert_eq!(seen(&rest(&mut descriptor)), 1);
    }
}

/// The kernel stacks few filesystems: it passes no reads through to files on an overlay.
#[test]
fn a_library_without_passthrough_is_read_through_the_daemon() {
    if !is_root() {
        return;
    }
    let Some(mut mount) = Mount::prepared(config()) else { return };
    let _disks = overlay(&mount.library());
    mount.restart();
    let passthrough = mount.status()["passthrough"].clone();
    assert_eq!(passthrough["on"], false);
    assert!(passthrough["because"].as_str().is_some_and(|because| !because.is_empty()));
    assert!(mount.log().contains("all reads pass through the daemon"), "{}", mount.log());
    let path = mount.attach("film", &film(1));
    assert_eq!(seen(&fs::read(&path).expect("read")), 1);
    let mut writer = Peer::start().expect("a writer");
    let reader = File::open(&path).expect("opened");
    let source = mount.outside("film", &film(2));
    reopen(&mut writer, &path, "os.O_RDWR").expect("opened beside a reader");
    writer.write(&source, ":").expect("written");
    writer.close().expect("taken");
    let mut bytes = vec![0; LENGTH];
    reader.read_exact_at(&mut bytes, 0).expect("read");
    assert_eq!(seen(&bytes), 1);
    assert_eq!(seen(&fs::read(&path).expect("read")), 2);
    mount.stop();
}

/// Mounts an overlay over empty directories beside the path, which it makes. The disk is unmounted last.
fn overlay(path: &Path) -> (Mounted, Mounted) {
    // The upper directory must not lie on an overlay.
    let disk = path.with_file_name("disk");
    fs::create_dir(path).expect("a directory");
    fs::create_dir(&disk).expect("a directory");
    let memory = Mounted::in_memory(&disk, "256m");
    for part in ["lower", "upper", "work"] {
        fs::create_dir(disk.join(part)).expect("a directory");
    }
    let disk = disk.display();
    let options = format!("lowerdir={disk}/lower,upperdir={disk}/upper,workdir={disk}/work");
    (Mounted::at(path, &["-t", "overlay", "overlay", "-o", &options]), memory)
}

#[test]
fn a_truncation_by_path_leaves_readers_their_bytes() {
    let Some(mount) = mount() else { return };
    let path = mount.attach("film", &film(1));
    let mut reader = File::open(&path).expect("opened");
    run("truncate", &[Path::new("-s"), Path::new("2M"), &path]).succeeded();
    assert_eq!(seen(&rest(&mut reader)), 1);
    assert_eq!(fs::read(&path).expect("read"), vec![1; 2 << 20]);
    assert_eq!(errno(File::open(path.join("x"))), ENOTDIR);
}
