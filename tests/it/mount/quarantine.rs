//! The quarantine: refused bytes of writers that are told success, entries with a damaged reason, and interrupted drafts
//! (CONTRACT 4 and 2.7).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use super::daemon::Mount;
use super::library_files::below;
use super::peer::{NEW, Peer};
use super::tool::run;
use super::user::{MEMBER, OWNER, may_become_others};
use super::{EFBIG, ENOENT, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("quarantine.size = '256 KiB'")
        .with("mount.allow_other = true")
        .with("mount.dir_mode = '0777'")
        .table("user", "integer")
        // Its writers are told success.
        .field(
            "scan",
            "image, max_size = '80 KiB', content_types = ['image/png'], min_width = 64, \
             on_refuse = 'quarantine'",
        )
        .field("memo", "file")
        .field("note", "file, min_size = '4 B', max_size = '4 KiB'")
}

fn mount() -> Option<Mount> {
    let mount = config().mount()?;
    mount.row();
    Some(mount)
}

/// Bytes that the scan refuses: early by their type or size, and late at their end. Each with its rule.
fn refused() -> [(&'static str, Vec<u8>); 3] {
    let text = b"no image at all\n".repeat(1_000);
    let small = picture::png(40, 40, 1).to_vec();
    let cut = picture::cut_short(2).to_vec();
    [("content_types", text), ("min_width", small), ("truncated", cut)]
}

#[test]
fn a_refused_writer_gets_success_and_the_quarantine_has_all_its_bytes() {
    for (rule, bytes) in refused() {
        let Some(mount) = mount() else { return };
        let source = mount.outside("source", &bytes);
        let scan = mount.row().join("scan");
        // All writes succeed too: an FTP server ignores the answer of close.
        run("cp", &[&source, &scan]).succeeded();
        assert_eq!(errno(fs::metadata(&scan)), ENOENT, "{rule}: nothing is attached");
        assert_eq!(mount.kept().bytes().0, bytes, "{rule}: the whole file");
        mount.last_error_has("user/42/scan", rule);
        assert_eq!(mount.refusals().len(), 1, "{rule}");
    }
}

#[test]
fn a_refusal_with_success_leaves_the_old_file() {
    let Some(mount) = mount() else { return };
    let scan = mount.attach("scan", &picture::good(1));
    fs::write(&scan, picture::png(40, 40, 1)).expect("told success");
    assert_eq!(read(&scan), picture::good(1));
    // Across filesystems, mv removes the target first.
    let source = mount.outside("source.png", &picture::cut_short(2));
    run("mv", &[&source, &scan]).succeeded();
    assert!(!source.exists());
    assert_eq!(read(&scan), picture::good(1));
    assert_eq!(mount.all_kept().len(), 2);
}

#[test]
fn a_refusal_with_success_is_durable() {
    let Some(mut mount) = mount() else { return };
    fs::write(mount.row().join("scan"), picture::png(40, 40, 1)).expect("told success");
    mount.crash_and_restart();
    assert_eq!(mount.kept().bytes(), picture::png(40, 40, 1));
}

#[test]
fn refused_scratch_goes_to_the_quarantine_and_its_rename_succeeds() {
    let Some(mount) = mount() else { return };
    let (row, sent) = (mount.row(), picture::cut_short(1));
    let mut part = File::create(row.join(".in.scan.tmp")).expect("scratch");
    part.write_all(&sent).expect("written");
    fs::rename(row.join(".in.scan.tmp"), row.join("scan")).expect("told success");
    assert_eq!(names(&row), [""; 0], "neither name is left");
    assert_eq!(mount.kept().bytes(), sent);
    part.write_all(b"more").expect("the open file is a draft of the field");
    drop(part);
    assert_eq!(names(&row), [""; 0]);
}

#[test]
fn an_open_with_a_wrong_extension_succeeds() {
    let Some(mount) = mount() else { return };
    fs::write(mount.row().join("scan.gif"), b"GIF89a and more").expect("told success");
    assert_eq!(names(&mount.row()), [""; 0]);
    fs::write(mount.row().join("scan.gif"), picture::good(1)).expect("the bytes tell the type");
    assert_eq!(names(&mount.row()), ["scan.png"]);
}

#[test]
fn a_file_larger_than_the_quarantine_is_refused_with_an_errno() {
    let Some(mount) = mount() else { return };
    let mut scan = File::create(mount.row().join("scan")).expect("opened");
    scan.write_all(&vec![b'x'; 250_000]).expect("told success");
    assert_eq!(errno(scan.write_all(&vec![b'x'; 20_000])), EFBIG);
    drop(scan);
    assert!(mount.all_kept().is_empty());
}

#[test]
fn a_refused_draft_reads_back_as_it_was_written() {
    let Some(mount) = mount() else { return };
    let path = mount.row().join("scan");
    let mut scan = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("opened");
    scan.write_all(b"no image").expect("told success");
    scan.sync_all().expect("durable");
    let mut again = String::new();
    File::open(&path).expect("its own draft").read_to_string(&mut again).expect("text");
    assert_eq!(again, "no image");
}

#[test]
fn a_quarantined_file_is_removed_by_rm_r() {
    let Some(mount) = mount() else { return };
    assert_eq!(errno(fs::write(mount.row().join("note"), [b'x'; 5_000])), EFBIG);
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    run("rm", &[Path::new("-r"), &mount.kept().entry]).succeeded();
    assert!(mount.all_kept().is_empty());
}

#[test]
fn a_user_removes_its_own_entries_only() {
    let Some(mount) = mount().filter(|_| may_become_others()) else { return };
    OWNER.shell("echo no image > $1/scan", &[&mount.row()]).succeeded();
    let entry = mount.kept().entry;
    assert_ne!(MEMBER.shell("rm -r $1", &[&entry]).code, 0);
    assert!(entry.exists());
    OWNER.shell("rm -r $1", &[&entry]).succeeded();
    assert!(mount.all_kept().is_empty());
}

#[test]
fn mediafs_refused_lists_retries_and_drops() {
    let Some(mut mount) = mount() else { return };
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    let id = mount.kept().id;
    let listed = mount.command(&["refused"]);
    listed.succeeded();
    let line = &listed.stdout;
    assert!(line.contains(&id) && line.contains("user/42/scan") && line.contains("8 B"), "{line}");
    let json = mount.command(&["refused", "--json"]).stdout;
    let entry: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&entry["rule"], &entry["bytes"]), (&"content_types".into(), &8.into()));
    let again = mount.command(&["refused", "--retry", &id]);
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stderr.contains("content_types"), "{again}");
    assert_eq!(mount.kept().id, id, "kept once");
    mount.command(&["refused", "--drop", &id]).succeeded();
    assert_eq!(mount.command(&["refused"]).stdout, "");
    assert_eq!(mount.command(&["refused", "--drop", &id]).code, 1);
    assert_eq!(mount.command(&["refused", "--drop", "nonsense"]).code, 2);

    assert_eq!(errno(fs::write(mount.row().join("scan"), vec![0; 300_000])), EFBIG);
    let mut note = File::create(mount.row().join("note")).expect("opened");
    note.write_all(b"abc").expect("too short, which the close finds");
    drop(note);
    let id = mount.kept().id;
    mount.configure(config().field("note", "file, max_size = '4 KiB'"));
    mount.stop();
    mount.command(&["refused", "--retry", &id]).succeeded();
    assert_eq!(mount.command(&["refused"]).stdout, "");
    mount.restart();
    assert_eq!(read(&mount.row().join("note")), b"abc", "retried without a daemon");
}

#[test]
fn a_retried_file_is_seen_on_the_mount_at_once() {
    let Some(mut mount) = mount() else { return };
    let old = mount.attach("memo", b"a memo");
    assert_eq!(read(&old), b"a memo");
    let mut note = File::create(mount.row().join("note")).expect("opened");
    note.write_all(b"abc").expect("too short");
    drop(note);
    mount.configure(config().field("note", "file, max_size = '4 KiB'"));
    mount.stop_and_restart();
    let note = mount.attach("note", b"a newer note");
    let id = mount.kept().id;
    mount.command(&["refused", "--retry", &id]).succeeded();
    assert_eq!(read(&note), b"abc");
}

#[test]
fn a_field_without_on_refuse_refuses_with_an_errno() {
    let Some(mount) = mount() else { return };
    assert_eq!(errno(fs::write(mount.row().join("note"), [b'x'; 5_000])), EFBIG);
    let done = run("cp", &[mount.outside("short", b"abc"), mount.row().join("note")]);
    assert_eq!(done.code, 1, "{done}");
}

/// A mount with an entry whose reason.json was damaged while no daemon ran, and the id of the entry.
fn with_reason(damage: impl Fn(&Path)) -> Option<(Mount, String)> {
    let mut mount = mount()?;
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    let id = mount.kept().id;
    mount.stop();
    damage(&mount.library().join("quarantine").join(&id).join("reason.json"));
    mount.restart();
    Some((mount, id))
}

/// Writes a rule into the reason that this version does not know.
fn newer(reason: &Path) {
    let text = fs::read_to_string(reason).expect("a reason");
    assert!(text.contains("content_types"));
    fs::write(reason, text.replace("\"content_types\"", "\"sharpness\"")).expect("written");
}

fn torn(reason: &Path) {
    let text = fs::read_to_string(reason).expect("a reason");
    fs::write(reason, &text[..text.len() / 2]).expect("written");
}

#[test]
fn an_entry_with_an_unreadable_reason_is_listed_and_its_file_can_be_moved_out() {
    let gone = |reason: &Path| fs::remove_file(reason).expect("removed");
    let empty = |reason: &Path| fs::write(reason, "").expect("emptied");
    let damages: [fn(&Path); 4] = [newer, torn, gone, empty];
    for damage in damages {
        let Some((mut mount, id)) = with_reason(damage) else { return };
        let kept = mount.kept();
        assert_eq!((&kept.id, kept.bytes().0.as_slice()), (&id, &b"no image"[..]));
        let listed = mount.command(&["refused"]).stdout;
        assert!(listed.contains(&id) && listed.contains("reason unreadable"), "{listed}");
        assert!(listed.contains("8 B"), "{listed}");
        assert!(kept.reason().contains("reason unreadable"), "{}", kept.reason());
        assert!(mount.log().contains("reasons in the quarantine cannot be read"));
        mount.stop_and_restart();
        let memo = mount.row().join("memo");
        run("mv", &[&kept.file, &memo]).succeeded();
        assert_eq!(read(&memo), b"no image");
        assert!(mount.all_kept().is_empty());
    }
}

#[test]
fn an_entry_with_the_reason_of_a_newer_version_is_retried_and_dropped() {
    let Some((mount, id)) = with_reason(newer) else { return };
    let again = mount.command(&["refused", "--retry", &id]);
    assert!(
        again.code == 1 && again.stderr.contains("content_types"),
        "its path is known: {again}"
    );
    mount.command(&["refused", "--drop", &id]).succeeded();
    assert!(mount.all_kept().is_empty());
    assert_eq!(names(&mount.library().join("quarantine")), [""; 0]);
}

/// A mount after a crash that interrupted drafts of these sizes.
fn interrupted(sizes: &[usize]) -> Option<Mount> {
    let mut mount = mount()?;
    let mut writers = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let mut writer = Peer::start()?;
        let source = mount.outside(&format!("source{number}"), &vec![b'x'; *size]);
        let memo = mount.row_of(&number.to_string()).join("memo");
        writer.open(&memo, NEW).expect("opened");
        writer.write(&source, ":").expect("written");
        writer.tell("os.fsync(fd)");
        writers.push(writer);
    }
    mount.crash_and_restart();
    Some(mount)
}

/// The lengths of the staged files.
fn staged(mount: &Mount) -> Vec<u64> {
    let files = below(&mount.library().join("staging"));
    files.iter().map(|path| fs::metadata(path).expect("stat").len()).collect()
}

#[test]
fn an_interrupted_draft_that_the_quarantine_cannot_take_stays_staged_and_is_reported() {
    let Some(mut mount) = interrupted(&[300_000]) else { return };
    for _ in 0..2 {
        assert!(mount.all_kept().is_empty());
        assert_eq!(staged(&mount), [300_000]);
        let waiting = &mount.status()["awaiting_quarantine"];
        assert_eq!((&waiting["files"], &waiting["bytes"]), (&1.into(), &300_000.into()));
        let told = mount.command(&["status"]).stdout;
        assert!(told.contains("\nwaiting     1 interrupted file of 292.9 KiB"), "{told}");
        assert!(mount.log().contains("interrupted files that the quarantine cannot take"));
        mount.stop_and_restart();
    }
    mount.configure(config().with("quarantine.size = '1 MiB'"));
    mount.stop_and_restart();
    assert_eq!(mount.kept().bytes().len(), 300_000);
    assert_eq!(staged(&mount), [0; 0]);
    assert_eq!(mount.status()["awaiting_quarantine"]["files"], 0);
}

#[test]
fn no_start_evicts_one_interrupted_draft_for_another() {
    let Some(mut mount) = interrupted(&[100_000, 100_000, 100_000]) else { return };
    for _ in 0..2 {
        assert_eq!(mount.all_kept().len(), 2);
        assert_eq!(staged(&mount), [100_000]);
        mount.stop_and_restart();
    }
    fs::remove_dir_all(&mount.all_kept()[0].entry).expect("room");
    mount.stop_and_restart();
    assert_eq!((mount.all_kept().len(), staged(&mount).len()), (2, 0));
}

#[test]
fn an_unlinked_file_is_put_back_when_its_replacement_stays_staged() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = mount() else { return };
    let memo = mount.attach("memo", b"the old one");
    let source = mount.outside("source", &vec![b'x'; 300_000]);
    writer.tell(&format!("os.unlink({memo:?})"));
    writer.open(&memo, NEW).expect("opened");
    writer.write(&source, ":").expect("written");
    writer.tell("os.fsync(fd)");
    mount.crash_and_restart();
    assert_eq!((read(&memo).0, staged(&mount)), (b"the old one".to_vec(), vec![300_000]));
    fs::remove_file(&memo).expect("removed");
    mount.stop_and_restart();
    assert!(names(&mount.row()).is_empty(), "a file that was removed again is not put back");
    assert_eq!(staged(&mount), [300_000]);
}

#[test]
fn a_staged_file_with_an_unknown_name_goes_to_the_quarantine() {
    let Some(mut mount) = mount() else { return };
    mount.stop();
    let staging = mount.library().join("staging");
    fs::write(staging.join("7.of.another.version"), "bytes").expect("written");
    fs::write(staging.join("empty"), "").expect("written");
    mount.restart();
    assert_eq!(mount.kept().bytes(), b"bytes");
    assert_eq!(staged(&mount), [0; 0]);
}
