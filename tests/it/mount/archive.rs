//! tar and unzip.

use std::path::{Path, PathBuf};

use super::tool::{Done, installed, shell};
use super::{accepts, refuses, refuses_over, replaces};

/// Packs the source under the target's name, into an archive beside the source.
fn pack(command: &str, source: &Path, target: &Path) -> PathBuf {
    let name = target.file_name().expect("a name");
    let staged = source.with_file_name("packed").join(name);
    let archive = source.with_file_name("archive");
    let script =
        format!("mkdir -p \"${{2%/*}}\" && cp \"$1\" \"$2\" && cd \"${{2%/*}}\" && {command}");
    shell(&script, &[source, &staged, &archive, Path::new(name)]).succeeded();
    archive
}

fn tar(source: &Path, target: &Path) -> Done {
    let archive = pack("tar -cf \"$3\" \"$4\"", source, target);
    shell("tar -xf \"$1\" -C \"${2%/*}\"", &[&archive, target])
}

fn unzip(source: &Path, target: &Path) -> Done {
    let archive = pack("zip -q \"$3.zip\" \"$4\"", source, target).with_extension("zip");
    shell("unzip -qo \"$1\" -d \"${2%/*}\"", &[&archive, target])
}

fn zip_is_here() -> bool {
    installed("zip") && installed("unzip")
}

#[test]
fn tar_attaches() {
    accepts(tar);
}

#[test]
fn tar_replaces() {
    replaces(tar);
}

#[test]
fn tar_reports_a_refusal() {
    refuses(tar).noticed(2);
    refuses_over(None, tar).noticed(2);
}

#[test]
fn unzip_attaches() {
    if zip_is_here() {
        accepts(unzip);
    }
}

#[test]
fn unzip_replaces() {
    if zip_is_here() {
        replaces(unzip);
    }
}

#[test]
fn unzip_does_not_look_at_close_and_the_old_picture_stays() {
    if zip_is_here() {
        refuses(unzip).noticed(0);
    }
}
