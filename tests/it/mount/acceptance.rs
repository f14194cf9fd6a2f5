//! The main job with the sample configuration and a camera's photo, as a new user would do it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::daemon::Mount;
use super::server::Server;
use super::tool::{Done, installed, run, shell};
use super::{EBADMSG, errno, names, picture, read, rest};

pub fn sample() -> Option<Mount> {
    sample_with(|config| config)
}

fn sample_with(change: impl FnOnce(String) -> String) -> Option<Mount> {
    let directory = tempfile::tempdir().expect("a directory");
    let done = Command::new(env!("CARGO_BIN_EXE_mediafs"))
        .arg("init")
        .arg(directory.path())
        .output()
        .expect("mediafs runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let config = fs::read_to_string(directory.path().join("mediafs.toml")).expect("the sample");
    Mount::with(change(config))
}

fn exif(path: &Path) -> Done {
    let tags = ["-s", "-Orientation", "-GPSPosition", "-ImageSize", "-FileType"];
    let path = path.display().to_string();
    run("exiftool", &[&tags[..], &[path.as_str()]].concat())
}

#[test]
fn a_photo_is_stored_upright_within_the_box_and_without_its_place() {
    let photo = samples::path("photos/turned.jpg");
    if !installed("exiftool") {
        return;
    }
    let Some(mount) = sample() else { return };
    let avatar = mount.row().join("avatar");
    run("cp", &[&photo, &avatar]).succeeded();
    let said = exif(&avatar).stdout;
    assert!(said.contains("JPEG") && said.contains("1200x1600"), "{said}");
    assert!(!said.contains("GPS") && !said.contains("Rotate"), "{said}");
    let beside = exif(&mount.row().join("avatar@w200.jpg")).stdout;
    assert!(beside.contains("200x267"), "{beside}");
    let thumb = exif(&mount.path("thumbs/user/42/avatar/200x200c.webp")).stdout;
    assert!(thumb.contains("WEBP") && thumb.contains("200x200"), "{thumb}");
}

#[test]
fn a_photo_that_is_cut_short_never_replaces_a_good_one() {
    let photo = samples::path("photos/turned.jpg");
    let Some(mount) = sample() else { return };
    let avatar = mount.row().join("avatar");
    run("cp", &[&photo, &avatar]).succeeded();
    let good = read(&avatar);
    let whole = read(&photo);
    let bad = mount.outside("bad.jpg", &whole[..whole.len() / 2]);
    let done = run("mv", &[&bad, &avatar]);
    assert_eq!(done.code, 1, "{done}");
    assert!(bad.exists(), "mv keeps its source");
    assert_eq!(read(&avatar), good);
    let scratch = mount.row().join("bad.tmp");
    fs::copy(&bad, &scratch).expect("scratch");
    assert_eq!(errno(fs::rename(&scratch, &avatar)), EBADMSG);
}

#[test]
fn when_the_last_link_is_removed_gc_leaves_no_blob() {
    let photo = samples::path("photos/camera.jpg");
    let Some(mount) = sample() else { return };
    let (first, second) = (mount.row().join("avatar"), mount.row_of("43").join("avatar"));
    run("cp", &[&photo, &first]).succeeded();
    run("ln", &[&first, &second]).succeeded();
    assert_eq!(fs::metadata(&first).expect("stat").nlink(), 2);
    read(&mount.row().join("avatar@w200.jpg"));
    let blobs = mount.outside("unused", b"").with_file_name("mediafs-data").join("blobs");
    assert_eq!(files_below(&blobs), 2, "the picture and its variant");
    run("rm", &[&first]).succeeded();
    gc(&mount);
    assert_eq!(files_below(&blobs), 2, "it has a name still");
    let mut open = fs::File::open(&second).expect("opened");
    run("rm", &[&second]).succeeded();
    gc(&mount);
    assert_eq!(files_below(&blobs), 0);
    assert!(!rest(&mut open).is_empty(), "who has it open reads it to the end");
    assert_eq!(names(&mount.row()), ["photos"]);
}

#[test]
fn two_items_are_put_in_order_a_url_is_attached_and_what_was_removed_comes_back() {
    let server = Server::start();
    let allow = format!("[fetch]\nallow = [\"{}\"]", server.address);
    let Some(mount) = sample_with(|config| config.replace("[fetch]", &allow)) else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in [("one.png", 1), ("two.png", 2)] {
        fs::write(photos.join(name), picture::good(seed)).expect("taken");
    }
    let reorder =
        r#"echo '{"photos": ["two.png", "one.png"]}' > "$1/row.json" && ls -U "$1/photos""#;
    assert_eq!(shell(reorder, &[&mount.row()]).stdout, "two.png\none.png\n");
    let avatar = mount.row().join("avatar");
    let (url, path) = (server.url("/3.png"), avatar.display().to_string());
    run("ln", &["-s", &url, &path]).succeeded();
    let stored = read(&avatar);
    assert!(stored.starts_with(picture::JPEG), "normalised like any other");
    run("rm", &[&avatar]).succeeded();
    assert!(!avatar.exists());
    shell("mv \"$1\"/trash/*/user-42-avatar.jpg \"$2\"", &[&mount.mountpoint(), &avatar])
        .succeeded();
    assert_eq!(read(&avatar), stored);
}

fn gc(mount: &Mount) {
    let config = mount.mountpoint().with_file_name("mediafs.toml").display().to_string();
    run(env!("CARGO_BIN_EXE_mediafs"), &["--config", &config, "gc", "--now"]).succeeded();
}

fn files_below(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !crate::limits::is_log(path))
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}
