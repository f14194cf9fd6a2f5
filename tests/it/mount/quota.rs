//! Quotas as programs meet them: EDQUOT as early as it is known, and each file charged to its owner (CONTRACT 1, 2.2 and 4).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{Done, run};
use super::user::{MEMBER, OWNER, may_become_others};
use super::{EDQUOT, ENOENT, errno, names, picture, read};
use crate::config::Config;

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

/// A mount with a quota that other users reach, and row 42.
fn shared(quota: &str) -> Option<(Mount, PathBuf)> {
    let mount = mount(quota).filter(|_| may_become_others())?;
    let row = mount.row();
    Some((mount, row))
}

fn is_over_quota(done: &Done) -> bool {
    done.code != 0 && done.stderr.contains("quota")
}

/// The files and bytes of a table.
fn usage(mount: &Mount, table: &str) -> (u64, u64) {
    let used = &mount.status()["tables"][table];
    (used["files"].as_u64().expect("files"), used["bytes"].as_u64().expect("bytes"))
}

#[test]
fn a_full_table_refuses_at_create_with_the_quota() {
    let Some(mount) = mount("quotas.tables.user.files = 1") else { return };
    let memo = mount.attach("memo", b"first");
    let note = mount.row().join("note");
    assert_eq!(errno(File::create(&note)), EDQUOT);
    assert_eq!(errno(fs::metadata(&note)), ENOENT);
    mount.last_error_has(
        "table user has 1 file and would have 2 files",
        "[quotas.tables.user] files",
    );
    assert_eq!(mount.last_refusal()["rule"], "quota");
    fs::write(&memo, b"again").expect("replacing a file adds none");
    fs::remove_file(&memo).expect("removed");
    fs::write(&note, b"room").expect("there is room again");
    assert_eq!(usage(&mount, "user"), (1, 4));
}

#[test]
fn a_write_past_the_quota_of_bytes_is_refused_at_that_write() {
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
fn a_quota_that_only_the_stored_size_exceeds_refuses_at_close() {
    let picture = picture::good(1);
    let quota = format!("quotas.tables.user.bytes = '{} B'", picture.len() - 1);
    let Some(mount) = mount(&quota) else { return };
    let source = mount.outside("source.png", &picture);
    let avatar = mount.row().join("avatar");
    let done = run("cp", &[&source, &avatar]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stderr.contains("quota") && !avatar.exists(), "{done}");
    assert_eq!(mount.all_kept().len(), 1, "complete bytes are kept");
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
    let Some((_mount, row)) = shared("quotas = { uid.files = 1, uids.1002.files = 0 }") else {
        return;
    };
    OWNER.shell("echo one > $1/memo", &[&row]).succeeded();
    let second = OWNER.shell("echo two > $1/note", &[&row]);
    assert!(is_over_quota(&second), "{second}");
    let none = MEMBER.shell("echo three > $1/note", &[&row]);
    assert!(is_over_quota(&none), "{none}");
    fs::write(row.join("note"), b"of root").expect("root is exempt");
}

#[test]
fn chown_moves_the_charge() {
    let Some((_mount, row)) = shared("quotas.uid.files = 1") else { return };
    OWNER.shell("echo one > $1/memo", &[&row]).succeeded();
    chown(row.join("memo"), Some(MEMBER.uid), None).expect("root gives files away");
    OWNER.shell("echo two > $1/note", &[&row]).succeeded();
    let full = MEMBER.shell("echo three > $1/avatar", &[&row]);
    assert!(is_over_quota(&full), "{full}");
}

#[test]
fn scratch_counts_against_a_quota_of_its_own() {
    let Some((mut mount, row)) = shared("quotas.uid.scratch = '8 KiB'") else { return };
    OWNER.shell("head -c 6000 /dev/zero > $1/.a.part", &[&row]).succeeded();
    let full = OWNER.shell("head -c 6000 /dev/zero > $1/.b.part", &[&row]);
    assert!(is_over_quota(&full), "{full}");
    let said = OWNER.shell("cat $1", &[&mount.path(".mediafs/last-error")]).stdout;
    assert!(said.contains("user 1001") && said.contains("of scratch"), "{said}");
    MEMBER.shell("head -c 6000 /dev/zero > $1/.c.part", &[&row]).succeeded();
    mount.stop_and_restart();
    let full = OWNER.shell("head -c 6000 /dev/zero > $1/.d.part", &[&row]);
    assert!(is_over_quota(&full), "the start counts scratch again; {full}");
    OWNER.shell("rm -f $1/.*.part; head -c 6000 /dev/zero > $1/.e.part", &[&row]).succeeded();
    let far = OWNER.shell("truncate -s 9000 $1/.e.part", &[&row]);
    assert!(is_over_quota(&far), "{far}");
}

/// Regression: the old backup was removed before the new one was stored.
#[test]
fn a_backup_beyond_the_quota_leaves_both_names_as_they_were() {
    let Some((mount, row)) = shared("quotas.uid.scratch = '8 KiB'") else { return };
    OWNER.shell("head -c 9000 /dev/zero > $1/memo && echo old > $1/memo~", &[&row]).succeeded();
    let full = OWNER.shell("mv $1/memo $1/memo~", &[&row]);
    assert!(is_over_quota(&full), "{full}");
    let said = OWNER.shell("cat $1", &[&mount.path(".mediafs/last-error")]).stdout;
    let (_time, message) = said.split_once(' ').expect("a time and a message");
    assert!(message.starts_with("user/42/memo~: "), "{said}");
    assert_eq!(names(&row), ["memo", "memo~"]);
    assert_eq!(
        (read(&row.join("memo")).len(), read(&row.join("memo~")).0),
        (9_000, b"old\n".to_vec())
    );
    OWNER.shell("head -c 4000 /dev/zero > $1/memo && mv $1/memo $1/memo~", &[&row]).succeeded();
    assert_eq!((names(&row), read(&row.join("memo~")).len()), (vec!["memo~".into()], 4_000));
}

#[test]
fn a_thread_whose_open_to_write_was_refused_reads_the_file() {
    let (Some(mut peer), Some(mount)) = (Peer::start(), mount("quotas.tables.user.drafts = 1"))
    else {
        return;
    };
    let (memo, note) = (mount.attach("memo", b"one"), mount.attach("note", b"two"));
    peer.open(&memo, "os.O_WRONLY").expect("the only draft");
    assert_eq!(peer.ask(&format!("os.open({note:?}, os.O_WRONLY)")), Err(EDQUOT));
    assert_eq!(peer.tell(&format!("bytes_of({note:?})")), "b'two'");
}

#[test]
fn open_drafts_of_a_user_are_counted() {
    let Some((_mount, row)) = shared("quotas.uid.drafts = 1") else { return };
    let two = OWNER.shell("exec 3> $1/memo && echo one >&3 && echo two > $1/note", &[&row]);
    assert!(is_over_quota(&two), "{two}");
    OWNER.shell("echo one > $1/memo", &[&row]).succeeded();
    OWNER.shell("echo two > $1/note", &[&row]).succeeded();
}

#[test]
fn df_shows_the_backing_disk_under_a_quota() {
    let Some(mount) = mount("quotas.tables.user.bytes = '1 KiB'") else { return };
    let total = |path: &Path| {
        let done = run("df", &["--output=size", "-B1", &path.display().to_string()]);
        done.stdout.lines().last().map(str::trim).map(str::to_owned)
    };
    assert_eq!(total(&mount.mountpoint()), total(&mount.library()));
}
