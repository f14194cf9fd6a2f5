//! Scripting languages and converters: Python, PHP and `ImageMagick`.

use std::fs;
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, installed, present, run};
use super::{accepts, picture, read, refuses, replaces};

/// The convert of Debian, since PATH may find another one first.
const CONVERT: &str = "/usr/bin/convert";

fn python(source: &Path, target: &Path) -> Done {
    let script = "import sys
source, target = open(sys.argv[1], 'rb'), open(sys.argv[2], 'wb')
target.write(source.read())
target.close()";
    run("python3", &[Path::new("-c"), Path::new(script), source, target])
}

fn php(script: &str, source: &Path, target: &Path) -> Done {
    // The script's value becomes the exit code: 0 for true.
    let script = format!("[, $source, $target] = $argv; exit({script} ? 0 : 9);");
    run("php", &[Path::new("-r"), Path::new(&script), Path::new("--"), source, target])
}

fn file_put_contents(source: &Path, target: &Path) -> Done {
    php("file_put_contents($target, file_get_contents($source)) !== false", source, target)
}

fn copy(source: &Path, target: &Path) -> Done {
    php("copy($source, $target)", source, target)
}

/// Writes beside the field and renames, as applications do with uploads.
fn rename(source: &Path, target: &Path) -> Done {
    php("copy($source, \"$target.tmp\") && rename(\"$target.tmp\", $target)", source, target)
}

#[test]
fn python_attaches() {
    if installed("python3") {
        accepts(python);
    }
}

#[test]
fn python_replaces() {
    if installed("python3") {
        replaces(python);
    }
}

#[test]
fn python_reports_a_refusal() {
    if installed("python3") {
        let refused = refuses(python);
        refused.noticed(1);
        if let Some(done) = refused.done {
            assert!(done.stderr.contains("[Errno 74]"), "{done}");
        }
    }
}

#[test]
fn php_file_put_contents_attaches() {
    if installed("php") {
        accepts(file_put_contents);
    }
}

#[test]
fn php_file_put_contents_replaces() {
    if installed("php") {
        replaces(file_put_contents);
    }
}

#[test]
fn php_file_put_contents_does_not_look_at_close_and_the_old_picture_stays() {
    if installed("php") {
        refuses(file_put_contents).noticed(0);
    }
}

#[test]
fn php_file_put_contents_reports_a_refusal_of_a_write() {
    if !installed("php") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let text = mount.outside("text", &b"no picture\n".repeat(99));
    let done = file_put_contents(&text, &avatar);
    assert_ne!(done.code, 0, "{done}");
    assert!(format!("{done}").contains("Wrong medium type"), "{done}");
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn php_copy_attaches() {
    if installed("php") {
        accepts(copy);
    }
}

#[test]
fn php_copy_replaces() {
    if installed("php") {
        replaces(copy);
    }
}

#[test]
fn php_copy_does_not_look_at_close_and_the_old_picture_stays() {
    if installed("php") {
        refuses(copy).noticed(0);
    }
}

#[test]
fn php_rename_attaches() {
    if installed("php") {
        accepts(rename);
    }
}

#[test]
fn php_rename_replaces() {
    if installed("php") {
        replaces(rename);
    }
}

#[test]
fn php_rename_reports_a_refusal() {
    if installed("php") {
        refuses(rename).noticed(9);
    }
}

fn convert(mount: &Mount, size: &str) -> Done {
    let source = mount.outside("source.png", &picture::good(2)).display().to_string();
    let target = format!("png:{}", mount.row().join("avatar").display());
    run(CONVERT, &[source.as_str(), "-resize", size, target.as_str()])
}

#[test]
fn imagemagick_attaches_and_replaces() {
    if !present(CONVERT, Path::new(CONVERT).exists()) {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.row().join("avatar");
    convert(&mount, "80x60!").succeeded();
    assert_eq!(picture::png_size(&read(&avatar)), (80, 60));
    convert(&mount, "100x75!").succeeded();
    assert_eq!(picture::png_size(&read(&avatar)), (100, 75));
}

#[test]
fn imagemagick_reports_a_refusal() {
    if !present(CONVERT, Path::new(CONVERT).exists()) {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let done = convert(&mount, "40x40!");
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(read(&avatar), picture::good(1));
    mount.last_error_has("user/42/avatar", "min_width");
    assert_eq!(fs::metadata(&avatar).expect("stat").len(), picture::good(1).len() as u64);
}
