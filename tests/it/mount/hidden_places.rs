//! A configuration that was changed and hides files: every channel names them, and `mediafs move-field` gives them names again.

use std::fs;

use super::daemon::Mount;
use super::{ENOENT, ENOTEMPTY, errno, names, picture, read};
use crate::config::Config;
use crate::wait::until;

fn before() -> Config {
    Config::new().table("user", "integer").field("memo", "file").field("deed", "file")
}

/// The field `memo` is gone, and `deed` is a list.
fn after() -> Config {
    Config::new()
        .table("user", "integer")
        .field("deed", "file, collection = 'list'")
        .field("note", "file, max_size = '8 B'")
}

/// Two rows with a memo each, and one with a deed, as the later configuration sees them.
fn changed() -> Option<Mount> {
    let mut mount = before().mount()?;
    mount.attach("memo", b"a memo");
    mount.attach("deed", b"a deed");
    fs::write(mount.row_of("43").join("memo"), b"a long memo").expect("taken");
    mount.configure(after());
    mount.stop_and_restart();
    until("the daemon has looked", || !mount.status()["hidden"].is_null());
    Some(mount)
}

const MEMO: &str = "user.memo: 2 files, kept and not shown: the configuration has no such field; \
    put it back, or move the files with `mediafs move-field user.memo user.FIELD`";
const DEED: &str =
    "user.deed: 1 file, kept and not shown: the field was no collection when they came";

#[test]
fn every_channel_names_the_files_that_a_changed_configuration_hides() {
    let Some(mut mount) = changed() else { return };
    assert_eq!(names(&mount.row()), ["deed"]);
    assert_eq!(names(&mount.row().join("deed")), [""; 0]);
    let hidden = mount.status()["hidden"].clone();
    let told = |at: usize| (hidden[at]["field"].clone(), hidden[at]["files"].clone());
    assert_eq!((told(0), told(1)), (("deed".into(), 1.into()), ("memo".into(), 2.into())));
    let log = mount.log();
    assert!(log.contains(MEMO) && log.contains(DEED), "{log}");
    for command in [&["status"][..], &["check-config"], &["orphans"]] {
        for running in [true, false] {
            if !running {
                mount.stop();
            }
            let done = mount.command(command);
            let said = format!("{}{}", done.stdout, done.stderr);
            assert!(done.code == 0 && said.contains(MEMO) && said.contains(DEED), "{done}");
            if !running {
                mount.restart();
            }
        }
    }
    mount.configure(before());
    mount.stop_and_restart();
    assert_eq!(read(&mount.row().join("memo")), b"a memo", "nothing was lost");
    until("the daemon has looked", || mount.status()["hidden"] == serde_json::json!([]));
    assert!(!mount.command(&["check-config"]).stdout.contains("not shown"));
}

#[test]
fn a_row_that_looks_empty_and_cannot_be_removed_says_why() {
    let Some(mount) = changed() else { return };
    let row = mount.row_of("43");
    assert_eq!(names(&row), ["deed"]);
    assert_eq!(errno(fs::remove_dir(&row)), ENOTEMPTY);
    mount.last_error_has("user/43", "user.memo: 1 file, kept and not shown");
    mount.last_error_has("move-field", "(hidden)");
    fs::write(row.join("note"), b"a note").expect("taken");
    fs::remove_file(row.join("note")).expect("removed");
}

#[test]
fn move_field_gives_hidden_files_names_again_and_tells_of_those_that_stay() {
    let Some(mut mount) = changed() else { return };
    let note = mount.row().join("note");
    assert_eq!(errno(fs::read(&note)), ENOENT, "the kernel knows that there is none");
    let done = mount.command(&["move-field", "user.memo", "user.note"]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (1, "moved 1 file from user.memo to user.note\n")
    );
    assert!(done.stderr.contains("user/43/memo stays: ") && done.stderr.contains("(max_size)"));
    assert_eq!(read(&note), b"a memo");
    let done = mount.command(&["move-field", "user.deed", "user.deed"]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (0, "moved 1 file from user.deed to user.deed\n")
    );
    assert_eq!(read(&mount.row().join("deed/deed")), b"a deed");
    assert_eq!(mount.status()["hidden"].as_array().expect("a list").len(), 1);
    mount.stop();
    let unknown = mount.command(&["move-field", "user.memo", "user.nothing"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("no field `user.nothing`"), "{unknown}");
    mount.restart();
    assert_eq!(read(&note), b"a memo");
}

#[test]
fn move_field_moves_the_files_of_a_renamed_table() {
    let Some(mut mount) = before().mount() else { return };
    mount.attach("memo", b"a memo");
    mount.stop();
    mount.configure(Config::new().table("person", "integer").field("memo", "file"));
    let told = mount.command(&["check-config"]).stdout;
    assert!(told.contains("user: 1 row, kept and not shown: the configuration has no such table"));
    let done = mount.command(&["move-field", "user.memo", "person.memo"]);
    assert_eq!(done.stdout, "moved 1 file from user.memo to person.memo\n", "{done}");
    mount.restart();
    assert_eq!(read(&mount.path("models/person/42/memo")), b"a memo");
}

/// The field held 12 photos, was made one that holds a single file, and its `null` detached them all.
#[test]
fn row_json_neither_shows_nor_detaches_files_that_the_configuration_hides() {
    let (list, one) = ("file, collection = 'list'", "file");
    for (before, after, items) in [(list, one, &["deed/a", "deed/b"][..]), (one, list, &["deed"])] {
        let Some(mut mount) = Config::new().table("user", "integer").field("deed", before).mount()
        else {
            return;
        };
        let configure = |mount: &mut Mount, deed| {
            mount.configure(Config::new().table("user", "integer").field("deed", deed));
            mount.stop_and_restart();
        };
        for item in items {
            fs::write(mount.row().join(item), b"a deed").expect("taken");
        }
        configure(&mut mount, after);
        let shown = if after == one { serde_json::Value::Null } else { serde_json::json!([]) };
        assert_eq!(mount.row_json()["deed"], shown);
        fs::write(mount.row().join("row.json"), "{\"deed\": null}").expect("nothing to detach");
        fs::write(mount.row().join("row.json"), "{\"deed\": null, \"$detach\": [\"deed\"]}")
            .expect("nothing to detach");
        configure(&mut mount, before);
        for item in items {
            assert_eq!(read(&mount.row().join(item)), b"a deed", "nothing was lost");
        }
    }
}

/// Nothing says whether the images of a field that is not declared were ever decoded.
#[test]
fn move_field_takes_images_of_a_field_that_is_gone_if_they_meet_the_rules() {
    let photo = || Config::new().table("user", "integer").field("photo", "file");
    let avatar = || Config::new().table("user", "integer").field("avatar", "image");
    for (bytes, said, shown) in [
        (picture::good(1), "moved 1 file from user.photo to user.avatar\n", &["avatar"][..]),
        (picture::cut_short(1), "moved 0 files from user.photo to user.avatar\n", &[]),
    ] {
        let Some(mut mount) = photo().mount() else { return };
        mount.attach("photo", &bytes);
        mount.configure(avatar());
        mount.stop_and_restart();
        let done = mount.command(&["move-field", "user.photo", "user.avatar"]);
        assert_eq!(done.stdout, said, "{done}");
        assert_eq!(names(&mount.row()), shown);
        let hint = done.stderr.contains("or declare the old field too until it has moved");
        assert_eq!(hint, shown.is_empty(), "{done}");
    }
}

#[test]
fn the_kernel_lists_the_rows_that_move_field_makes() {
    let both = before().table("person", "integer").field("memo", "file");
    let Some(mount) = both.mount() else { return };
    mount.attach("memo", b"a memo");
    let people = mount.path("models/person");
    assert_eq!(errno(fs::metadata(people.join("42"))), ENOENT);
    assert_eq!(names(&people), [""; 0], "the kernel keeps the empty listing");
    mount.command(&["move-field", "user.memo", "person.memo"]).succeeded();
    assert_eq!(names(&people), ["42"]);
    assert_eq!(read(&people.join("42/memo")), b"a memo");
}
