//! The main job with the sample configuration and a camera's photo, as a new user would do it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::daemon::{Mount, PROGRAM};
use super::library_files::files;
use super::tool::{Done, installed, run, shell};
use super::web_server::Server;
use super::{EBADMSG, errno, names, picture, read, rest};

/// A mount of the configuration that `mediafs init` writes.
pub fn sample() -> Option<Mount> {
    sample_with(|config| config)
}

fn sample_with(change: impl FnOnce(String) -> String) -> Option<Mount> {
    let directory = tempfile::tempdir().expect("a directory");
    run(PROGRAM, &[Path::new("init"), directory.path()]).succeeded();
    let config = fs::read_to_string(directory.path().join("mediafs.toml")).expect("the sample");
    Mount::with(change(config))
}

/// The metadata of a picture.
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
    let blobs = mount.beside("mediafs-data/blobs");
    assert_eq!(files(&blobs).len(), 2, "the picture and its variant");
    run("rm", &[&first]).succeeded();
    mount.collect();
    assert_eq!(files(&blobs).len(), 2, "the picture has a second name");
    let mut open = fs::File::open(&second).expect("opened");
    run("rm", &[&second]).succeeded();
    mount.collect();
    assert_eq!(files(&blobs).len(), 0);
    assert!(!rest(&mut open).is_empty(), "an open file is readable to the end");
    assert_eq!(names(&mount.row()), ["photos"]);
}

#[test]
fn items_are_ordered_a_url_is_attached_and_a_removed_file_comes_back() {
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
    assert!(stored.starts_with(picture::JPEG), "a fetched picture is normalised too");
    run("rm", &[&avatar]).succeeded();
    assert!(!avatar.exists());
    shell("mv \"$1\"/trash/*/user-42-avatar.jpg \"$2\"", &[&mount.mountpoint(), &avatar])
        .succeeded();
    assert_eq!(read(&avatar), stored);
}
