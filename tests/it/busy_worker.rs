//! A worker that dies or is stopped during a job: the effect on the file, and on readers that wait for one variant.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use crate::mount::daemon::Mount;
use crate::mount::library_files::holds_exactly;
use crate::mount::mounted::Mounted;
use crate::mount::sender::{Sent, send};
use crate::mount::tool::{installed, is_root, run};
use crate::mount::{EBADMSG, EIO, errno, picture, read};
use crate::wait::until;

fn signal(name: &str, process: u32) {
    run("kill", &[name, &process.to_string()]).succeeded();
}

fn busy(mount: &Mount) -> u64 {
    mount.status()["workers"]["busy"].as_u64().expect("a count")
}

/// A mount with a picture, whose only worker is stopped: the next job stays with it.
fn with_a_stopped_worker() -> Option<(Mount, u32)> {
    let mount = Mount::start()?;
    mount.attach("avatar", &picture::good(1));
    let [worker] = mount.children("worker")[..] else { panic!("one picture, one worker") };
    signal("-STOP", worker);
    Some((mount, worker))
}

#[test]
fn a_worker_killed_during_a_job_refuses_that_one_file() {
    if !installed("python3") {
        return;
    }
    let Some((mount, worker)) = with_a_stopped_worker() else { return };
    let avatar = mount.row().join("avatar");
    let source = mount.outside("source.png", &picture::good(2));
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&avatar, &source));
        until("the worker has the job", || busy(&mount) == 1);
        signal("-KILL", worker);
        sender.join().expect("an answer")
    });
    let bytes = picture::good(2).len();
    assert_eq!(sent, Sent { stage: "close".into(), errno: EBADMSG, bytes });
    assert_eq!(read(&avatar), picture::good(1), "the old picture is untouched");
    assert_eq!(mount.all_kept().len(), 1, "the bytes are kept, since they may be good");

    fs::write(&avatar, picture::good(3)).expect("the next picture is taken");
    assert_eq!(mount.status()["workers"]["killed"], 1);
    holds_exactly(&mount, &mount.library(), &[&picture::good(3)]);
}

#[test]
fn a_worker_killed_while_it_renders_fails_that_one_lookup() {
    let Some((mount, worker)) = with_a_stopped_worker() else { return };
    let thumb = mount.path("thumbs/user/42/avatar/w96.png");
    let looked = thread::scope(|scope| {
        let reader = scope.spawn(|| fs::metadata(&thumb));
        until("the worker has the job", || busy(&mount) == 1);
        signal("-KILL", worker);
        reader.join().expect("an answer")
    });
    assert_eq!(errno(looked), EIO);
    assert_eq!(picture::png_size(&read(&thumb)).0, 96, "the next lookup renders it");
    assert_eq!(mount.status()["workers"]["killed"], 1);
}

/// The number of requests of a mount that wait for an answer, from the filesystem fusectl.
fn requests_waiting(connections: &Path, mount: &Mount) -> u32 {
    let device = fs::metadata(mount.mountpoint().parent().expect("a parent")).expect("stat").dev();
    let root = rustix::fs::stat(mount.mountpoint()).expect("stat").st_dev;
    assert_ne!(device, root, "the mountpoint is another device");
    let connection = connections.join(rustix::fs::minor(root).to_string());
    let waiting = fs::read_to_string(connection.join("waiting")).expect("a connection");
    waiting.trim().parse().expect("a number")
}

#[test]
fn eight_readers_of_one_thumbnail_cost_one_render() {
    if !is_root() {
        return;
    }
    let Some((mount, worker)) = with_a_stopped_worker() else { return };
    let control = tempfile::tempdir().expect("a folder");
    let connections = control.path().join("connections");
    fs::create_dir(&connections).expect("a folder");
    let _control = Mounted::at(&connections, &["-t", "fusectl", "fusectl"]);
    // Two names of one variant, since the kernel sends a single lookup for one name.
    let paths = [mount.path("thumbs/user/42/avatar/w96.png"), mount.row().join("avatar@w96.png")];
    let pictures: Vec<_> = thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|n| {
                let path = &paths[n % 2];
                scope.spawn(move || read(path))
            })
            .collect();
        until("both lookups have arrived", || requests_waiting(&connections, &mount) == 2);
        until("the worker has the job", || busy(&mount) == 1);
        signal("-CONT", worker);
        readers.into_iter().map(|reader| reader.join().expect("a picture")).collect()
    });
    assert_eq!(picture::png_size(&pictures[0]).0, 96);
    assert!(
        pictures.iter().all(|bytes| *bytes == pictures[0]),
        "all readers have the same picture"
    );
    let status = mount.status();
    assert_eq!(status["library"]["variants"], 1, "{status:#}");
    assert_eq!(status["workers"]["spawned"], 1, "a second render starts a worker; {status:#}");
}
