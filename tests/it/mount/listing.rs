//! Listings of a directory, and its times. The times move with every name that comes or goes, also if the catalogue does not
//! know the name: programs that poll the times, and the kernel, list a directory anew only then (CONTRACT 1 and 9).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::daemon::Mount;
use super::peer::{FRESH, NEW, Peer};
use super::tool::run;
use super::user::{ROOT, STRANGER, may_become_others};
use super::{EFBIG, ENOENT, errno, names, picture};
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

/// A directory, and its times at the last look.
struct Watch<'a>(&'a Path, Times);

impl<'a> Watch<'a> {
    fn on(directory: &'a Path) -> Self {
        Self(directory, times(directory))
    }

    /// Checks that both times have moved since the last look, and the names that are listed.
    fn moved(&mut self, why: &str, listed: &[&str]) {
        let now = times(self.0);
        let (modified, changed) = (now.0 > self.1.0, now.1 > self.1.1);
        assert!(modified && changed, "{why}: {:?} {now:?}", self.1);
        assert_eq!(names(self.0), listed, "{why}");
        self.1 = times(self.0);
        assert_eq!(now, self.1, "{why}: listing moves no time");
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
fn a_new_name_moves_the_times_of_its_directory_only() {
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
    peer.open(&list.join("a.txt"), NEW).expect("opened");
    watch.moved("it came", &["a.txt"]);
    assert_eq!(peer.ask("os.write(fd, b'x' * 1025)"), Err(EFBIG));
    watch.moved("it was refused", &[]);
    peer.tell("os.ftruncate(fd, 0)");
    watch.moved("it began anew", &["a.txt"]);
    assert_eq!(peer.ask("os.ftruncate(fd, 1025)"), Err(EFBIG));
    watch.moved("it was refused again", &[]);
    assert_eq!(peer.close(), Err(EFBIG));
    peer.open(&list.join("b.txt"), NEW).expect("opened");
    peer.tell("os.write(fd, b'text')");
    watch.moved("another came", &["b.txt"]);
    peer.tell(&format!("os.unlink({:?})", list.join("b.txt")));
    watch.moved("its writer took it back", &[]);
    peer.close().expect("nothing to judge");
    peer.open(&list.join("c.txt"), NEW).expect("opened");
    watch.moved("a third came", &["c.txt"]);
    peer.tell("os.write(fd, b'text')");
    fs::remove_file(list.join("c.txt")).expect("removed by another process");
    watch.moved("somebody took it", &[]);
    peer.close().expect("taken");
    watch.moved("it was attached", &["c.txt"]);
}

#[test]
fn the_time_of_a_list_moves_with_scratch_links_and_renames() {
    let Some(mount) = config().mount() else { return };
    let (list, other) = (mount.row().join("papers"), mount.row().join("other"));
    let mut watch = Watch::on(&list);
    fs::write(list.join("a.part"), "text").expect("scratch");
    watch.moved("scratch came", &["a.part"]);
    fs::rename(list.join("a.part"), other.join("b.part")).expect("moved");
    watch.moved("scratch went", &[]);
    symlink("https://example.org/a", list.join("l.part")).expect("a link");
    watch.moved("a link came", &["l.part"]);
    fs::rename(list.join("l.part"), list.join("m.part")).expect("renamed");
    watch.moved("a link was renamed", &["m.part"]);
    fs::remove_file(list.join("m.part")).expect("removed");
    watch.moved("a link went", &[]);
    assert_eq!(errno(fs::metadata(list.join("l.part"))), ENOENT);
}

#[test]
fn times_set_on_a_directory_are_shown() {
    let Some(mount) = config().mount() else { return };
    let list = mount.row().join("papers");
    File::create(list.join("a.txt")).expect("a placeholder");
    run("touch", &["-d", "@5", &list.display().to_string()]).succeeded();
    assert_eq!(fs::metadata(&list).expect("stat").mtime(), 5);
}

#[test]
fn a_directory_lists_the_same_names_to_every_user() {
    let Some(mut writer) = Peer::start().filter(|_| may_become_others()) else { return };
    let Some(mount) = super::config().with("mount.allow_other = true").mount() else { return };
    let row = mount.row();
    mount.attach("avatar", &picture::good(1));
    fs::write(row.join(".memo.part"), "readable to root only").expect("scratch");
    let source = mount.outside("new.txt", b"a text");
    writer.open(&row.join("memo"), FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    let all = "['.memo.part', 'avatar', 'memo']";
    assert_eq!(writer.tell(&format!("sorted(os.listdir({row:?}))")), all, "as its writer sees it");
    for user in [ROOT, STRANGER] {
        let seen = user.shell("ls -A $1", &[&row]);
        assert_eq!(seen.stdout, ".memo.part\navatar\nmemo\n", "{user:?}: {seen}");
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
    assert!((0..2_999).all(|id| seen.get(&id.to_string()) == Some(&1)), "each row is listed once");
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
