//! Quotas as programs meet them: EDQUOT as early as it is known, and each file charged to its owner (CONTRACT 1, 2.2 and 4).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, installed, run};
use super::{EDQUOT, ENOENT, errno, names, picture, read};
use crate::config::Config;

/// Users without an entry in passwd(5).
const ONE: u32 = 1001;
const OTHER: u32 = 1002;

fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .with("mount.dir_mode = '0777'")
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file")
        .field("avatar", "image")
        .table("page", "name")
        .field("text", "file")
}

fn mount(quota: &str) -> Option<Mount> {
    let mount = config().with(quota).mount()?;
    mount.row();
    Some(mount)
}

/// Runs a shell script as another user.
fn shell(uid: u32, script: &str, path: &Path) -> Done {
    let user = uid.to_string();
    let path = path.display().to_string();
    let arguments = [
        "--reuid",
        &user,
        "--regid",
        &user,
        "--clear-groups",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        &path,
    ];
    run("setpriv", &arguments)
}

fn usage(mount: &Mount, table: &str) -> (u64, u64) {
    let used = &mount.status()["tables"][table];
    (used["files"].as_u64().expect("files"), used["bytes"].as_u64().expect("bytes"))
}

#[test]
fn a_full_table_refuses_at_create_and_says_so() {
    let Some(mount) = mount("quotas.tables.user.files = 1") else { return };
    let memo = mount.attach("memo", b"first");
    let note = mount.row().join("note");
    assert_eq!(errno(File::create(&note)), EDQUOT);
    assert_eq!(errno(fs::metadata(&note)), ENOENT);
    let said = mount.last_error();
    assert!(said.contains("table user has 1 file and would have 2 files"), "{said}");
    assert!(said.contains("[quotas.tables.user] files"), "{said}");
    let log = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("errors.jsonl");
    assert!(log.contains("\"rule\":\"quota\""), "{log}");
    fs::write(&memo, b"again").expect("replacing a file adds none");
    fs::remove_file(&memo).expect("removed");
    fs::write(&note, b"room").expect("there is room again");
    assert_eq!(usage(&mount, "user"), (1, 4));
}

#[test]
fn a_write_past_the_quota_of_bytes_is_refused_as_soon_as_it_tells() {
    let Some(mount) = mount("quotas.tables.user.bytes = '1 KiB'") else { return };
    mount.attach("memo", &[1; 1_000]);
    let mut note = File::create(mount.row().join("note")).expect("there is room for some");
    note.write_all(&[2; 24]).expect("up to the quota");
    assert_eq!(errno(note.write_all(&[2; 1])), EDQUOT);
    drop(note);
    assert_eq!(names(&mount.row()), ["memo"]);
    fs::write(mount.row().join("memo"), [3; 1_024])
        .expect("a replacement is charged the difference");
    assert_eq!(usage(&mount, "user"), (1, 1_024));
    assert_eq!(errno(fs::write(mount.row().join("note"), b"x")), EDQUOT);
}

#[test]
fn what_only_the_stored_picture_tells_is_refused_at_close() {
    let picture = picture::good(1);
    let quota = format!("quotas.tables.user.bytes = '{} B'", picture.len() - 1);
    let Some(mount) = mount(&quota) else { return };
    let source = mount.outside("source.png", &picture);
    let avatar = mount.row().join("avatar");
    let done = run("cp", &[&source, &avatar]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stderr.contains("quota") && !avatar.exists(), "{done}");
    let quarantine = names(&mount.path(".mediafs/quarantine"));
    assert_eq!(quarantine.len(), 1, "it was complete: it is kept");
}

#[test]
fn a_rename_and_a_link_onto_a_field_are_held_to_the_quota() {
    let Some(mount) = mount("quotas.tables.page.files = 0") else { return };
    let page = mount.path("models/page/x");
    fs::create_dir(&page).expect("a row");
    let memo = mount.attach("memo", b"a memo");
    assert_eq!(errno(fs::rename(&memo, page.join("text"))), EDQUOT);
    assert_eq!(errno(fs::hard_link(&memo, page.join("text"))), EDQUOT);
    fs::write(page.join(".text.part"), b"sent").expect("scratch");
    assert_eq!(errno(fs::rename(page.join(".text.part"), page.join("text"))), EDQUOT);
    assert_eq!(read(&page.join(".text.part")), b"sent", "both names are as they were");
    assert_eq!(read(&memo), b"a memo");
    assert_eq!((usage(&mount, "user"), usage(&mount, "page")), ((1, 6), (0, 0)));
}

#[test]
fn each_user_has_a_quota_and_root_has_none() {
    if !installed("setpriv") {
        return;
    }
    let Some(mount) = mount("quotas = { uid.files = 1, uids.1002.files = 0 }") else { return };
    let row = mount.row();
    shell(ONE, "echo one > $1/memo", &row).succeeded();
    let second = shell(ONE, "echo two > $1/note", &row);
    assert!(second.code != 0 && second.stderr.contains("quota"), "{second}");
    let none = shell(OTHER, "echo three > $1/note", &row);
    assert!(none.code != 0 && none.stderr.contains("quota"), "{none}");
    fs::write(row.join("note"), b"of root").expect("root is exempt");
}

#[test]
fn chown_moves_the_charge() {
    if !installed("setpriv") {
        return;
    }
    let Some(mount) = mount("quotas.uid.files = 1") else { return };
    let row = mount.row();
    shell(ONE, "echo one > $1/memo", &row).succeeded();
    chown(row.join("memo"), Some(OTHER), None).expect("root gives files away");
    shell(ONE, "echo two > $1/note", &row).succeeded();
    let full = shell(OTHER, "echo three > $1/avatar", &row);
    assert!(full.code != 0 && full.stderr.contains("quota"), "{full}");
}

#[test]
fn scratch_counts_against_a_quota_of_its_own() {
    if !installed("setpriv") {
        return;
    }
    let Some(mut mount) = mount("quotas.uid.scratch = '8 KiB'") else { return };
    let row = mount.row();
    shell(ONE, "head -c 6000 /dev/zero > $1/.a.part", &row).succeeded();
    let full = shell(ONE, "head -c 6000 /dev/zero > $1/.b.part", &row);
    assert!(full.code != 0 && full.stderr.contains("quota"), "{full}");
    let said = shell(ONE, "cat $1", &mount.path(".mediafs/last-error")).stdout;
    assert!(said.contains("user 1001") && said.contains("of scratch"), "{said}");
    shell(OTHER, "head -c 6000 /dev/zero > $1/.c.part", &row).succeeded();
    mount.stop();
    mount.restart();
    let row = mount.row();
    let full = shell(ONE, "head -c 6000 /dev/zero > $1/.d.part", &row);
    assert!(full.code != 0, "the tally is made anew at the start; {full}");
    shell(ONE, "rm -f $1/.*.part; head -c 6000 /dev/zero > $1/.e.part", &row).succeeded();
    let far = shell(ONE, "truncate -s 9000 $1/.e.part", &row);
    assert!(far.code != 0 && far.stderr.contains("quota"), "{far}");
}

/// The old backup was removed before the new one was stored.
#[test]
fn a_backup_that_finds_no_room_leaves_both_names_as_they_were() {
    if !installed("setpriv") {
        return;
    }
    let Some(mount) = mount("quotas.uid.scratch = '8 KiB'") else { return };
    let row = mount.row();
    shell(ONE, "head -c 9000 /dev/zero > $1/memo && echo old > $1/memo~", &row).succeeded();
    let full = shell(ONE, "mv $1/memo $1/memo~", &row);
    assert!(full.code != 0 && full.stderr.contains("quota"), "{full}");
    let said = shell(ONE, "cat $1", &mount.path(".mediafs/last-error")).stdout;
    assert!(said.starts_with("user/42/memo~: "), "{said}");
    assert_eq!(names(&row), ["memo", "memo~"]);
    assert_eq!(
        (read(&row.join("memo")).len(), read(&row.join("memo~")).0),
        (9_000, b"old\n".to_vec())
    );
    shell(ONE, "head -c 4000 /dev/zero > $1/memo && mv $1/memo $1/memo~", &row).succeeded();
    assert_eq!((names(&row), read(&row.join("memo~")).len()), (vec!["memo~".into()], 4_000));
}

#[test]
fn open_drafts_of_a_user_are_counted() {
    if !installed("setpriv") {
        return;
    }
    let Some(mount) = mount("quotas.uid.drafts = 1") else { return };
    let row = mount.row();
    let two = shell(ONE, "exec 3> $1/memo && echo one >&3 && echo two > $1/note", &row);
    assert!(two.code != 0 && two.stderr.contains("quota"), "{two}");
    shell(ONE, "echo one > $1/memo", &row).succeeded();
    shell(ONE, "echo two > $1/note", &row).succeeded();
}

#[test]
fn df_is_the_backing_disks_under_a_quota() {
    let Some(mount) = mount("quotas.tables.user.bytes = '1 KiB'") else { return };
    let total = |path: &Path| {
        let done = run("df", &["--output=size", "-B1", &path.display().to_string()]);
        done.stdout.lines().last().map(str::trim).map(str::to_owned)
    };
    assert_eq!(total(&mount.mountpoint()), total(&mount.library()));
}
