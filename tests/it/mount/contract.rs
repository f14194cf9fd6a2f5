//! Sentences of the contract that belong to no other file. Each test is named after its sentence.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{installed, run};
use super::{
    EINVAL, EMEDIUMTYPE, ENOENT, EPERM, ERANGE, EROFS, EXDEV, config, errno, names, picture, read,
};
use crate::config::Config;
use crate::wait::until;

const FRESH: &str = "os.O_WRONLY | os.O_CREAT | os.O_TRUNC";

#[test]
fn renaming_a_field_to_its_own_alias_changes_nothing() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let before = fs::metadata(&avatar).expect("stat");
    fs::rename(&avatar, mount.row().join("avatar.png")).expect("nothing to do");
    let after = fs::metadata(&avatar).expect("stat");
    assert_eq!((before.ino(), before.nlink()), (after.ino(), after.nlink()));
    assert_eq!(names(&mount.row()), ["avatar"]);
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn unlisted_names_keep_no_directory_from_being_removed() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let avatar = mount.attach("avatar", &picture::good(1));
    for unlisted in ["avatar.png", "avatar@w64.jpg", "row.json"] {
        assert!(row.join(unlisted).exists(), "{unlisted}");
    }
    fs::remove_file(&avatar).expect("removed");
    fs::remove_dir(&row).expect("nothing is left that is listed");
}

#[test]
fn an_id_is_checked_by_the_rule_of_its_table() {
    let table = |config: Config, id: &str| config.table(id, id).field("f", "file");
    let config = ["integer", "uuid", "name"].into_iter().fold(Config::new(), table);
    let Some(mount) = config.mount() else { return };
    let uuid = "6f1f3c1e-7f0a-4f5e-9d4b-0c2a4f6e8d10";
    for (table, good, bad) in [
        ("integer", "42", "042"),
        ("integer", "0", "x"),
        ("uuid", uuid, "42"),
        ("name", "a b", ".a"),
    ] {
        let table = mount.path("models").join(table);
        fs::create_dir(table.join(good)).expect(good);
        assert_eq!(errno(fs::create_dir(table.join(bad))), EINVAL, "{bad}");
        let row = table.join(good);
        assert_eq!(errno(fs::rename(&row, table.join(bad))), EINVAL, "{bad}");
    }
}

#[test]
fn case_counts() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    mount.attach("avatar", &picture::good(1));
    fs::write(row.join("Avatar"), "scratch").expect("scratch");
    assert_eq!(names(&row), ["Avatar", "avatar"]);
    assert!(!mount.path("models/User").exists());
}

#[test]
fn what_a_directory_lists_never_depends_on_who_asks() {
    if !installed("setpriv") {
        return;
    }
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = config().with("mount.allow_other = true").mount() else { return };
    let row = mount.row();
    mount.attach("avatar", &picture::good(1));
    fs::write(row.join(".memo.part"), "root's alone to read").expect("scratch");
    let source = mount.outside("new.txt", b"a text");
    writer.open(&row.join("memo"), FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    let all = "['.memo.part', 'avatar', 'memo']";
    assert_eq!(writer.tell(&format!("sorted(os.listdir({row:?}))")), all, "its writer");
    for user in ["--reuid=0", "--reuid=1234"] {
        let path = row.display().to_string();
        let seen = run("setpriv", &[user, "--clear-groups", "ls", "-A", &path]);
        assert_eq!(seen.stdout, ".memo.part\navatar\nmemo\n", "{user}: {seen}");
    }
}

#[test]
fn any_other_name_in_a_row_is_an_ordinary_file_of_its_user() {
    let Some(mount) = Mount::start() else { return };
    let path = mount.row().join("notes.bin");
    fs::write(&path, picture::cut_short(1)).expect("unvalidated");
    let meta = fs::metadata(&path).expect("stat");
    assert_eq!((meta.permissions().mode() & 0o7777, meta.uid()), (0o600, 0));
    fs::write(mount.row().join("empty"), "").expect("empty");
    assert_eq!(names(&mount.row()), ["empty", "notes.bin"]);
    let file = OpenOptions::new().write(true).open(&path).expect("it opens again");
    file.write_all_at(b"zz", 1).expect("it is written in place");
    assert_eq!(&read(&path).0[..3], &[picture::cut_short(1).0[0], b'z', b'z']);
}

#[test]
fn scratch_that_expires_goes_to_the_quarantine_and_never_to_nothing() {
    let Some(mut mount) = config().with("library.scratch = '1s'").mount() else { return };
    fs::write(mount.row().join("lost.txt"), "bytes").expect("scratch");
    // The daemon looks for expired scratch once a minute and at every start. It keeps the bytes before it removes the name.
    mount.stop();
    mount.restart();
    until("it has expired", || names(&mount.row()).is_empty());
    let quarantine = mount.path(".mediafs/quarantine");
    let entry = names(&quarantine).pop().expect("an entry");
    assert_eq!(read(&quarantine.join(entry).join("lost.txt")).0, b"bytes");
    assert_eq!(names(&mount.row()), [""; 0]);
}

#[test]
fn scratch_never_fails_rmdir() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("notes.txt"), "kept").expect("scratch");
    fs::remove_dir(&row).expect("removed");
    assert_eq!(names(&mount.path(".mediafs/quarantine")).len(), 1, "with bytes it is kept");
}

#[test]
fn inode_numbers_are_stable_over_restarts() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let paths = [mount.row(), avatar, mount.path("models"), mount.path("thumbs/user/42/avatar")];
    let inodes = || paths.iter().map(|path| fs::metadata(path).expect("stat").ino()).collect();
    let before: Vec<u64> = inodes();
    mount.stop();
    mount.restart();
    assert_eq!(before, inodes());
}

#[test]
fn a_row_is_renamed_onto_an_empty_one_and_not_across_tables() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let (row, empty) = (mount.row(), mount.row_of("43"));
    let inode = fs::metadata(&row).expect("stat").ino();
    fs::rename(&row, &empty).expect("43 is empty");
    assert_eq!(fs::metadata(&empty).expect("stat").ino(), inode);
    assert_eq!(read(&empty.join("avatar")), picture::good(1));
    let other = mount.row_of("44");
    fs::write(other.join("avatar"), picture::good(2)).expect("taken");
    assert!(fs::rename(&empty, &other).is_err(), "44 is not empty");
    assert_eq!(errno(fs::rename(&empty, mount.path("models/page/43"))), EXDEV);
}

#[test]
fn a_read_only_tree_is_erofs_to_every_change() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.stop();
    mount.restart_with(&["-o", "ro"]);
    assert_eq!(read(&avatar), picture::good(1));
    let row = mount.path("models/user/42");
    for change in [
        fs::write(row.join("avatar"), "x"),
        fs::write(row.join("memo"), "x"),
        fs::remove_file(&avatar),
        fs::create_dir(mount.path("models/user/7")),
        fs::rename(&avatar, row.join("cover")),
        fs::set_permissions(&avatar, fs::Permissions::from_mode(0o600)),
    ] {
        assert_eq!(errno(change), EROFS);
    }
}

#[test]
fn enoent_is_never_used_for_a_refusal() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let told = [
        errno(fs::write(row.join("avatar"), "no picture")),
        errno(fs::write(row.join("avatar.pdf"), "no picture")),
        errno(fs::write(row.join("avatar"), picture::png(40, 40, 1))),
        errno(fs::create_dir(row.join("folder"))),
        errno(fs::create_dir(mount.path("models/nothing"))),
        errno(fs::write(row.join("avatar@w64.jpg"), "x")),
    ];
    assert_eq!(told, [EMEDIUMTYPE, EMEDIUMTYPE, ERANGE, EPERM, EPERM, EROFS]);
    assert_eq!(errno(fs::read(row.join("avatar"))), ENOENT, "only what is not there is not there");
}

#[test]
fn writes_may_come_in_any_order_and_are_judged_at_close() {
    let Some(mount) = Mount::start() else { return };
    let bytes = picture::good(1).0;
    let half = bytes.len() / 2;
    let path = mount.row().join("avatar");
    let file = File::create(&path).expect("opened");
    file.write_all_at(&bytes[half..], half as u64).expect("the end first");
    file.write_all_at(&bytes[..half], 0).expect("the beginning last");
    drop(file);
    assert_eq!(read(&path), picture::good(1));
    let script = "import os, sys\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n\
        os.pwrite(fd, b'no picture at all', 4096)\nos.pwrite(fd, b'x' * 4096, 0)\nos.close(fd)\n";
    let done = run("python3", &["-c", script, &path.display().to_string()]);
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(read(&path), picture::good(1), "the old one stays");
}

#[test]
fn stored_bytes_are_copied_when_they_are_changed_and_never_at_open() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"the old text\n");
    let staged = || names(&mount.library().join("staging")).len();
    writer.open(&memo, "os.O_RDWR").expect("opened");
    assert_eq!(writer.tell("os.pread(fd, 3, 4)"), "b'old'");
    assert_eq!(staged(), 0, "nobody has changed anything");
    writer.tell("os.pwrite(fd, b'new', 4)");
    assert_eq!(staged(), 1);
    writer.close().expect("taken");
    assert_eq!((staged(), read(&memo).0), (0, b"the new text\n".to_vec()));
}

#[test]
fn copy_file_range_ftruncate_and_lseek_work_on_a_draft() {
    const ENXIO: i32 = 6;
    let Some(mut writer) = Peer::start() else { return };
    let Some(mount) = Mount::start() else { return };
    let (bytes, memo) = (picture::good(1), mount.row().join("memo"));
    let (avatar, size) = (mount.attach("avatar", &bytes), bytes.len());
    writer.open(&memo, "os.O_RDWR | os.O_CREAT").expect("opened");
    writer.tell(&format!("(source := os.open({avatar:?}, os.O_RDONLY))"));
    let copied = writer.tell(&format!("os.copy_file_range(source, fd, {size})"));
    assert_eq!(copied, size.to_string(), "within the tree the kernel asks the daemon");
    writer.tell("os.ftruncate(fd, 1 << 20)");
    assert_eq!(writer.tell("os.lseek(fd, 0, os.SEEK_END)"), (1 << 20).to_string());
    assert_eq!(writer.tell("os.lseek(fd, 0, os.SEEK_DATA)"), "0");
    let hole: usize = writer.tell("os.lseek(fd, 0, os.SEEK_HOLE)").parse().expect("a number");
    assert!((size..1 << 20).contains(&hole), "{hole}");
    assert_eq!(writer.ask(&format!("os.lseek(fd, {hole}, os.SEEK_DATA)")), Err(ENXIO));
    writer.close().expect("taken");
    let stored = read(&memo);
    assert_eq!((&stored[..size], stored.len()), (&bytes[..], 1 << 20));
    assert!(stored[size..].iter().all(|byte| *byte == 0));
}

#[test]
fn fsync_makes_a_draft_durable_and_reports_a_refusal_that_is_known() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let (row, text) = (mount.row(), mount.outside("text", b"no picture"));
    writer.open(&row.join("avatar"), FRESH).expect("opened");
    assert_eq!(writer.write(&text, ":"), Err(EMEDIUMTYPE));
    assert_eq!(writer.ask("os.fsync(fd)"), Err(EMEDIUMTYPE));
    assert_eq!(writer.close(), Err(EMEDIUMTYPE));
    writer.open(&row.join("memo"), FRESH).expect("opened");
    writer.write(&text, ":").expect("written");
    writer.ask("os.fsync(fd)").expect("durable");
    mount.kill9();
    mount.restart();
    let quarantine = mount.path(".mediafs/quarantine");
    let entry = names(&quarantine).pop().expect("it was durable");
    assert_eq!(read(&quarantine.join(entry).join("memo")).0, b"no picture");
}

#[test]
fn one_refusal_has_one_id_in_every_layer() {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("bad.png", &picture::cut_short(1));
    let avatar = mount.row().join("avatar");
    let done = run("cp", &[&source, &avatar]);
    assert_eq!(done.code, 1, "{done}");
    let last = mount.last_error();
    let id = last.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    let journal = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("the journal");
    assert!(journal.contains(&format!("\"id\":\"{id}\"")), "{journal}");
    let reason = mount.path(".mediafs/quarantine").join(&id).join("reason.json");
    assert!(fs::read_to_string(reason).expect("the reason").contains(&id));
    assert!(mount.log().contains(&id), "and in the daemon's log");
}

#[test]
fn variants_views_and_control_files_are_erofs() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    for path in [
        "thumbs/user/42/avatar/w64.jpg",
        "thumbs/user/42/avatar/w999999.jpg",
        "thumbs/user/42/x",
        "models/user/42/avatar@w64.jpg",
        ".mediafs/status.json",
        ".mediafs/last-error",
        ".mediafs/anything",
    ] {
        assert_eq!(errno(fs::write(mount.path(path), "x")), EROFS, "{path}");
    }
}

#[test]
fn a_directory_of_many_rows_streams() {
    let Some(mount) = Mount::start() else { return };
    let table = mount.path("models/user");
    for id in 0..3_000 {
        fs::create_dir(table.join(id.to_string())).expect("a row");
    }
    let mut seen = BTreeMap::new();
    for (count, entry) in fs::read_dir(&table).expect("it opens").enumerate() {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        // Rows are removed and made while the directory is read. Those that stay are listed once.
        if count == 1_000 {
            fs::remove_dir(table.join("2999")).expect("removed");
            fs::create_dir(table.join("5000")).expect("made");
        }
        *seen.entry(name).or_insert(0) += 1;
    }
    assert!((0..2_999).all(|id| seen.get(&id.to_string()) == Some(&1)), "each once");
}

#[test]
fn uploads_in_chunks_go_to_a_scratch_name_and_are_renamed() {
    let Some(mount) = Mount::start() else { return };
    let part = mount.row().join("avatar.png.part");
    for chunk in picture::good(1).0.chunks(100) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(&part).expect("opened again");
        file.write_all(chunk).expect("appended");
    }
    fs::rename(&part, mount.row().join("avatar.png")).expect("attached");
    assert_eq!(read(&mount.row().join("avatar")), picture::good(1));
}

#[test]
fn the_mtime_of_a_directory_changes_with_its_entries() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let time = |path: &Path| fs::metadata(path).expect("stat").modified().expect("a time");
    let mut last = time(&row);
    let mut moved = |what: &str| {
        let now = time(&row);
        assert!(now > last, "{what}");
        last = now;
    };
    mount.attach("avatar", &picture::good(1));
    moved("attached");
    fs::write(row.join("notes.txt"), "x").expect("scratch");
    moved("scratch made");
    fs::rename(row.join("notes.txt"), row.join("memo")).expect("attached");
    moved("renamed");
    fs::remove_file(row.join("avatar")).expect("removed");
    moved("removed");
    let table = mount.path("models/user");
    let before = time(&table);
    fs::create_dir(table.join("77")).expect("a row");
    assert!(time(&table) > before, "a row was made");
}

#[test]
fn locks_are_the_kernels() {
    let Some(mut holder) = Peer::start() else { return };
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    holder.open(&memo, "os.O_RDONLY").expect("opened");
    holder.tell("__import__('fcntl').flock(fd, 2)");
    let locked = |path: &Path| run("flock", &["-n", &path.display().to_string(), "true"]).code;
    assert_ne!(locked(&memo), 0, "somebody else has it");
    holder.tell("__import__('fcntl').flock(fd, 8)");
    assert_eq!(locked(&memo), 0);
}

#[test]
fn a_draft_that_outlasts_the_end_is_in_the_quarantine() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let row = mount.row();
    let source = mount.outside("text", b"half a text");
    writer.open(&row.join("memo"), FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    mount.terminate();
    // The draft is open for longer than the 30 s that the daemon waits.
    assert_eq!(mount.wait().code(), Some(0), "a clean end");
    mount.restart();
    let quarantine = mount.path(".mediafs/quarantine");
    let entry = names(&quarantine).pop().expect("an entry");
    assert_eq!(read(&quarantine.join(entry).join("memo")).0, b"half a text");
    assert_eq!(errno(fs::read(mount.row().join("memo"))), ENOENT);
}
