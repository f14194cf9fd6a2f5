//! Failures beside the writer: a worker that dies during a job, readers
//! that all wait for one variant, a daemon that ends during an upload.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::fs;
use std::path::Path;
use std::thread;

use crate::limits::{Sent, holds_exactly, is_root, send};
use crate::mount::daemon::Mount;
use crate::mount::peer::Peer;
use crate::mount::tool::{installed, run};
use crate::mount::{names, picture, read};
use crate::wait::until;

const EIO: i32 = 5;
const EBADMSG: i32 = 74;

/// The process ids of the workers of a daemon.
fn workers(mount: &Mount) -> Vec<u32> {
    mount.children("worker")
}

fn signal(name: &str, process: u32) {
    run("kill", &[name, &process.to_string()]).succeeded();
}

fn busy(mount: &Mount) -> u64 {
    mount.status()["workers"]["busy"].as_u64().expect("a count")
}

/// Attaches a picture and stops the worker that looked at it. The next job stays with that worker.
fn with_a_stopped_worker() -> Option<(Mount, u32)> {
    let mount = Mount::start()?;
    mount.attach("avatar", &picture::good(1));
    let [worker] = workers(&mount)[..] else { panic!("one picture, one worker") };
    signal("-STOP", worker);
    Some((mount, worker))
}

#[test]
fn a_worker_killed_in_the_middle_of_a_job_costs_that_one_file() {
    if !installed("python3") {
        return;
    }
    let Some((mount, worker)) = with_a_stopped_worker() else { return };
    let avatar = mount.row().join("avatar");
    let source = mount.outside("source.png", &picture::good(2));
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&avatar, &[&source]).remove(0));
        until("the worker has the job", || busy(&mount) == 1);
        signal("-KILL", worker);
        sender.join().expect("told")
    });
    let bytes = picture::good(2).len();
    assert_eq!(sent, Sent { stage: "close".into(), errno: EBADMSG, bytes });
    assert_eq!(read(&avatar), picture::good(1), "the old picture is untouched");
    let quarantine = mount.path(".mediafs/quarantine");
    assert_eq!(
        names(&quarantine).len(),
        1,
        "its bytes are kept, for it may not have been their fault"
    );

    fs::write(&avatar, picture::good(3)).expect("the next one is taken");
    assert_eq!(mount.status()["workers"]["killed"], 1);
    holds_exactly(&mount, &mount.library(), &[&picture::good(3)]);
}

#[test]
fn a_worker_killed_while_it_renders_costs_that_one_look() {
    let Some((mount, worker)) = with_a_stopped_worker() else { return };
    let thumb = mount.path("thumbs/user/42/avatar/w96.png");
    let looked = thread::scope(|scope| {
        let reader = scope.spawn(|| fs::metadata(&thumb));
        until("the worker has the job", || busy(&mount) == 1);
        signal("-KILL", worker);
        reader.join().expect("told")
    });
    let told = looked.expect_err("no worker, no picture").raw_os_error();
    assert_eq!(told, Some(EIO));
    assert_eq!(picture::png_size(&read(&thumb)).0, 96, "the next look renders it");
    assert_eq!(mount.status()["workers"]["killed"], 1);
}

/// The number of requests of a mount that wait for an answer.
fn requests_waiting(connections: &Path, mount: &Mount) -> u32 {
    use std::os::unix::fs::MetadataExt;
    let device = fs::metadata(mount.mountpoint().parent().expect("a parent")).expect("stat").dev();
    let root = rustix::fs::stat(mount.mountpoint()).expect("stat").st_dev;
    assert_ne!(device, root, "it is mounted");
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
    run("mount", &["-t", "fusectl", "fusectl", connections.to_str().expect("UTF-8")]).succeeded();
    // Two names of one variant, since the kernel sends a single lookup for one name.
    let paths = [mount.path("thumbs/user/42/avatar/w96.png"), mount.row().join("avatar@w96.png")];
    let pictures: Vec<_> = thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let path = &paths[n % 2];
                    move || read(path)
                })
            })
            .collect();
        until("both lookups have arrived", || requests_waiting(&connections, &mount) == 2);
        until("the worker has the job", || busy(&mount) == 1);
        signal("-CONT", worker);
        readers.into_iter().map(|reader| reader.join().expect("a picture")).collect()
    });
    run("umount", &[connections]).succeeded();
    assert_eq!(picture::png_size(&pictures[0]).0, 96);
    assert!(pictures.iter().all(|bytes| *bytes == pictures[0]), "all have the same picture");
    let status = mount.status();
    assert_eq!(status["library"]["variants"], 1, "{status:#}");
    assert_eq!(
        status["workers"]["spawned"], 1,
        "a second render needs a second worker; {status:#}"
    );
}

#[test]
fn an_upload_that_ends_badly_during_the_end_is_refused_and_kept() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("new.png", &picture::cut_short(2));
    writer.open(&avatar, "os.O_WRONLY | os.O_TRUNC").expect("opened");
    writer.write(&source, ":").expect("written");
    mount.terminate();
    until("the names vanish", || !avatar.exists());
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(mount.wait().code(), Some(0));
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
    let quarantine = mount.path(".mediafs/quarantine");
    let [id] = &names(&quarantine)[..] else { panic!("{:?}", names(&quarantine)) };
    let reason = fs::read_to_string(quarantine.join(id).join("reason.json")).expect("a reason");
    assert!(reason.contains("truncated"), "{reason}");
    holds_exactly(&mount, &mount.library(), &[&picture::good(1)]);
}
