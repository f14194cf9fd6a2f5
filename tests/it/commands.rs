//! `try`, `show`, `gc` and `status` beside a real mount: they agree with it, and say the same without a daemon.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::mount::acceptance::sample;
use crate::mount::daemon::Mount;
use crate::mount::library_files::{files, length};
use crate::mount::tool::run;
use crate::mount::{picture, read};

/// The verdict of `try` on each photo for `user.avatar` of the sample, without file sizes.
const PREDICTED: [(&str, &str); 13] = [
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

/// The name of a generated picture that is longer than the field takes.
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
fn try_reports_the_stored_form_or_the_refusal_of_each_photo() {
    let Some(mount) = sample() else { return };
    for (name, predicted) in PREDICTED {
        assert_eq!(outline(&verdict(&mount, &photo(&mount, name))), predicted, "{name}");
    }
}

#[test]
fn try_writes_into_a_directory_what_would_be_stored_and_replaces_nothing_there() {
    let Some(mount) = sample() else { return };
    let into = mount.outside("into", b"").with_file_name("stored");
    fs::create_dir(&into).expect("a directory");
    let asked = |path: &Path| {
        let (into, path) = (into.to_string_lossy(), path.to_string_lossy());
        mount.command(&["try", "--field", "user.avatar", "--into", &into, &path])
    };
    let avatar = mount.row().join("avatar");
    for (sent, stored) in [("alpha.png", "alpha.jpg"), ("plain.jpg", "plain.jpg")] {
        asked(&photo(&mount, sent)).succeeded();
        run("cp", &[photo(&mount, sent).as_path(), &avatar]).succeeded();
        assert_eq!(read(&into.join(stored)), read(&avatar), "{sent}");
    }
    let again = asked(&photo(&mount, "plain.jpg"));
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stderr.contains("plain.jpg"), "{again}");
    asked(&photo(&mount, "anim.gif"));
    assert_eq!(fs::read_dir(&into).expect("listed").count(), 2, "nothing of a refused file");
}

#[test]
fn the_mount_stores_and_refuses_as_try_predicts() {
    let Some(mount) = sample() else { return };
    let avatar = mount.row().join("avatar");
    for (name, _) in PREDICTED {
        let path = photo(&mount, name);
        let predicted = verdict(&mount, &path);
        let done = run("cp", &[path.as_path(), &avatar]);
        if let Some(refusal) = predicted.strip_prefix("refused: ") {
            assert_eq!(done.code, 1, "{predicted}\n{done}");
            // A write is refused before the whole length is known, so that the facts differ.
            let rule = refusal.split_once("; ").expect("a fact").1;
            mount.last_error_has("user/42/avatar", rule_of(rule));
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
        let end = predicted.rsplit(" -> ").next().expect("an end");
        assert!(end.starts_with(&image), "{predicted}: stored {image}");
        if predicted.ends_with("kept as it is") {
            assert_eq!(read(&avatar), read(&path));
        }
        fs::remove_file(&avatar).expect("detached");
    }
}

/// The rule in the text after the fact, such as `avatar takes at most 5 MiB (max_size)`.
fn rule_of(rest: &str) -> &str {
    rest.split_once("; ").map_or(rest, |(rule, _)| rule)
}

#[test]
fn show_prints_the_same_with_the_daemon_and_without_it() {
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
fn show_of_an_empty_field_fails_with_the_daemon_and_without_it() {
    let Some(mut mount) = Mount::start() else { return };
    let said = "mediafs: user/42/avatar: nothing is attached\n";
    let served = mount.command(&["show", "user/42/avatar"]);
    assert_eq!((served.code, served.stderr.as_str()), (1, said));
    mount.stop();
    let alone = mount.command(&["show", "user/42/avatar"]);
    assert_eq!((alone.code, alone.stderr.as_str()), (1, said));
}

/// The output of `gc` for the two blobs of one attachment.
fn both(verb: &str, bytes: u64) -> String {
    format!("{verb} 2 blobs of 1 attachment, {bytes} bytes\n")
}

const NOTHING: &str = "deleted 0 blobs of 0 attachments, 0 bytes\n";

/// Attaches a picture and reads one variant, so that there are two blobs. Returns the folder of the blobs.
fn two_blobs(mount: &Mount) -> PathBuf {
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::read(mount.path("thumbs/user/42/avatar/w64.png")).expect("a variant");
    let blobs = mount.library().join("blobs");
    assert_eq!(files(&blobs).len(), 2, "an original and its variant");
    fs::remove_file(avatar).expect("detached");
    blobs
}

#[test]
fn gc_waits_for_the_hold_unless_now_is_given() {
    let Some(mount) = Mount::start() else { return };
    let blobs = two_blobs(&mount);
    let bytes = length(&blobs);
    assert_eq!(mount.gc(&[]), NOTHING);
    assert_eq!(mount.gc(&["--now", "--dry-run"]), both("would delete", bytes));
    assert_eq!(files(&blobs).len(), 2, "a dry run deletes nothing");
    assert_eq!(mount.gc(&["--now"]), both("deleted", bytes));
    assert_eq!(files(&blobs).len(), 0);
    assert_eq!(mount.gc(&["--now"]), NOTHING);
}

#[test]
fn gc_does_the_same_without_a_daemon() {
    let Some(mut mount) = Mount::start() else { return };
    let blobs = two_blobs(&mount);
    let bytes = length(&blobs);
    mount.stop();
    assert_eq!(mount.gc(&["--now", "--dry-run"]), both("would delete", bytes));
    assert_eq!(files(&blobs).len(), 2, "a dry run deletes nothing");
    assert_eq!(mount.gc(&["--now"]), both("deleted", bytes));
    assert_eq!(files(&blobs).len(), 0);
}

#[test]
fn gc_keeps_a_blob_that_has_a_name() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    fs::hard_link(&avatar, mount.row_of("43").join("avatar")).expect("a second name");
    fs::remove_file(&avatar).expect("removed");
    assert_eq!(mount.gc(&["--now"]), NOTHING);
    let kept = mount.row_of("43").join("avatar");
    assert_eq!(read(&kept), picture::good(1));
}

#[test]
fn commands_open_a_library_that_is_mounted() {
    let Some(mount) = Mount::start() else { return };
    for arguments in [&["show", "user/42/avatar"][..], &["gc"], &["check-config"]] {
        let done = mount.command(arguments);
        assert!(!done.stderr.contains("in use"), "{done}");
    }
}

#[test]
fn status_prints_the_same_with_the_daemon_and_without_it() {
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
    assert_eq!(shown["library"], mount.status()["library"]);
    mount.stop();
    let alone = told(&mount);
    assert!(alone.starts_with("daemon      none\n"), "{alone}");
    let library =
        |text: &str| text.lines().find(|line| line.starts_with("library ")).map(str::to_owned);
    assert_eq!(library(&alone), library(&served));
}

#[test]
fn an_empty_list_says_so_and_a_program_reads_nothing() {
    let Some(mut mount) = Mount::start() else { return };
    for running in [true, false] {
        for (command, told) in [("orphans", "has lost a file"), ("refused", "nothing")] {
            let done = mount.command(&[command]);
            assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done}");
            assert!(done.stderr.contains(told), "{done}");
        }
        if running {
            mount.stop();
        }
    }
}
