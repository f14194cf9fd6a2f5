//! `/originals`: the bytes as they were sent, writable like `/models`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::attribute::{set, text as fact};
use super::daemon::Mount;
use super::library_files::files;
use super::picture::{self, Bytes, JPEG};
use super::tool::{Done, installed, run, shell};
use super::{EBADMSG, ENOENT, EPERM, errno, names, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("stores.cold.path = 'cold'")
        .table("user", "integer")
        // Stored as sent, if it was sent without metadata.
        .field("avatar", "image, keep_original = true")
        // Never stored as sent.
        .field("cover", "image, format = 'jpeg', keep_original = true")
        .field("scan", "image, format = 'jpeg', keep_original = true, store = 'cold'")
        .field("photos", "image, collection = 'list', fit = '32x32', keep_original = true")
        .field("badge", "image")
        .table("page", "name")
        .field("cover", "image")
}

impl Mount {
    /// A path in row user/42 under `/originals`.
    fn original(&self, name: &str) -> PathBuf {
        self.row();
        self.path("originals/user/42").join(name)
    }

    /// A path in row user/42 under `/models`.
    fn model(&self, name: &str) -> PathBuf {
        self.row().join(name)
    }

    fn blobs(&self) -> usize {
        files(&self.library().join("blobs")).len()
    }
}

/// Bytes that are stored as `good(1)`, sent with an addition.
fn sent_with(more: &[u8]) -> Bytes {
    Bytes([&*picture::good(1), more].concat())
}

#[test]
fn originals_show_the_bytes_as_they_were_sent() {
    let Some(mut mount) = config().mount() else { return };
    let cover = mount.attach("cover", &picture::good(1));
    let original = mount.original("cover");
    assert!(read(&cover).starts_with(JPEG));
    assert_eq!(read(&original), picture::good(1));
    let (stored, sent) =
        (fs::metadata(&cover).expect("stat"), fs::metadata(&original).expect("stat"));
    assert_eq!(sent.len(), picture::good(1).len() as u64);
    assert_eq!((stored.mtime(), stored.mtime_nsec()), (sent.mtime(), sent.mtime_nsec()));
    assert_eq!((stored.uid(), stored.gid(), stored.mode()), (sent.uid(), sent.gid(), sent.mode()));
    assert_ne!(stored.ino(), sent.ino());
    mount.crash_and_restart();
    assert_eq!(read(&original), picture::good(1));
    assert_eq!(fs::metadata(&original).expect("stat").ino(), sent.ino());
}

#[test]
fn an_original_is_listed_as_it_was_written_and_resolves_by_its_own_type() {
    let Some(mount) = config().mount() else { return };
    mount.attach("cover.png", &picture::good(1));
    assert_eq!(names(&mount.original("")), ["cover.png", "photos"]);
    assert_eq!(names(&mount.row()), ["cover.jpg", "photos"]);
    for name in ["cover", "cover.png"] {
        assert_eq!(read(&mount.original(name)), picture::good(1), "{name}");
    }
    for name in ["cover.jpg", "cover.webp", "cover@w64.jpg", "row.json"] {
        assert_eq!(errno(fs::metadata(mount.original(name))), ENOENT, "{name}");
    }
}

#[test]
fn only_fields_that_keep_originals_are_there() {
    let Some(mount) = config().mount() else { return };
    mount.attach("badge", &picture::good(1));
    assert_eq!(names(&mount.path("originals")), ["user"]);
    assert_eq!(errno(fs::metadata(mount.path("originals/page"))), ENOENT);
    assert_eq!(errno(fs::metadata(mount.original("badge"))), ENOENT);
    assert_eq!(errno(File::create(mount.original("badge"))), EPERM);
    assert_eq!(names(&mount.original("")), ["photos"]);
    let Some(none) = Mount::start() else { return };
    assert!(!names(&none.path("")).contains(&"originals".to_owned()));
    assert_eq!(errno(fs::metadata(none.path("originals"))), ENOENT);
}

#[test]
fn bytes_that_are_stored_as_they_were_sent_are_stored_once() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!(mount.blobs(), 1);
    assert_eq!(read(&mount.original("avatar")), picture::good(1));
    mount.attach("cover", &picture::good(2));
    assert_eq!(mount.blobs(), 3, "the stored cover and its original");
    fs::remove_file(mount.model("cover")).expect("removed");
    mount.collect();
    assert_eq!(mount.blobs(), 1, "an original goes with its link");
    fs::remove_file(avatar).expect("removed");
    mount.collect();
    assert_eq!(mount.blobs(), 0);
}

#[test]
fn a_file_sent_to_originals_reads_back_unchanged() {
    let Some(mount) = config().mount() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&source).and_then(|it| it.set_modified(then)).expect("a time");
    for name in ["cover", "photos/front.png"] {
        let target = mount.original(name);
        run("cp", &[Path::new("-p"), &source, &target]).succeeded();
        run("cmp", &[&source, &target]).succeeded();
        assert_eq!(fs::metadata(&target).expect("stat").modified().expect("a time"), then);
    }
    assert!(read(&mount.model("cover")).starts_with(JPEG));
    let small = read(&mount.model("photos/front.png"));
    assert!(picture::png_size(&small).0 <= 32);
}

/// A tree of rows outside of the mount, with files for their fields.
fn tree(mount: &Mount) -> PathBuf {
    let root = mount.beside("rows");
    for (row, seed) in [("7", 1), ("8", 2)] {
        fs::create_dir_all(root.join(row).join("photos")).expect("a directory");
        for (name, more) in [("cover.png", 0), ("photos/one.png", 4), ("photos/two.png", 8)] {
            fs::write(root.join(row).join(name), picture::good(seed + more)).expect("a picture");
        }
    }
    // A collection shows the time of its row.
    shell("find \"$1\" -type d -exec touch -d @1000000000 {} +", &[&root]).succeeded();
    root
}

fn rsync(options: &[&str], mount: &Mount, root: &Path) -> Done {
    let (from, to) = (format!("{}/", root.display()), mount.path("originals/user"));
    let to = format!("{}/", to.display());
    let all = [options, &["--itemize-changes", &from, &to]].concat();
    run("rsync", &all)
}

#[test]
fn a_second_rsync_of_an_unchanged_tree_sends_nothing() {
    if !installed("rsync") {
        return;
    }
    for options in [&["-a"][..], &["-a", "--size-only"], &["-a", "--inplace"], &["-a", "-c"]] {
        let Some(mount) = config().mount() else { return };
        let root = tree(&mount);
        let first = rsync(options, &mount, &root);
        first.succeeded();
        assert_eq!(first.stdout.matches("<f+").count() + first.stdout.matches(">f+").count(), 6);
        let again = rsync(options, &mount, &root);
        again.succeeded();
        assert_eq!(again.stdout, "", "{options:?}");
        run("diff", &[Path::new("-r"), &root, &mount.path("originals/user")]).succeeded();
        assert!(read(&mount.path("models/user/8/cover.jpg")).starts_with(JPEG));
        fs::write(root.join("8/cover.png"), picture::good(77)).expect("changed");
        let third = rsync(&["-a", "-c"], &mount, &root);
        assert_eq!(third.stdout.lines().count(), 1, "{third}");
        assert_eq!(read(&mount.path("originals/user/8/cover")), picture::good(77));
    }
}

#[test]
fn scratch_of_a_row_is_the_same_in_both_trees() {
    let Some(mount) = config().mount() else { return };
    fs::write(mount.original("upload.part"), picture::good(1)).expect("written");
    assert_eq!(names(&mount.original("")), ["photos", "upload.part"]);
    assert_eq!(names(&mount.row()), ["photos", "upload.part"]);
    assert_eq!(read(&mount.model("upload.part")), picture::good(1));
    fs::rename(mount.original("upload.part"), mount.original("cover.png")).expect("attached");
    assert_eq!(read(&mount.original("cover.png")), picture::good(1));
    assert_eq!(names(&mount.row()), ["cover.jpg", "photos"]);
    fs::rename(mount.original("cover.png"), mount.original("cover.bak")).expect("a backup");
    assert_eq!(
        read(&mount.original("cover.bak")),
        picture::good(1),
        "the backup has the bytes as they were sent"
    );
    assert_eq!(errno(fs::metadata(mount.model("cover.jpg"))), ENOENT);
}

#[test]
fn a_change_in_one_tree_is_seen_in_the_other_at_once() {
    let Some(mount) = config().mount() else { return };
    let cover = mount.attach("cover", &picture::good(1));
    let other = mount.row_of("43").join("cover");
    fs::hard_link(&cover, mount.row_of("44").join("cover")).expect("another name");
    let ino = fs::metadata(&cover).expect("stat").ino();
    fs::rename(mount.original("cover"), mount.path("originals/user/43/cover")).expect("moved");
    assert_eq!(errno(fs::metadata(&cover)), ENOENT);
    assert_eq!(fs::metadata(&other).expect("stat").ino(), ino);
    fs::write(mount.path("originals/user/43/cover"), picture::good(2)).expect("replaced");
    assert_ne!(fs::metadata(&other).expect("stat").ino(), ino);
    fs::remove_file(mount.path("originals/user/43/cover")).expect("removed");
    assert_eq!(errno(fs::metadata(&other)), ENOENT);
    fs::rename(mount.path("originals/user/43"), mount.path("originals/user/45")).expect("a row");
    assert_eq!(errno(fs::metadata(mount.path("models/user/43"))), ENOENT);
    assert!(mount.path("models/user/45").is_dir());
    fs::remove_dir(mount.path("originals/user/45")).expect("an empty row");
    assert_eq!(errno(fs::metadata(mount.path("models/user/45"))), ENOENT);
    fs::create_dir(mount.path("originals/user/46")).expect("a row");
    fs::write(mount.path("models/user/46/cover"), picture::good(3)).expect("attached");
    assert_eq!(read(&mount.path("originals/user/46/cover")), picture::good(3));
    fs::remove_file(mount.path("models/user/46/cover")).expect("removed");
    assert_eq!(errno(fs::metadata(mount.path("originals/user/46/cover"))), ENOENT);
}

#[test]
fn a_writer_under_originals_starts_from_the_original_bytes() {
    let Some(mount) = config().mount() else { return };
    mount.attach("cover", &sent_with(b"one"));
    let original = mount.original("cover");
    let script = r#"python3 - "$1" <<'END'
import sys
path = sys.argv[1]
with open(path, "r+b") as file:
    file.seek(-3, 2)
    file.write(b"two!")
    file.flush()
    assert open(path, "rb").read().endswith(b"two!"), "the draft"
END"#;
    shell(script, &[&original]).succeeded();
    assert_eq!(read(&original), sent_with(b"two!"));
    assert!(read(&mount.model("cover")).starts_with(JPEG));
    let length = picture::good(1).len().to_string();
    run("truncate", &["-s", &length, original.to_str().expect("UTF-8")]).succeeded();
    assert_eq!(read(&original), picture::good(1));
}

#[test]
fn a_refusal_under_originals_names_the_field() {
    let Some(mount) = config().mount() else { return };
    mount.attach("cover", &picture::good(1));
    let source = mount.outside("source.png", &picture::cut_short(2));
    let done = run("cp", &[&source, &mount.original("cover")]);
    assert_eq!(done.code, 1, "{done}");
    mount.last_error_has("user/42/cover", "truncated");
    assert_eq!(read(&mount.original("cover")), picture::good(1));
    fs::write(mount.original("x.part"), picture::cut_short(2)).expect("scratch");
    let renamed = fs::rename(mount.original("x.part"), mount.original("cover"));
    assert_eq!(errno(renamed), EBADMSG);
    assert_eq!(read(&mount.original("cover")), picture::good(1));
}

#[test]
fn another_original_of_the_same_picture_replaces_the_original_alone() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &sent_with(b"one"));
    let original = mount.original("avatar");
    assert_eq!(read(&avatar), picture::good(1));
    let ino = fs::metadata(&avatar).expect("stat").ino();
    let mut reader = File::open(&original).expect("open");
    let mut beginning = [0; 8];
    reader.read_exact(&mut beginning).expect("read");
    mount.attach("avatar", &sent_with(b"another"));
    assert_eq!(fs::metadata(&avatar).expect("stat").ino(), ino, "the attachment is the same");
    assert_eq!(read(&original), sent_with(b"another"));
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("read");
    assert!(rest.ends_with(b"one"), "an open file keeps its bytes");
    assert_eq!(fs::metadata(&original).expect("stat").len(), sent_with(b"another").len() as u64);
}

#[test]
fn facts_of_an_original_are_those_of_its_bytes() {
    let Some(mount) = config().mount() else { return };
    let cover = mount.attach("cover", &picture::good(1));
    let original = mount.original("cover");
    let hash = format!("blake3:{}", blake3::hash(&picture::good(1)));
    assert_eq!(fact(&original, "user.mediafs.hash"), hash);
    assert_eq!(fact(&original, "user.mediafs.content_type"), "image/png");
    assert_eq!(fact(&original, "user.mime_type"), "image/png");
    assert_eq!(fact(&original, "user.mediafs.length"), picture::good(1).len().to_string());
    assert_eq!(fact(&cover, "user.mediafs.content_type"), "image/jpeg");
    set(&original, "user.note", b"x").expect("set");
    assert_eq!(fact(&cover, "user.note"), "x");
    run("chmod", &["600", original.to_str().expect("UTF-8")]).succeeded();
    assert_eq!(fs::metadata(&cover).expect("stat").mode() & 0o777, 0o600);
}

#[test]
fn an_original_is_kept_in_its_fields_store_and_moves_with_it() {
    let Some(mount) = config().mount() else { return };
    mount.attach("scan", &picture::good(1));
    assert_eq!(mount.blobs(), 0);
    fs::rename(mount.model("scan"), mount.model("cover")).expect("moved");
    assert_eq!(mount.blobs(), 2);
    assert_eq!(read(&mount.original("cover")), picture::good(1));
    fs::rename(mount.original("cover"), mount.original("scan")).expect("moved back");
    mount.collect();
    assert_eq!(read(&mount.original("scan")), picture::good(1));
}
