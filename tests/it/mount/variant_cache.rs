//! Which variants may be asked for, which are listed, how they are purged, and when they are evicted (CONTRACT 5).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::daemon::Mount;
use super::library_files::{files, length};
use super::tool::{run, shell};
use super::user::{STRANGER, is_denied, may_become_others, set_access};
use super::{EAGAIN, ENOENT, ENOTEMPTY, EROFS, errno, names, picture, read, rest};
use crate::config::Config;
use crate::wait::until;

/// A configuration whose cache holds three or four pictures of noise.
fn config() -> Config {
    Config::new()
        .with("cache.size = '120 KiB'")
        .table("user", "integer")
        .field("avatar", "image, thumbnails = ['w64', '32x32c.webp']")
        .field("photos", "image, collection = 'list'")
        .field("any", "image, sizes = 'any'")
        .field("listed", "image, sizes = 'listed', thumbnails = ['w50', 'h20.webp']")
        .field("step", "image, sizes = 50")
        .field("steps", "image, sizes = [50, 32]")
}

fn variants(mount: &Mount) -> u64 {
    mount.status()["library"]["variants"].as_u64().expect("a number")
}

/// The values that nginx makes `ETag` and Last-Modified of.
fn etag(path: &Path) -> (i64, i64, u64) {
    let stat = fs::metadata(path).expect("stat");
    (stat.mtime(), stat.mtime_nsec(), stat.len())
}

#[test]
fn sizes_bounds_the_variants_on_offer() {
    let Some(mount) = config().mount() else { return };
    for field in ["any", "listed", "step", "steps"] {
        mount.attach(field, &picture::good(1));
    }
    let thumbs = mount.path("thumbs/user/42");
    let table = [
        (
            "any",
            &["w7.png", "w50.png", "160x120c.jpg", "r0.123.gif", "full.avif"][..],
            &["w0.png"][..],
        ),
        ("listed", &["w50.png", "h20.webp"], &["w48.png", "h20.png", "full.png", "r0.5.png"]),
        (
            "step",
            &["w50.png", "150x100.gif", "full.webp", "r0.5.png"],
            &["w48.png", "w200.png", "50x49.png"],
        ),
        ("steps", &["w50.png", "w96.png", "150x64.gif"], &["w48.png", "w224.png", "50x49.png"]),
    ];
    for (field, offered, others) in table {
        for name in offered {
            assert!(!read(&thumbs.join(field).join(name)).is_empty(), "{field}/{name}");
        }
        for name in others {
            assert_eq!(
                errno(fs::metadata(thumbs.join(field).join(name))),
                ENOENT,
                "{field}/{name}"
            );
        }
    }
}

#[test]
fn a_preset_that_names_no_format_is_offered_in_all_of_them() {
    let Some(mount) = config().mount() else { return };
    mount.attach("listed", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/listed");
    assert_eq!(names(&thumbs), ["h20.webp", "w50.png"]);
    assert!(read(&thumbs.join("w50.jpg")).starts_with(picture::JPEG));
}

#[test]
fn presets_are_listed_before_they_are_rendered_and_listing_renders_nothing() {
    let Some(mount) = config().mount() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    assert_eq!(names(&thumbs), ["32x32c.webp", "w64.png"]);
    assert_eq!(names(&mount.path("thumbs/user/42")), ["avatar", "photos"]);
    assert_eq!(variants(&mount), 0);
    read(&thumbs.join("w16.png"));
    assert_eq!(names(&thumbs), ["32x32c.webp", "w16.png", "w64.png"]);
    fs::remove_file(thumbs.join("w64.png")).expect("purged");
    fs::remove_file(thumbs.join("w16.png")).expect("purged");
    assert_eq!(
        names(&thumbs),
        ["32x32c.webp", "w64.png"],
        "a purged preset is listed, any other size is not"
    );
}

#[test]
fn a_variant_that_is_removed_is_purged_and_comes_back_with_the_same_etag() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let beside = avatar.with_file_name("avatar@w64.png");
    let (bytes, before) = (read(&thumb), etag(&thumb));
    for path in [&thumb, &beside] {
        assert_eq!(variants(&mount), 1);
        fs::remove_file(path).expect("purged");
        assert_eq!(variants(&mount), 0);
        assert_eq!((&read(&thumb), etag(&thumb)), (&bytes, before));
    }
    assert_eq!(errno(fs::remove_file(thumb.with_file_name("w65.png"))), ENOENT);
    assert_eq!(errno(fs::remove_file(avatar.with_file_name("avatar@nonsense.png"))), ENOENT);
    assert_eq!(errno(File::create(thumb.with_file_name("w32.png"))), EROFS);
    assert_eq!(read(&avatar), picture::good(1), "the original is untouched");
}

#[test]
fn a_variant_that_is_purged_under_a_reader_is_readable_to_the_end() {
    let Some(mount) = config().mount() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let bytes = read(&thumb);
    let mut open = File::open(&thumb).expect("opened");
    fs::remove_file(&thumb).expect("purged");
    mount.collect();
    assert_eq!(files(&mount.library().join("blobs")).len(), 1, "only the original");
    assert_eq!(open.metadata().expect("fstat").len(), bytes.len() as u64);
    assert_eq!(rest(&mut open), bytes);
}

#[test]
fn rm_r_of_thumbs_purges_them_without_an_error() {
    let Some(mount) = config().mount() else { return };
    mount.attach("avatar", &picture::good(1));
    mount.attach("any", &picture::good(2));
    let thumbs = mount.path("thumbs/user/42");
    for directory in [thumbs.clone(), thumbs.join("avatar")] {
        for name in ["avatar/w64.png", "avatar/w16.jpg", "any/w7.png"] {
            read(&thumbs.join(name));
        }
        run("rm", &[Path::new("-r"), &directory]).succeeded();
        assert_eq!(names(&thumbs), ["any", "avatar", "photos"], "a view stays");
        assert_eq!(names(&thumbs.join("avatar")), ["32x32c.webp", "w64.png"]);
        assert_eq!(variants(&mount), u64::from(directory.ends_with("avatar")));
    }
    assert_eq!(errno(fs::remove_dir(mount.path("thumbs/user"))), EROFS);
    read(&thumbs.join("any/w7.png"));
    assert_eq!(errno(fs::remove_dir(thumbs.join("any"))), ENOTEMPTY);
}

#[test]
fn rm_r_of_the_thumbs_of_a_collection_purges_them_without_an_error() {
    let Some(mount) = config().mount() else { return };
    let photos = mount.row().join("photos");
    for name in ["front.png", "back.png"] {
        fs::write(photos.join(name), picture::good(1)).expect("taken");
    }
    let thumbs = mount.path("thumbs/user/42/photos");
    let beside = photos.join("front.png@w16.jpg");
    for directory in [thumbs.clone(), thumbs.join("front.png"), mount.path("thumbs/user/42")] {
        read(&thumbs.join("front.png/w16.jpg"));
        run("rm", &[Path::new("-r"), &directory]).succeeded();
        assert_eq!(variants(&mount), 0);
        assert_eq!(names(&thumbs), ["back.png", "front.png"], "a view stays");
    }
    read(&beside);
    assert_eq!(errno(fs::remove_dir(&thumbs)), ENOTEMPTY);
    fs::remove_file(&beside).expect("purged");
    assert_eq!((variants(&mount), names(&photos).len()), (0, 2));
}

#[test]
fn a_collection_removed_under_a_shell_is_there_for_other_processes() {
    let Some(mount) = config().mount() else { return };
    let photos = mount.row().join("photos");
    let script = r#"cd "$1" && rmdir "$1" && ls -a "$1" && cp "$2" "$1/front.png" && ls "$1""#;
    let source = mount.outside("source.png", &picture::good(1));
    let done = shell(script, &[&photos, &source]);
    done.succeeded();
    assert_eq!(done.stdout, ".\n..\nfront.png\n");
    assert_eq!(read(&photos.join("front.png")), picture::good(1));
}

/// After `rmdir` the kernel keeps a dead inode as long as a process has it as working directory.
#[test]
fn a_thumbs_directory_removed_under_a_shell_is_there_for_other_processes() {
    let Some(mount) = config().mount() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    let script = r#"cd "$1" && cat w64.png > /dev/null && rm -r "$1" && ls "$1" && cat "$1/w64.png" | wc -c"#;
    let done = shell(script, &[&thumbs]);
    done.succeeded();
    let length = fs::metadata(thumbs.join("w64.png")).expect("stat").len();
    assert_eq!(done.stdout, format!("32x32c.webp\nw64.png\n{length}\n"));
}

#[test]
fn a_full_cache_evicts_the_oldest_variants_and_a_lookup_renders_them_again() {
    let Some(mount) = config().mount() else { return };
    mount.attach("any", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/any");
    let names_of = |range: std::ops::Range<u32>| range.map(|n| format!("w{n}.png"));
    let first = thumbs.join("w150.png");
    let (bytes, before) = (read(&first), etag(&first));
    for name in names_of(151..160) {
        read(&thumbs.join(name));
    }
    let limit = 120 << 10;
    let blobs = mount.library().join("blobs");
    let cached = || length(&blobs) - picture::good(1).len() as u64;
    assert!(cached() > limit);
    // The daemon evicts by itself.
    until("the daemon has evicted down to the limit", || cached() <= limit);
    let left = names(&thumbs);
    let newest: Vec<_> = names_of(160 - u32::try_from(left.len()).expect("few")..160).collect();
    assert!((1..9).contains(&left.len()), "{left:?}");
    assert_eq!(left, newest, "the newest variants are left");
    assert_eq!((read(&first), etag(&first)), (bytes, before), "rendered again, the same");
}

#[test]
fn variants_die_with_their_original_after_the_hold() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    for name in ["w64.png", "32x32c.webp", "w16.jpg"] {
        read(&thumbs.join(name));
    }
    let stored = || files(&mount.library().join("blobs")).len();
    fs::remove_file(&avatar).expect("removed");
    mount.command(&["gc"]).succeeded();
    assert_eq!((stored(), variants(&mount)), (4, 3), "held with their original");
    mount.collect();
    assert_eq!((stored(), variants(&mount)), (0, 0));
}

#[test]
fn tens_of_thousands_of_random_names_leave_the_daemon_as_it_was() {
    let Some(mount) = config().mount() else { return };
    mount.attach("step", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/step");
    let ask = |range: std::ops::Range<u32>| {
        for number in range {
            let seed = number.wrapping_mul(2_654_435_761);
            let name = match number % 3 {
                0 => format!("{seed:x}.png"),
                1 => format!("w{}.jpg", 201 + seed % 60_000),
                _ => format!("{}x{}.webp", 1 + seed % 49, 1 + seed % 9_999),
            };
            assert_eq!(errno(fs::metadata(thumbs.join(&name))), ENOENT, "{name}");
        }
    };
    let resident = || mount.proc("status", "VmRSS:");
    // The first names also allocate stacks of threads, statements and connections, which are kept.
    ask(0..5_000);
    let before = resident();
    ask(5_000..45_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 << 10, "grown by {grown} KiB");
    assert_eq!(variants(&mount), 0);
    assert_eq!(files(&mount.library().join("blobs")).len(), 1);
    assert_eq!(mount.status()["workers"]["spawned"], 1, "one worker, which judged the original");
}

/// The workers of a daemon, stopped until this is dropped.
struct Stopped(BTreeSet<String>);

impl Stopped {
    /// Makes the daemon start its greatest number of workers, and stops them.
    fn workers_of(mount: &Mount, thumbs: &Path) -> Self {
        let children =
            || mount.children("worker").iter().map(u32::to_string).collect::<BTreeSet<_>>();
        // Requests one after another keep one worker busy; only requests at the same time need all.
        let threads = thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
        for round in 0.. {
            let found = children();
            if found.len() >= threads {
                signal("-STOP", &found);
                return Self(found);
            }
            assert!(round < 50, "the daemon starts no more than {} workers", found.len());
            thread::scope(|scope| {
                for asker in 0..16 {
                    let thumb = thumbs.join(format!("h{}.png", 1 + round * 16 + asker));
                    scope.spawn(move || fs::metadata(thumb).expect("rendered"));
                }
            });
        }
        unreachable!("the assertion ends the loop after 50 rounds")
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(which: &str, processes: &BTreeSet<String>) {
    let mut arguments = vec![which.to_owned()];
    arguments.extend(processes.iter().cloned());
    run("kill", &arguments).succeeded();
}

#[test]
fn renders_queued_beyond_their_bound_are_eagain_and_the_others_are_answered() {
    const ASKERS: u32 = 300;
    let Some(mount) = config().mount() else { return };
    mount.attach("any", &picture::png(320, 240, 1));
    let thumbs = mount.path("thumbs/user/42/any");
    let stopped = Stopped::workers_of(&mount, &thumbs);
    let (answer, answers) = mpsc::channel();
    for width in 1..=ASKERS {
        let (answer, thumb) = (answer.clone(), thumbs.join(format!("w{width}.png")));
        thread::spawn(move || answer.send(fs::metadata(thumb).map(|stat| stat.len())));
    }
    // With the workers stopped, only requests beyond the limit are answered.
    let mut refused = 0;
    let patience = Duration::from_secs(2);
    while let Ok(answer) = answers.recv_timeout(patience) {
        assert_eq!(errno(answer), EAGAIN);
        refused += 1;
    }
    let most = ASKERS - 256;
    assert!((most - 17..=most).contains(&refused), "{refused} of {ASKERS}");
    drop(stopped);
    for _ in refused..ASKERS {
        let length = answers.recv_timeout(Duration::from_secs(60)).expect("an answer");
        assert!(length.expect("rendered") > 0);
    }
}

#[test]
fn purging_needs_write_access_to_the_row_and_reading_thumbs_needs_entry() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().with("mount.allow_other = true").mount() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    STRANGER.shell("cat $1/w64.png > /dev/null", &[&thumbs]).succeeded();
    assert!(is_denied(&STRANGER.shell("rm -f $1/w64.png", &[&thumbs])));
    assert_eq!(variants(&mount), 1);
    set_access(&mount.row(), (STRANGER.uid, STRANGER.uid, 0o755));
    STRANGER.shell("rm -r $1", &[&thumbs]).succeeded();
    assert_eq!(variants(&mount), 0);
    set_access(&mount.row(), (0, 0, 0o700));
    assert!(is_denied(&STRANGER.shell("cat $1/w64.png", &[&thumbs])));
}
