//! Refusals that their writers are not told, and the use of the quarantine (CONTRACT 4).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{Done, installed, run};
use super::{EFBIG, ENOENT, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("quarantine.size = '256 KiB'")
        .with("mount.allow_other = true")
        .with("mount.dir_mode = '0777'")
        .table("user", "integer")
        // Its writers are told success.
        .field("scan", "image, max_size = '80 KiB', content_types = ['image/png'], min_width = 64, on_refuse = 'quarantine'")
        .field("memo", "file")
        .field("note", "file, min_size = '4 B', max_size = '4 KiB'")
}

fn mount() -> Option<Mount> {
    let mount = config().mount()?;
    mount.row();
    Some(mount)
}

fn quarantine(mount: &Mount) -> PathBuf {
    mount.path(".mediafs/quarantine")
}

/// The one entry of the quarantine: its id and the bytes.
fn kept(mount: &Mount) -> (String, Vec<u8>) {
    let [id] = &names(&quarantine(mount))[..] else { panic!("{:?}", names(&quarantine(mount))) };
    let folder = quarantine(mount).join(id);
    let bytes = names(&folder).into_iter().find(|name| name != "reason.json").expect("bytes");
    (id.clone(), fs::read(folder.join(bytes)).expect("readable"))
}

/// Bytes that are refused early, by their type or their size, and late, at the end; each with the rule.
fn unfit() -> [(&'static str, Vec<u8>); 3] {
    let text = b"no image at all\n".repeat(1_000);
    let small = picture::png(40, 40, 1).to_vec();
    let cut = picture::cut_short(2).to_vec();
    [("content_types", text), ("min_width", small), ("truncated", cut)]
}

#[test]
fn the_writer_is_told_success_and_the_quarantine_has_all_that_was_sent() {
    for (rule, bytes) in unfit() {
        let Some(mount) = mount() else { return };
        let source = mount.outside("source", &bytes);
        let scan = mount.row().join("scan");
        // All writes succeed, which is what an FTP server checks; it ignores the answer of close.
        let done = run("cp", &[&source, &scan]);
        done.succeeded();
        assert_eq!(errno(fs::metadata(&scan)), ENOENT, "{rule}: nothing is attached");
        assert_eq!(kept(&mount).1, bytes, "{rule}: the whole file");
        let said = mount.last_error();
        assert!(said.contains("user/42/scan") && said.contains(rule), "{rule}: {said}");
        let log = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("the log");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[test]
fn the_old_file_stays_under_what_was_refused_in_silence() {
    let Some(mount) = mount() else { return };
    let scan = mount.attach("scan", &picture::good(1));
    fs::write(&scan, picture::png(40, 40, 1)).expect("told success");
    assert_eq!(read(&scan), picture::good(1));
    // Across filesystems, mv removes the target first.
    let source = mount.outside("source.png", &picture::cut_short(2));
    run("mv", &[&source, &scan]).succeeded();
    assert!(!source.exists());
    assert_eq!(read(&scan), picture::good(1));
    assert_eq!(names(&quarantine(&mount)).len(), 2);
}

#[test]
fn success_of_a_refusal_is_durable() {
    let Some(mut mount) = mount() else { return };
    fs::write(mount.row().join("scan"), picture::png(40, 40, 1)).expect("told success");
    mount.kill9();
    run("umount", &["-l", &mount.mountpoint().display().to_string()]).succeeded();
    mount.restart();
    assert_eq!(kept(&mount).1, picture::png(40, 40, 1).to_vec());
}

#[test]
fn scratch_that_is_renamed_onto_it_goes_to_the_quarantine_with_success() {
    let Some(mount) = mount() else { return };
    let (row, sent) = (mount.row(), picture::cut_short(1));
    let mut part = File::create(row.join(".in.scan.tmp")).expect("scratch");
    part.write_all(&sent).expect("written");
    fs::rename(row.join(".in.scan.tmp"), row.join("scan")).expect("told success");
    assert_eq!(names(&row), [""; 0], "neither name is left");
    assert_eq!(kept(&mount).1, sent.to_vec());
    part.write_all(b"more").expect("it is still a draft of the field");
    drop(part);
    assert_eq!(names(&row), [""; 0]);
}

#[test]
fn a_wrong_extension_is_no_error_there() {
    let Some(mount) = mount() else { return };
    fs::write(mount.row().join("scan.gif"), b"GIF89a and more").expect("told success");
    assert_eq!(names(&mount.row()), [""; 0]);
    fs::write(mount.row().join("scan.gif"), picture::good(1)).expect("the bytes decide");
    assert_eq!(names(&mount.row()), ["scan.png"]);
}

#[test]
fn what_the_quarantine_could_never_hold_is_refused_aloud() {
    let Some(mount) = mount() else { return };
    let mut scan = File::create(mount.row().join("scan")).expect("opened");
    scan.write_all(&vec![b'x'; 250_000]).expect("swallowed");
    assert_eq!(errno(scan.write_all(&vec![b'x'; 20_000])), EFBIG);
    drop(scan);
    assert_eq!(names(&quarantine(&mount)), [""; 0]);
}

#[test]
fn a_refused_draft_that_is_read_back_shows_what_was_sent() {
    let Some(mount) = mount() else { return };
    let path = mount.row().join("scan");
    let mut scan = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("opened");
    scan.write_all(b"no image").expect("swallowed");
    scan.sync_all().expect("durable");
    let mut again = String::new();
    File::open(&path).expect("its own").read_to_string(&mut again).expect("text");
    assert_eq!(again, "no image");
}

#[test]
fn a_quarantined_file_is_removed_by_rm_r() {
    let Some(mount) = mount() else { return };
    assert_eq!(errno(fs::write(mount.row().join("note"), [b'x'; 5_000])), EFBIG);
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    let (id, _) = kept(&mount);
    let entry = quarantine(&mount).join(&id);
    run("rm", &["-r".into(), entry.clone()]).succeeded();
    assert!(!entry.exists());
    assert_eq!(names(&quarantine(&mount)), [""; 0]);
}

#[test]
fn everybody_takes_out_what_is_theirs_and_nothing_else() {
    if !installed("setpriv") {
        return;
    }
    let Some(mount) = mount() else { return };
    shell("1001", "echo no image > $1/scan", &mount.row()).succeeded();
    let (id, _) = kept(&mount);
    let entry = quarantine(&mount).join(&id);
    assert_ne!(shell("1002", "rm -r $1", &entry).code, 0);
    assert!(entry.exists());
    shell("1001", "rm -r $1", &entry).succeeded();
    assert_eq!(names(&quarantine(&mount)), [""; 0]);
}

fn shell(user: &str, script: &str, path: &Path) -> Done {
    let path = path.display().to_string();
    let arguments =
        ["--reuid", user, "--regid", user, "--clear-groups", "--", "sh", "-c", script, "sh", &path];
    run("setpriv", &arguments)
}

#[test]
fn mediafs_refused_lists_tries_again_and_drops() {
    let Some(mut mount) = mount() else { return };
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    let (id, _) = kept(&mount);
    let listed = mount.command(&["refused"]);
    listed.succeeded();
    let line = &listed.stdout;
    assert!(line.contains(&id) && line.contains("user/42/scan") && line.contains("8 B"), "{line}");
    let json = mount.command(&["refused", "--json"]).stdout;
    let entry: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&entry["rule"], &entry["bytes"]), (&"content_types".into(), &8.into()));
    let again = mount.command(&["refused", "--retry", &id]);
    assert_eq!(again.code, 1, "it is still no image; {again}");
    assert!(again.stderr.contains("content_types"), "{again}");
    assert_eq!(kept(&mount).0, id, "kept once");
    mount.command(&["refused", "--drop", &id]).succeeded();
    assert_eq!(mount.command(&["refused"]).stdout, "");
    assert_eq!(mount.command(&["refused", "--drop", &id]).code, 1);
    assert_eq!(mount.command(&["refused", "--drop", "nonsense"]).code, 2);

    assert_eq!(errno(fs::write(mount.row().join("scan"), vec![0; 300_000])), EFBIG);
    let mut note = File::create(mount.row().join("note")).expect("opened");
    note.write_all(b"abc").expect("too short, as the close finds");
    drop(note);
    let (id, _) = kept(&mount);
    mount.configure(config().field("note", "file, max_size = '4 KiB'"));
    mount.stop();
    mount.command(&["refused", "--retry", &id]).succeeded();
    assert_eq!(mount.command(&["refused"]).stdout, "");
    mount.restart();
    assert_eq!(read(&mount.row().join("note")), b"abc", "without a daemon too");
}

#[test]
fn a_retry_while_mounted_is_seen_at_once() {
    let Some(mut mount) = mount() else { return };
    let old = mount.attach("memo", b"a memo");
    assert_eq!(read(&old), b"a memo");
    let mut note = File::create(mount.row().join("note")).expect("opened");
    note.write_all(b"abc").expect("too short");
    drop(note);
    mount.configure(config().field("note", "file, max_size = '4 KiB'"));
    mount.stop();
    mount.restart();
    let note = mount.attach("note", b"in between");
    let (id, _) = kept(&mount);
    mount.command(&["refused", "--retry", &id]).succeeded();
    assert_eq!(read(&note), b"abc");
}

#[test]
fn a_field_that_is_not_asked_to_still_refuses_aloud() {
    let Some(mount) = mount() else { return };
    assert_eq!(errno(fs::write(mount.row().join("note"), [b'x'; 5_000])), EFBIG);
    let done = run("cp", &[mount.outside("short", b"abc"), mount.row().join("note")]);
    assert_eq!(done.code, 1, "{done}");
}

/// Refuses a file, and restarts the daemon after `reason` has changed the entry's reason.json.
fn with_reason(reason: impl Fn(&Path)) -> Option<(Mount, String)> {
    let mut mount = mount()?;
    fs::write(mount.row().join("scan"), b"no image").expect("told success");
    let (id, _) = kept(&mount);
    mount.stop();
    reason(&mount.library().join("quarantine").join(&id).join("reason.json"));
    mount.restart();
    Some((mount, id))
}

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
fn bytes_whose_reason_cannot_be_read_are_listed_and_taken_out() {
    let gone = |reason: &Path| fs::remove_file(reason).expect("removed");
    let empty = |reason: &Path| fs::write(reason, "").expect("emptied");
    let damages: [fn(&Path); 4] = [newer, torn, gone, empty];
    for damage in damages {
        let Some((mut mount, id)) = with_reason(damage) else { return };
        assert_eq!(kept(&mount), (id.clone(), b"no image".to_vec()));
        let listed = mount.command(&["refused"]).stdout;
        assert!(listed.contains(&id) && listed.contains("reason unreadable"), "{listed}");
        assert!(listed.contains("8 B"), "{listed}");
        let entry = quarantine(&mount).join(&id);
        let reason = fs::read_to_string(entry.join("reason.json")).expect("it says what is known");
        assert!(reason.contains("reason unreadable"), "{reason}");
        assert!(mount.log().contains("reasons in the quarantine cannot be read"), "told");
        mount.stop();
        mount.restart();
        let file = names(&entry).into_iter().find(|it| it != "reason.json").expect("bytes");
        let memo = mount.row().join("memo");
        run("mv", &[entry.join(file), memo.clone()]).succeeded();
        assert_eq!(read(&memo), b"no image");
        assert_eq!(names(&quarantine(&mount)), [""; 0]);
    }
}

#[test]
fn an_entry_whose_reason_is_of_a_newer_version_is_tried_again_and_dropped() {
    let Some((mount, id)) = with_reason(newer) else { return };
    let again = mount.command(&["refused", "--retry", &id]);
    assert!(
        again.code == 1 && again.stderr.contains("content_types"),
        "its path is known: {again}"
    );
    mount.command(&["refused", "--drop", &id]).succeeded();
    assert_eq!(names(&quarantine(&mount)), [""; 0]);
    assert_eq!(fs::read_dir(mount.library().join("quarantine")).expect("listed").count(), 0);
}

/// Mounts after a crash has interrupted drafts of these sizes.
fn interrupted(sizes: &[usize]) -> Option<Mount> {
    let mut mount = mount()?;
    let mut writers = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let mut writer = Peer::start()?;
        let source = mount.outside(&format!("source{number}"), &vec![b'x'; *size]);
        let memo = mount.row_of(&number.to_string()).join("memo");
        writer.open(&memo, "os.O_WRONLY | os.O_CREAT").expect("opened");
        writer.write(&source, ":").expect("written");
        writer.tell("os.fsync(fd)");
        writers.push(writer);
    }
    mount.kill9();
    mount.restart();
    Some(mount)
}

fn staged(mount: &Mount) -> Vec<u64> {
    let entries = fs::read_dir(mount.library().join("staging")).expect("listed");
    entries.map(|it| it.expect("an entry").metadata().expect("stat").len()).collect()
}

#[test]
fn an_interrupted_draft_that_the_quarantine_cannot_take_stays_staged_and_is_told_of() {
    let Some(mut mount) = interrupted(&[300_000]) else { return };
    for _ in 0..2 {
        assert_eq!(names(&quarantine(&mount)), [""; 0]);
        assert_eq!(staged(&mount), [300_000]);
        let waiting = &mount.status()["awaiting_quarantine"];
        assert_eq!((&waiting["files"], &waiting["bytes"]), (&1.into(), &300_000.into()));
        let told = mount.command(&["status"]).stdout;
        assert!(told.contains("\nwaiting     1 interrupted file of 292.9 KiB"), "{told}");
        assert!(mount.log().contains("interrupted files that the quarantine cannot take"));
        mount.stop();
        mount.restart();
    }
    mount.stop();
    mount.configure(config().with("quarantine.size = '1 MiB'"));
    mount.restart();
    assert_eq!(kept(&mount).1.len(), 300_000);
    assert_eq!(staged(&mount), [0; 0]);
    assert_eq!(mount.status()["awaiting_quarantine"]["files"], 0);
}

#[test]
fn interrupted_drafts_push_each_other_out_at_no_start() {
    let Some(mut mount) = interrupted(&[100_000, 100_000, 100_000]) else { return };
    for _ in 0..2 {
        assert_eq!(names(&quarantine(&mount)).len(), 2);
        assert_eq!(staged(&mount), [100_000]);
        mount.stop();
        mount.restart();
    }
    let first = quarantine(&mount).join(&names(&quarantine(&mount))[0]);
    fs::remove_dir_all(first).expect("room");
    mount.stop();
    mount.restart();
    assert_eq!((names(&quarantine(&mount)).len(), staged(&mount).len()), (2, 0));
}

#[test]
fn a_file_that_was_deleted_first_is_back_though_the_new_one_finds_no_quarantine() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = mount() else { return };
    let memo = mount.attach("memo", b"the old one");
    let source = mount.outside("source", &vec![b'x'; 300_000]);
    writer.tell(&format!("os.unlink({memo:?})"));
    writer.open(&memo, "os.O_WRONLY | os.O_CREAT").expect("opened");
    writer.write(&source, ":").expect("written");
    writer.tell("os.fsync(fd)");
    mount.kill9();
    mount.restart();
    assert_eq!((read(&memo).0, staged(&mount)), (b"the old one".to_vec(), vec![300_000]));
    fs::remove_file(&memo).expect("removed, by somebody who means it");
    mount.stop();
    mount.restart();
    assert_eq!((names(&mount.row()), staged(&mount)), (Vec::<String>::new(), vec![300_000]));
}

#[test]
fn a_staged_file_with_a_name_that_says_nothing_goes_to_the_quarantine() {
    let Some(mut mount) = mount() else { return };
    mount.stop();
    let staging = mount.library().join("staging");
    fs::write(staging.join("7.of.another.version"), "bytes").expect("written");
    fs::write(staging.join("empty"), "").expect("written");
    mount.restart();
    assert_eq!(kept(&mount).1, b"bytes");
    assert_eq!(staged(&mount), [0; 0]);
}
