//! Downloads that are running: what the status shows of them, how many run, and how long (CONTRACT 8).

use std::io;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::Mount;
use super::tool::run;
use super::url::{allowing, write_url};
use super::web_server::Server;
use super::{EAGAIN, ETIMEDOUT, errno, picture, read};
use crate::wait::found;

/// A server, and a mount that may fetch from it.
fn patient() -> Option<(Server, Mount)> {
    let server = Server::start();
    let mount = allowing(&server.address).mount()?;
    Some((server, mount))
}

/// Begins this many downloads, which the server holds half way. Each reports its end.
fn begin(server: &Server, mount: &Mount, count: u32) -> Receiver<io::Result<()>> {
    let (done, ends) = mpsc::channel();
    for row in 0..count {
        let (view, url) = (mount.row_of(&row.to_string()).join("avatar.url"), server.url("/held"));
        let done = done.clone();
        thread::spawn(move || done.send(write_url(&view, &url)));
    }
    ends
}

#[test]
fn a_running_download_is_in_status_json_and_readers_keep_the_old_file() {
    let Some((server, mount)) = patient() else { return };
    let avatar = mount.row_of("0").join("avatar");
    std::fs::write(&avatar, picture::good(9)).expect("taken");
    let ends = begin(&server, &mount, 1);
    let length = picture::good(1).len() as u64;
    let download = found("half of the download is shown", || {
        let shown = mount.status()["downloads"][0].clone();
        shown["received"].as_u64().is_some_and(|received| received >= length / 2).then_some(shown)
    });
    assert_eq!(download["path"], "user/0/avatar");
    assert_eq!(download["expected"], length);
    assert_eq!(download["host"], server.address.to_string());
    assert_eq!(read(&avatar), picture::good(9), "until the commit");
    server.release();
    ends.recv().expect("an end").expect("attached");
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(mount.status()["downloads"], serde_json::json!([]));
}

#[test]
fn a_download_does_not_hold_up_the_rest_of_the_tree() {
    let Some((server, mount)) = patient() else { return };
    let ends = begin(&server, &mount, 8);
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(read(&avatar), picture::good(2));
    server.release();
    for end in ends {
        end.expect("attached");
    }
}

#[test]
fn ln_s_has_30_seconds_in_all_because_it_holds_its_directory() {
    let server = Server::start();
    let config = allowing(&server.address).with("fetch.timeout = '10m'");
    let Some(mount) = config.mount() else { return };
    let begun = Instant::now();
    assert_eq!(errno(symlink(server.url("/held"), mount.row().join("avatar"))), ETIMEDOUT);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    mount.last_error_has("user/42/avatar", "url_timeout");
}

#[test]
fn downloads_beyond_the_bound_are_eagain_and_the_others_arrive() {
    let Some((server, mount)) = patient() else { return };
    // Four are fetched at a time and 32 wait.
    let ends = begin(&server, &mount, 40);
    for _ in 0..4 {
        assert_eq!(errno(ends.recv().expect("an end")), EAGAIN);
    }
    mount.last_error_has("/avatar: too many downloads were waiting", "url_busy");
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(read(&avatar), picture::good(2), "other work goes on");
    let path = avatar.display().to_string();
    let script = "import os, sys; os.unlink(sys.argv[2]); os.symlink(sys.argv[1], sys.argv[2])";
    let refused = run("python3", &["-c", script, &server.url("/1.png"), &path]);
    assert!(refused.stderr.contains("[Errno 11]"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2), "the unlinked file is put back");
    server.release();
    for end in ends {
        assert!(end.is_ok() || errno(end) == EAGAIN);
    }
}
