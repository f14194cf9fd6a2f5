//! `try`, `show` and `gc` beside a real mount: they agree with the mount, with the daemon and without it.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::limits::{files, is_log};
use crate::mount::acceptance::sample;
use crate::mount::daemon::Mount;
use crate::mount::picture;
use crate::mount::read;
use crate::mount::tool::run;

/// The verdict of `try` on each photo for `user.avatar` of the sample, without file sizes.
const FORETOLD: [(&str, &str); 13] = [
    ("alpha.png", "image/png 320x240 -> image/jpeg 320x240"),
    ("anim.gif", "refused: content_types"),
    ("anim.webp", "image/webp 240x180 -> image/jpeg 240x180"),
    ("camera.jpg", "image/jpeg 1632x1224 -> image/jpeg 1600x1200"),
    ("cmyk.jpg", "image/jpeg 1632x1224 -> image/jpeg 1600x1200"),
    ("deep.png", "image/png 240x180 -> image/jpeg 240x180"),
    ("p3.jpg", "image/jpeg 800x600 -> image/jpeg 800x600"),
    ("plain.jpg", "image/jpeg 480x360, kept as it is"),
    ("progressive.jpg", "image/jpeg 1200x900 -> image/jpeg 1200x900"),
    ("still.avif", "refused: content_types"),
    ("still.webp", "image/webp 1200x800 -> image/jpeg 1200x800"),
    ("turned.jpg", "image/jpeg 1500x2000 -> image/jpeg 1200x1600"),
    (TOO_LONG, "refused: max_size"),
];

/// A picture that the tests make.
const TOO_LONG: &str = "too-long.png";

fn photo(mount: &Mount, name: &str) -> PathBuf {
    match name {
        TOO_LONG => mount.outside(name, &picture::png(1400, 1400, 1)),
        _ => samples::path("photos").join(name),
    }
}

/// The output of `try` on a file, after the name.
fn verdict(mount: &Mount, path: &Path) -> String {
    let done = mount.command(&["try", "--field", "user.avatar", &path.to_string_lossy()]);
    let line = done.stdout.strip_prefix(&format!("{}: ", path.display()));
    line.unwrap_or_else(|| panic!("{done}")).trim_end().to_owned()
}

/// The verdict without file sizes, or the rule that refused.
fn outline(verdict: &str) -> String {
    if let Some(refusal) = verdict.strip_prefix("refused: ") {
        let rule = refusal.split_once("; avatar ").and_then(|(_, rest)| rest.split_once(" ("));
        let rule = rule.and_then(|(_, rest)| rest.split_once(')')).map(|(rule, _)| rule);
        return format!("refused: {}", rule.unwrap_or(refusal));
    }
    let side = |facts: &str| facts.split_once(", ").map_or(facts, |(image, _)| image).to_owned();
    match verdict.split_once(" -> ") {
        Some((from, to)) => format!("{} -> {}", side(from), side(to)),
        None => format!("{}, kept as it is", side(verdict)),
    }
}

fn show(mount: &Mount, path: &str) -> Value {
    let done = mount.command(&["show", path]);
    done.succeeded();
    serde_json::from_str(&done.stdout).expect("JSON")
}

#[test]
fn try_says_what_becomes_of_each_photo() {
    let Some(mount) = sample() else { return };
    for (name, foretold) in FORETOLD {
        assert_eq!(outline(&verdict(&mount, &photo(&mount, name))), foretold, "{name}");
    }
}

#[test]
fn what_try_foretells_is_what_the_mount_does() {
    let Some(mount) = sample() else { return };
    let avatar = mount.row().join("avatar");
    for (name, _) in FORETOLD {
        let path = photo(&mount, name);
        let foretold = verdict(&mount, &path);
        let done = run("cp", &[path.as_path(), &avatar]);
        if let Some(refusal) = foretold.strip_prefix("refused: ") {
            assert_eq!(done.code, 1, "{foretold}\n{done}");
            // A write is refused when it gets too long. The whole length is not known then.
            let fact = refusal.split_once("; ").expect("a fact").1;
            assert!(
                mount.last_error().contains(rule_of(fact)),
                "{refusal}\n{}",
                mount.last_error()
            );
            continue;
        }
        done.succeeded();
        let stored = show(&mount, "user/42/avatar");
        let length = fs::metadata(&avatar).expect("stat").len();
        assert_eq!(stored["length"], length);
        let image = format!(
            "{} {}x{}",
            stored["content_type"].as_str().expect("a type"),
            stored["width"],
            stored["height"]
        );
        let end = foretold.rsplit(" -> ").next().expect("an end");
        assert!(end.starts_with(&image), "{foretold}: stored {image}");
        if foretold.ends_with("kept as it is") {
            assert_eq!(read(&avatar), read(&path));
        }
        fs::remove_file(&avatar).expect("detached");
    }
}

/// `avatar takes at most 5 MiB (max_size)`, from the text after the fact.
fn rule_of(rest: &str) -> &str {
    rest.split_once("; ").map_or(rest, |(rule, _)| rule)
}

#[test]
fn show_says_the_same_with_the_daemon_and_without_it() {
    let Some(mut mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let served = show(&mount, "user/42/avatar");
    assert_eq!(served["path"], "user/42/avatar");
    assert_eq!(served["content_type"], "image/png");
    assert_eq!((&served["width"], &served["height"]), (&160.into(), &120.into()));
    assert_eq!(served["hash"], format!("blake3:{}", blake3::hash(&picture::good(1))));
    mount.stop();
    assert_eq!(show(&mount, "/models/user/42/avatar.png"), served);
}

#[test]
fn show_of_nothing_says_so_with_the_daemon_and_without_it() {
    let Some(mut mount) = Mount::start() else { return };
    let said = "mediafs: user/42/avatar: nothing is attached\n";
    let served = mount.command(&["show", "user/42/avatar"]);
    assert_eq!((served.code, served.stderr.as_str()), (1, said));
    mount.stop();
    let alone = mount.command(&["show", "user/42/avatar"]);
    assert_eq!((alone.code, alone.stderr.as_str()), (1, said));
}

/// The output of `gc` for two blobs of one attachment.
fn both(verb: &str, bytes: u64) -> String {
    format!("{verb} 2 blobs of 1 attachment, {bytes} bytes\n")
}

const NOTHING: &str = "deleted 0 blobs of 0 attachments, 0 bytes\n";

/// The number of bytes in all files below a directory.
fn bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("a directory");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| !is_log(path))
        .map(
            |path| {
                if path.is_dir() { bytes(&path) } else { fs::metadata(&path).expect("stat").len() }
            },
        )
        .sum()
}

fn gc(mount: &Mount, arguments: &[&str]) -> String {
    let done = mount.command(&[&["gc"], arguments].concat());
    done.succeeded();
    done.stdout
}

/// Attaches a picture and reads one variant, so that there are two blobs. Returns the folder of the blobs.
fn two_blobs(mount: &Mount) -> PathBuf {
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    let blobs = mount.mountpoint().with_file_name("library").join("blobs");
    assert_eq!(files(&blobs).len(), 2, "the original and its variant");
    fs::remove_file(avatar).expect("detached");
    blobs
}

#[test]
fn gc_waits_out_the_hold_unless_it_is_told_not_to() {
    let Some(mount) = Mount::start() else { return };
    let blobs = two_blobs(&mount);
    let bytes = bytes(&blobs);
    assert_eq!(gc(&mount, &[]), NOTHING);
    assert_eq!(gc(&mount, &["--now", "--dry-run"]), both("would delete", bytes));
    assert_eq!(files(&blobs).len(), 2, "a dry run deletes nothing");
    assert_eq!(gc(&mount, &["--now"]), both("deleted", bytes));
    assert_eq!(files(&blobs).len(), 0);
    assert_eq!(gc(&mount, &["--now"]), NOTHING);
}

#[test]
fn gc_does_the_same_without_a_daemon() {
    let Some(mut mount) = Mount::start() else { return };
    let blobs = two_blobs(&mount);
    let bytes = bytes(&blobs);
    mount.stop();
    assert_eq!(gc(&mount, &["--now", "--dry-run"]), both("would delete", bytes));
    assert_eq!(files(&blobs).len(), 2, "a dry run deletes nothing");
    assert_eq!(gc(&mount, &["--now"]), both("deleted", bytes));
    assert_eq!(files(&blobs).len(), 0);
}

#[test]
fn gc_spares_what_a_name_leads_to() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::hard_link(&avatar, mount.row_of("43").join("avatar")).expect("a second name");
    fs::remove_file(&avatar).expect("the first name goes");
    assert_eq!(gc(&mount, &["--now"]), NOTHING);
    let kept = mount.row_of("43").join("avatar");
    assert_eq!(read(&kept), picture::good(1));
}

#[test]
fn a_library_that_a_mount_holds_is_refused_to_no_command() {
    let Some(mount) = Mount::start() else { return };
    for arguments in [&["show", "user/42/avatar"][..], &["gc"], &["check-config"]] {
        let done = mount.command(arguments);
        assert!(!done.stderr.contains("in use"), "{done}");
    }
}

#[test]
fn status_says_the_same_with_a_daemon_and_without() {
    let Some(mut mount) = sample() else { return };
    fs::write(mount.row().join("avatar"), picture::good(1)).expect("taken");
    let told = |mount: &Mount| {
        let done = mount.command(&["status"]);
        done.succeeded();
        done.stdout
    };
    let served = told(&mount);
    assert!(served.starts_with("daemon      serving since "), "{served}");
    assert!(served.contains("\nlibrary     1 file in 1 row; "), "{served}");
    assert!(served.contains("\nrefused     0 since the start\n"), "{served}");
    let json = mount.command(&["status", "--json"]);
    let shown: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let file: Value =
        serde_json::from_slice(&read(&mount.path(".mediafs/status.json"))).expect("JSON");
    assert_eq!(shown["library"], file["library"]);
    mount.stop();
    let alone = told(&mount);
    assert!(alone.starts_with("daemon      none\n"), "{alone}");
    let library =
        |text: &str| text.lines().find(|line| line.starts_with("library ")).map(str::to_owned);
    assert_eq!(library(&alone), library(&served));
}
