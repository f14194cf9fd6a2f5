//! The times of a directory move with every name that comes or goes, also if the catalogue does not know the name. Programs
//! that poll the times, and the kernel, list it anew only then (CONTRACT 9).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::peer::Peer;
use super::{EFBIG, ENOENT, names};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("memo", "file, max_size = '1 KiB'")
        .field("papers", "file, collection = 'list', max_size = '1 KiB'")
        .field("sheets", "image, collection = 'dict', keep_original = true")
        .field("other", "file, collection = 'list'")
}

/// `mtime` and `ctime`.
type Times = ((i64, i64), (i64, i64));

fn times(path: &Path) -> Times {
    let meta = fs::metadata(path).expect("stat");
    ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()))
}

/// A directory, and its times when it was last looked at.
struct Watch<'a>(&'a Path, Times);

impl<'a> Watch<'a> {
    fn on(directory: &'a Path) -> Self {
        Self(directory, times(directory))
    }

    fn moved(&mut self, why: &str, listed: &[&str]) {
        let now = times(self.0);
        let (modified, changed) = (now.0 > self.1.0, now.1 > self.1.1);
        assert!(modified && changed, "{why}: {:?} {now:?}", self.1);
        assert_eq!(names(self.0), listed, "{why}");
        self.1 = times(self.0);
        assert_eq!(now, self.1, "{why}: it stays until the next name");
    }
}

#[test]
fn the_time_of_a_directory_moves_when_a_placeholder_comes_and_goes() {
    // With and without a view in `/originals`, whose times move, too.
    for rules in ["image, collection = 'dict', keep_original = true", "image, collection = 'dict'"]
    {
        let Some(mount) = config().field("sheets", rules).mount() else { return };
        it_moves_with_placeholders(&mount.row());
    }
}

fn it_moves_with_placeholders(row: &Path) {
    for (directory, name) in [("papers", "a.txt"), ("sheets", "a.png")] {
        let directory = row.join(directory);
        let mut watch = Watch::on(&directory);
        File::create(directory.join(name)).expect("a placeholder");
        watch.moved("it came", &[name]);
        fs::remove_file(directory.join(name)).expect("removed");
        watch.moved("it went", &[]);
    }
    let mut watch = Watch::on(row);
    let rest = ["other", "papers", "sheets"];
    File::create(row.join("memo")).expect("a placeholder");
    watch.moved("it came", &[&["memo"][..], &rest].concat());
    fs::remove_file(row.join("memo")).expect("removed");
    watch.moved("it went", &rest);
}

#[test]
fn only_the_directory_that_lists_it_moves() {
    let Some(mount) = config().mount() else { return };
    let row = mount.row();
    let others = [row.clone(), row.join("other")];
    let before = others.each_ref().map(|other| times(other));
    File::create(row.join("papers/a.txt")).expect("a placeholder");
    assert_eq!(others.each_ref().map(|other| times(other)), before);
}

#[test]
fn the_time_of_a_list_moves_with_a_first_draft_that_is_refused_or_discarded() {
    let (Some(mut peer), Some(mount)) = (Peer::start(), config().mount()) else { return };
    let list = mount.row().join("papers");
    let mut watch = Watch::on(&list);
    peer.open(&list.join("a.txt"), "os.O_WRONLY | os.O_CREAT").expect("opened");
    watch.moved("it came", &["a.txt"]);
    assert_eq!(peer.ask("os.write(fd, b'x' * 1025)"), Err(EFBIG));
    watch.moved("it was refused", &[]);
    peer.tell("os.ftruncate(fd, 0)");
    watch.moved("it began anew", &["a.txt"]);
    assert_eq!(peer.ask("os.ftruncate(fd, 1025)"), Err(EFBIG));
    watch.moved("it was refused again", &[]);
    assert_eq!(peer.close(), Err(EFBIG));
    peer.open(&list.join("b.txt"), "os.O_WRONLY | os.O_CREAT").expect("opened");
    peer.tell("os.write(fd, b'text')");
    watch.moved("another came", &["b.txt"]);
    peer.tell(&format!("os.unlink({:?})", list.join("b.txt")));
    watch.moved("its writer took it back", &[]);
    peer.close().expect("nothing to judge");
    peer.open(&list.join("c.txt"), "os.O_WRONLY | os.O_CREAT").expect("opened");
    watch.moved("a third came", &["c.txt"]);
    peer.tell("os.write(fd, b'text')");
    fs::remove_file(list.join("c.txt")).expect("anybody takes the name away");
    watch.moved("somebody took it", &[]);
    peer.close().expect("taken");
    watch.moved("it was attached", &["c.txt"]);
}

#[test]
fn the_time_of_a_list_moves_with_scratch_and_links_and_what_is_moved() {
    let Some(mount) = config().mount() else { return };
    let (list, other) = (mount.row().join("papers"), mount.row().join("other"));
    let mut watch = Watch::on(&list);
    fs::write(list.join("a.part"), "text").expect("scratch");
    watch.moved("scratch came", &["a.part"]);
    fs::rename(list.join("a.part"), other.join("b.part")).expect("moved");
    watch.moved("scratch went", &[]);
    std::os::unix::fs::symlink("https://example.org/a", list.join("l.part")).expect("a link");
    watch.moved("a link came", &["l.part"]);
    fs::rename(list.join("l.part"), list.join("m.part")).expect("renamed");
    watch.moved("a link was renamed", &["m.part"]);
    fs::remove_file(list.join("m.part")).expect("removed");
    watch.moved("a link went", &[]);
    assert_eq!(super::errno(fs::metadata(list.join("l.part"))), ENOENT);
}

/// Times that are set on a directory are shown, whatever they were before.
#[test]
fn times_that_somebody_sets_are_to_be_seen() {
    let Some(mount) = config().mount() else { return };
    let list = mount.row().join("papers");
    File::create(list.join("a.txt")).expect("a placeholder");
    super::tool::run("touch", &["-d", "@5", &list.display().to_string()]).succeeded();
    assert_eq!(fs::metadata(&list).expect("stat").mtime(), 5);
}
