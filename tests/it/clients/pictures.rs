//! Programs that make or change pictures: `ImageMagick`, ffmpeg and exiftool, over an existing picture and under a free name.

use std::path::Path;

use super::client_table::{Case, Client};
use super::{config, last_rule, plain, site_with};
use crate::mount::daemon::Mount;
use crate::mount::tool::{Done, installed, present, run};
use crate::mount::{names, picture, read};

/// The programs of Debian, since PATH may find others first.
const CONVERT: &str = "/usr/bin/convert";
const MOGRIFY: &str = "/usr/bin/mogrify";

/// A site with pictures that the programs change.
fn studio() -> Option<Mount> {
    // A poster that is too small is refused at close, which alone knows the size.
    let config = config()
        .field("poster", "image, min_size = '200 KiB'")
        .field("print", "image, max_size = '200 KiB', metadata = 'keep'");
    let mount = site_with(&config)?;
    mount.attach("avatar.png", &picture::good(1));
    mount.attach("poster.png", &picture::png(400, 300, 1));
    Some(mount)
}

/// Checks a program that writes a picture of a given size to a path, in the format of the field.
fn is_held_to_the_table(client: &str, left: &[&str], make: impl Fn(&Mount, &str, &Path) -> Done) {
    let Some(mount) = studio() else { return };
    let expected = Client::named(client);
    let (avatar, poster) = (mount.row().join("avatar.png"), mount.row().join("poster.png"));
    let said = |case, size, target: &Path| {
        let done = plain(&mount, make(&mount, size, target));
        expected.said(case, &done);
        done
    };
    said(Case::Accepted, "80x60", &avatar);
    assert_eq!(picture::png_size(&read(&avatar)), (80, 60));
    assert_eq!(names(&mount.row()), ["avatar.png", "poster.png"], "no other file is left");
    let taken = read(&avatar);

    said(Case::Name, "80x60", &avatar.with_extension("gif"));
    assert_eq!(read(&avatar), taken);
    let done = said(Case::Content, "40x30", &avatar);
    assert_eq!(last_rule(&mount), "min_width", "{done}");
    assert_eq!(read(&avatar), taken, "the old picture stays; {done}");
    let done = said(Case::CutShort, "100x75", &poster);
    assert_eq!(last_rule(&mount), "min_size", "{done}");
    assert_eq!(read(&poster), picture::png(400, 300, 1), "the old picture stays; {done}");
    let mut beside = names(&mount.row());
    beside.retain(|name| name != "avatar.png" && name != "poster.png");
    assert_eq!(beside, left, "beside the pictures");
}

#[test]
fn convert_answers_as_in_the_table() {
    if !present(CONVERT, Path::new(CONVERT).exists()) {
        return;
    }
    is_held_to_the_table("ImageMagick convert", &[], |mount, size, target| {
        let source = mount.outside("source.png", &picture::good(2)).display().to_string();
        run(CONVERT, &[&source, "-resize", &format!("{size}!"), &target.display().to_string()])
    });
}

#[test]
fn mogrify_answers_as_in_the_table() {
    if !present(MOGRIFY, Path::new(MOGRIFY).exists()) {
        return;
    }
    // It renames the old file before it writes, and leaves it under the other name after a failure.
    let left = ["avatar.png~", "poster.png~"];
    is_held_to_the_table("ImageMagick mogrify", &left, |_, size, target| {
        run(MOGRIFY, &["-resize", &format!("{size}!"), &target.display().to_string()])
    });
}

#[test]
fn ffmpeg_answers_as_in_the_table() {
    if !installed("ffmpeg") {
        return;
    }
    is_held_to_the_table("ffmpeg", &[], |mount, size, target| {
        let source = mount.outside("source.png", &picture::good(2)).display().to_string();
        let scale = format!("scale={}", size.replace('x', ":"));
        let is_png = target.extension().is_some_and(|it| it == "png");
        let format: &[&str] = if is_png { &["-f", "apng", "-plays", "0"] } else { &[] };
        let target = target.display().to_string();
        let begin = ["-v", "error", "-y", "-i", &source, "-vf", &scale];
        run("ffmpeg", &[&begin, format, &[&target]].concat())
    });
}

#[test]
fn ffmpeg_writes_and_reads_a_motion_jpeg_of_one_picture() {
    if !installed("ffmpeg") {
        return;
    }
    let Some(mount) = studio() else { return };
    let source = mount.outside("source.png", &picture::good(2)).display().to_string();
    let avatar = mount.row().join("avatar").display().to_string();
    run("ffmpeg", &["-v", "error", "-y", "-i", &source, "-f", "mjpeg", &avatar]).succeeded();
    assert!(read(Path::new(&avatar)).starts_with(picture::JPEG));
    assert_eq!(
        names(&mount.row()),
        ["avatar.jpg", "poster.png"],
        "listed with the extension of its type"
    );
    let frame = mount.outside("frame.png", b"").display().to_string();
    run("ffmpeg", &["-v", "error", "-y", "-i", &avatar, &frame]).succeeded();
    assert_eq!(picture::png_size(&read(Path::new(&frame))), (160, 120));
}

/// exiftool changes metadata only, so the rule that refuses is about a comment that is too long.
fn exiftool(client: &str, option: &[&str], backup: &[&str]) {
    if !installed("exiftool") {
        return;
    }
    let Some(mount) = studio() else { return };
    let expected = Client::named(client);
    let print = mount.row().join("print.png");
    let long = mount.outside("long", &b"x".repeat(300_000)).display().to_string();
    let said = |case, comment: &str, target: &Path| {
        let target = target.display().to_string();
        let done = plain(&mount, run("exiftool", &[option, &[comment, &target]].concat()));
        expected.said(case, &done);
    };
    let long = format!("-Comment<={long}");
    mount.attach("print.png", &picture::good(1));
    said(Case::Accepted, "-Comment=short", &print);
    let taken = read(&print);
    assert_ne!(taken, picture::good(1), "the stored picture has the comment");
    let shown = run("exiftool", &["-s3", "-Comment", &print.display().to_string()]);
    assert_eq!(shown.stdout, "short\n");
    said(Case::Name, "-Comment=short", &print.with_extension("gif"));
    said(Case::Content, &long, &print);
    assert_eq!(last_rule(&mount), "max_size");
    assert_eq!(read(&print), taken, "the old picture stays");
    let mut beside = names(&mount.row());
    beside.retain(|name| name.starts_with("print.png_"));
    assert_eq!(beside, backup);
}

#[test]
fn exiftool_answers_as_in_the_table() {
    exiftool("exiftool", &[], &["print.png_exiftool_tmp", "print.png_original"]);
    let (client, left) = ("exiftool -overwrite_original", ["print.png_exiftool_tmp"]);
    exiftool(client, &["-overwrite_original"], &left);
    let client = "exiftool -overwrite_original_in_place";
    exiftool(client, &["-overwrite_original_in_place"], &left);
}
