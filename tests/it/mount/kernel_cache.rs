//! The kernel's caches of names, attributes and listings: they spare the daemon requests, and show no old state.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::peer::{NEW, Peer};
use super::tool::run;
use super::user::{STRANGER, may_become_others, set_access};
use super::{EBADMSG, ENOENT, errno, listed, names, picture, read};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .table("user", "integer")
        .field("avatar", "image, keep_original = true, thumbnails = ['w64']")
        .field("cover", "image, sizes = 'any'")
        .field("memo", "file")
        .field("photos", "image, collection = 'list', report = 'sidecar'")
}

/// The fewest read system calls of the daemon during `work`, in five tries: each request needs one at least, and now and then
/// the daemon reads on its own account.
fn cost(mount: &Mount, work: impl Fn()) -> u64 {
    let reads = || mount.proc("io", "syscr:");
    let costs = (0..5).map(|_| {
        let before = reads();
        work();
        reads() - before
    });
    costs.min().expect("five tries")
}

/// Lists a tree to its leaves, with `stat` of every entry.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("listed").map(|entry| entry.expect("an entry"));
    let mut found = Vec::new();
    for entry in entries {
        fs::metadata(entry.path()).expect("stat");
        found.push(entry.path());
        if entry.file_type().expect("a type").is_dir() {
            found.extend(walk(&entry.path()));
        }
    }
    found
}

/// A mount with three rows, each with a memo and a photo.
fn filled() -> Option<Mount> {
    let mount = config().mount()?;
    for row in ["1", "2", "3"] {
        let row = mount.row_of(row);
        fs::write(row.join("memo"), "a text").expect("taken");
        fs::write(row.join("photos/a.png"), picture::good(1)).expect("taken");
    }
    Some(mount)
}

#[test]
fn a_second_walk_over_a_tree_asks_the_daemon_nothing() {
    let Some(mount) = filled() else { return };
    let models = mount.path("models");
    assert_eq!(walk(&models).len(), 1 + 3 * 4);
    assert_eq!(cost(&mount, || assert_eq!(walk(&models).len(), 13)), 0);
    let memo = mount.path("models/user/2/memo");
    assert_eq!(cost(&mount, || assert_eq!(fs::metadata(&memo).expect("stat").len(), 6)), 0);
}

#[test]
fn a_read_of_a_small_file_is_an_open_and_a_release() {
    let Some(mount) = filled() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    for path in [mount.path("models/user/2/memo"), thumb] {
        read(&path);
        // An open reads the catalogue and the blob.
        let spent = cost(&mount, || drop(read(&path)));
        assert!(spent <= 8, "{spent} reads for {}", path.display());
    }
}

#[test]
fn a_directory_lists_new_renamed_and_removed_names_at_once() {
    let Some(mount) = filled() else { return };
    let (row, other) = (mount.row(), mount.row_of("7"));
    let (avatar, originals) = (row.join("avatar"), mount.path("originals/user/42"));
    let table = |side: &str| names(&mount.path(side).join("user"));
    for side in ["models", "thumbs", "originals"] {
        assert_eq!(table(side), ["1", "2", "3", "42", "7"], "{side}");
    }
    let sees = |expected: [&[&str]; 3]| {
        let seen = [names(&row), names(&originals), names(&mount.path("thumbs/user/42"))];
        assert_eq!(seen.each_ref().map(Vec::as_slice), expected.map(|names| names));
    };
    sees([&["photos"], &[], &["photos"]]);
    fs::write(&avatar, picture::good(1)).expect("taken");
    sees([&["avatar", "photos"], &["avatar"], &["avatar", "photos"]]);
    fs::rename(&avatar, row.join("cover")).expect("renamed");
    sees([&["cover", "photos"], &[], &["cover", "photos"]]);
    fs::rename(row.join("cover"), other.join("cover")).expect("renamed");
    sees([&["photos"], &[], &["photos"]]);
    assert_eq!(names(&mount.path("thumbs/user/7")), ["cover", "photos"]);
    fs::write(row.join("notes.txt"), "scratch").expect("scratch");
    sees([&["notes.txt", "photos"], &["notes.txt"], &["photos"]]);
    fs::remove_file(originals.join("notes.txt")).expect("removed on the other side");
    sees([&["photos"], &[], &["photos"]]);
    fs::create_dir(mount.path("originals/user/8")).expect("a row, on the other side");
    fs::remove_dir_all(&other).expect("removed");
    for side in ["models", "thumbs", "originals"] {
        assert_eq!(table(side), ["1", "2", "3", "42", "8"], "{side}");
    }
    fs::rename(&row, mount.path("models/user/43")).expect("renamed");
    for side in ["models", "thumbs", "originals"] {
        assert_eq!(table(side), ["1", "2", "3", "43", "8"], "{side}");
        assert_eq!(errno(fs::metadata(mount.path(side).join("user/42"))), ENOENT, "{side}");
    }
}

#[test]
fn a_refused_or_discarded_draft_is_listed_on_neither_side() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = filled() else { return };
    let (row, originals) = (mount.row(), mount.path("originals/user/42"));
    let source = mount.outside("short.png", &picture::cut_short(1));
    let sees = |expected: &[&str]| {
        assert_eq!(names(&originals), expected);
        assert_eq!(names(&row), [expected, &["photos"]].concat());
    };
    sees(&[]);
    for end in ["os.close(fd)", "os.unlink(path)"] {
        writer.tell(&format!("(path := {:?})", row.join("avatar")));
        writer.open(&row.join("avatar"), NEW).expect("opened");
        sees(&["avatar"]);
        writer.write(&source, ":").expect("written");
        sees(&["avatar"]);
        let ended = writer.ask(end);
        assert!(matches!(ended, Ok(_) | Err(EBADMSG)), "{ended:?}");
        sees(&[]);
        writer.ask("os.close(fd)").ok();
        sees(&[]);
    }
}

#[test]
fn a_report_beside_a_refused_item_is_listed_at_once() {
    let Some(mount) = filled() else { return };
    let photos = mount.row().join("photos");
    assert_eq!(names(&photos), [""; 0]);
    fs::write(photos.join("b.png"), picture::cut_short(1)).ok();
    assert_eq!(names(&photos), ["b.png.REFUSED.txt"]);
    fs::write(photos.join("b.png"), picture::good(1)).expect("taken");
    assert_eq!(names(&photos), ["b.png"]);
}

#[test]
fn an_arranged_list_is_listed_in_its_new_order_at_once() {
    let Some(mount) = filled() else { return };
    let row = mount.row();
    for name in ["a.png", "b.png", "c.png"] {
        fs::write(row.join("photos").join(name), picture::good(1)).expect("taken");
    }
    assert_eq!(listed(&row.join("photos")), ["a.png", "b.png", "c.png"]);
    fs::write(row.join("row.json"), r#"{"photos": ["c.png", "a.png", "b.png"]}"#).expect("patched");
    assert_eq!(listed(&row.join("photos")), ["c.png", "a.png", "b.png"]);
}

#[test]
fn removing_while_reading_a_large_list_leaves_nothing() {
    let Some(mount) = filled() else { return };
    let photos = mount.row().join("photos");
    for number in 0..600 {
        fs::write(photos.join(format!("{number:04}.png")), picture::good(1)).expect("taken");
    }
    assert_eq!(names(&photos).len(), 600, "the kernel has cached the listing");
    for (number, entry) in fs::read_dir(&photos).expect("listed").enumerate() {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
        if number % 100 == 0 {
            names(&photos);
        }
    }
    assert_eq!(names(&photos), [""; 0]);
}

#[test]
fn thumbs_follow_the_attachment_of_their_field_at_once() {
    let Some(mount) = filled() else { return };
    let (row, thumbs) = (mount.row(), mount.path("thumbs/user/42"));
    let avatar = mount.attach("avatar", &picture::png(320, 200, 1));
    let size = |name: &str| {
        let bytes = read(&thumbs.join(name).join("h32.png"));
        imagesize::blob_size(&bytes).expect("a picture").width
    };
    assert_eq!(size("avatar"), 51);
    mount.attach("avatar", &picture::png(200, 200, 2));
    assert_eq!(size("avatar"), 32, "replaced");
    fs::hard_link(&avatar, row.join("cover")).expect("a second name");
    assert_eq!(size("cover"), 32);
    mount.attach("avatar", &picture::png(320, 200, 1));
    assert_eq!((size("avatar"), size("cover")), (51, 32), "the other name keeps it");
    fs::rename(&avatar, row.join("cover")).expect("moved");
    assert_eq!(errno(fs::metadata(thumbs.join("avatar"))), ENOENT);
    assert_eq!(size("cover"), 51);
    fs::rename(&row, mount.path("models/user/50")).expect("renamed");
    assert_eq!(errno(fs::metadata(&thumbs)), ENOENT);
    assert!(mount.path("thumbs/user/50/cover/h32.png").exists());
    fs::remove_dir_all(mount.path("models/user/50")).expect("removed");
    assert_eq!(errno(fs::metadata(mount.path("thumbs/user/50"))), ENOENT);
}

#[test]
fn thumbs_of_equal_pictures_are_listed_under_each_of_them() {
    let Some(mount) = filled() else { return };
    let thumbs = ["1", "2"].map(|row| {
        let row = mount.row_of(row);
        fs::write(row.join("cover"), picture::good(3)).expect("taken");
        mount.path("thumbs/user").join(row.file_name().expect("a name")).join("cover")
    });
    let seen = || thumbs.each_ref().map(|directory| names(directory));
    assert_eq!(seen(), [[""; 0], [""; 0]]);
    read(&thumbs[0].join("w16.png"));
    assert_eq!(seen(), [["w16.png"], ["w16.png"]]);
    fs::remove_file(thumbs[1].join("w16.png")).expect("purged");
    assert_eq!(seen(), [[""; 0], [""; 0]]);
}

#[test]
fn a_cached_thumb_is_closed_to_users_who_may_not_read_the_picture() {
    let Some(mount) = filled().filter(|_| may_become_others()) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let stranger_reads = || STRANGER.run("cat", &[&thumb]).code == 0;
    read(&thumb);
    assert!(stranger_reads());
    for _ in 0..2 {
        set_access(&avatar, (0, 0, 0o600));
        assert!(!stranger_reads());
        read(&thumb);
        assert!(!stranger_reads());
        set_access(&avatar, (0, 0, 0o644));
        assert!(stranger_reads());
    }
    set_access(&mount.row(), (0, 0, 0o700));
    assert!(!stranger_reads());
    set_access(&mount.row(), (0, 0, 0o755));
    assert!(stranger_reads());
    set_access(&avatar, (STRANGER.uid, 0, 0o600));
    assert!(stranger_reads());
}

#[test]
fn the_trash_lists_removed_files_at_once() {
    let Some(mount) = filled() else { return };
    assert_eq!(mount.trash_names(), [""; 0]);
    fs::remove_file(mount.path("models/user/1/memo")).expect("removed");
    assert_eq!(mount.trash_names(), ["user-1-memo.txt"]);
    fs::remove_file(mount.path("models/user/2/memo")).expect("removed");
    assert_eq!(mount.trash_names(), ["user-1-memo.txt", "user-2-memo.txt"]);
    mount.gc(&["--now", "--empty-trash"]);
    assert_eq!(mount.trash_names(), [""; 0]);
}

#[test]
fn a_link_that_waits_is_listed_until_it_is_renamed_or_removed() {
    let Some(mount) = filled() else { return };
    let row = mount.row();
    assert_eq!(names(&row), ["photos"]);
    symlink("https://example.invalid/a.png", row.join("link")).expect("a link");
    assert_eq!(names(&row), ["link", "photos"]);
    fs::rename(row.join("link"), row.join("other")).expect("renamed");
    assert_eq!(names(&row), ["other", "photos"]);
    fs::remove_file(row.join("other")).expect("removed");
    assert_eq!(names(&row), ["photos"]);
}

#[test]
fn expired_scratch_is_not_listed() {
    let Some(mount) = config().with("library.scratch = '1s'").mount() else { return };
    let row = mount.row();
    fs::write(row.join("lost.txt"), "bytes").expect("scratch");
    assert_eq!(names(&row), ["lost.txt", "photos"]);
    until("the file has expired", || names(&row) == ["photos"]);
}

#[test]
fn times_set_on_a_row_are_shown_after_a_refusal() {
    let Some(mount) = filled() else { return };
    let row = mount.row();
    fs::write(row.join("avatar"), picture::cut_short(1)).ok();
    run("touch", &[Path::new("-d"), Path::new("2020-01-01 00:00:00 UTC"), &row]).succeeded();
    assert_eq!(fs::metadata(&row).expect("stat").mtime(), 1_577_836_800);
    File::create(row.join("cover")).expect("a placeholder");
    fs::remove_file(row.join("cover")).expect("removed");
    assert_eq!(errno(File::open(row.join("cover"))), ENOENT);
}
