//! Truncations and empty closes (CONTRACT 2.6): `O_TRUNC` however a file is opened, and files that are opened and closed without
//! a byte.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::shell;
use super::user::{OWNER, may_become_others};
use super::{EROFS, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1d'")
        .table("user", "integer")
        .field("memo", "file")
        .field("avatar", "image, thumbnails = ['w64']")
        .field("papers", "file, collection = 'list'")
        .field("sides", "image, collection = 'dict', keep_original = true")
}

const READ_AND_TRUNCATE: &str = "os.O_RDONLY | os.O_TRUNC";
const OLD: &[u8] = b"the old memo\n";

fn started() -> Option<Mount> {
    config().mount()
}

fn with_peer() -> Option<(Mount, Peer)> {
    let peer = Peer::start()?;
    Some((started()?, peer))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("stat").size()
}

#[test]
fn scratch_that_is_opened_to_read_and_truncated_is_empty() {
    let Some((mount, mut peer)) = with_peer() else { return };
    let scratch = mount.attach("upload.part", b"some bytes");
    peer.open(&scratch, READ_AND_TRUNCATE).expect("opened");
    assert_eq!(peer.tell("os.read(fd, 9)"), "b''");
    peer.close().expect("closed");
    assert_eq!(size(&scratch), 0);
}

#[test]
fn a_placeholder_that_is_opened_to_read_and_truncated_stays_one() {
    let Some((mount, mut peer)) = with_peer() else { return };
    for placeholder in ["memo", "papers/a.txt"].map(|name| mount.row().join(name)) {
        File::create(&placeholder).expect("a placeholder");
        peer.open(&placeholder, READ_AND_TRUNCATE).expect("opened");
        peer.close().expect("closed");
        assert_eq!(size(&placeholder), 0);
        fs::write(&placeholder, OLD).expect("taken");
        assert_eq!(read(&placeholder), OLD);
    }
}

/// Regression: the kernel emptied the inode and its pages for all processes, so readers saw no byte of an unchanged file.
#[test]
fn an_attachment_that_is_opened_to_read_and_truncated_is_empty_to_its_opener_alone() {
    let Some((mount, mut peer)) = with_peer() else { return };
    let row = mount.row();
    for (name, bytes) in [("memo", OLD), ("papers/a", OLD), ("sides/front.png", &picture::good(1))]
    {
        let path = row.join(name);
        fs::write(&path, bytes).expect("taken");
        let reader = File::open(&path).expect("opened");
        peer.open(&path, READ_AND_TRUNCATE).expect("opened");
        assert_eq!(peer.tell("os.read(fd, 9)"), "b''");
        assert_eq!(peer.tell("os.fstat(fd).st_size"), "0");
        assert_eq!((size(&path), &read(&path)[..]), (bytes.len() as u64, bytes), "{name}");
        assert_eq!(reader.metadata().expect("fstat").size(), bytes.len() as u64);
        peer.close().expect("closed");
        assert_eq!(read(&path), bytes, "an empty close changes nothing");
        OpenOptions::new().append(true).open(&path).expect("opened");
    }
    peer.open(&row.join("memo"), READ_AND_TRUNCATE).expect("opened");
    peer.close().expect("closed");
    shell("echo new >> $1", &[&row.join("memo")]).succeeded();
    assert_eq!(read(&row.join("memo")), b"new\n", "this user emptied it");
}

#[test]
fn an_open_with_o_trunc_of_a_read_only_file_is_erofs() {
    let Some((mount, mut peer)) = with_peer() else { return };
    mount.attach("avatar", &picture::good(1));
    let memo = mount.attach("memo", OLD);
    fs::remove_file(&memo).expect("detached");
    let trashed = mount.lost();
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let before = read(&thumb);
    for path in [&thumb, &trashed, &mount.path(".mediafs/status.json")] {
        for flags in [READ_AND_TRUNCATE, "os.O_RDWR | os.O_TRUNC"] {
            assert_eq!(peer.open(path, flags), Err(EROFS), "{}", path.display());
        }
    }
    assert_eq!((size(&thumb), read(&thumb)), (before.len() as u64, before));
    assert_eq!(read(&trashed), OLD);
}

/// Regression: a draft without bytes counted as a truncation, so the next writer, which appended, began with an empty file.
#[test]
fn a_file_that_is_opened_and_closed_under_another_extension_changes_nothing() {
    let Some(mount) = started() else { return };
    let row = mount.row();
    let pictures = [("sides/front.png", "sides/front.jpg"), ("avatar.png", "avatar.webp")];
    for (name, other) in pictures {
        fs::write(row.join(name), picture::good(1)).expect("taken");
        shell("touch $1 && : >> $1 && mknod $1 p; exec 3<> $1", &[&row.join(other)]);
        let file = OpenOptions::new().append(true).open(row.join(name)).expect("opened");
        assert_eq!(file.metadata().expect("fstat").size(), picture::good(1).len() as u64);
        drop(file);
        assert_eq!(read(&row.join(name)), picture::good(1));
    }
    for (name, other) in [("memo.txt", "memo.csv"), ("memo.txt", "memo")] {
        fs::write(row.join(name), OLD).expect("taken");
        shell("touch $1", &[&row.join(other)]).succeeded();
        shell("echo more >> $1", &[&row.join(name)]).succeeded();
        assert_eq!(read(&row.join(name)), [OLD, b"more\n"].concat().as_slice(), "{other}");
    }
}

#[test]
fn every_empty_close_without_truncation_keeps_the_attachment() {
    let Some((mount, mut peer)) = with_peer() else { return };
    let row = mount.row();
    let memo = mount.attach("memo.txt", OLD);
    let other = row.join("memo.csv");
    for flags in ["os.O_WRONLY", "os.O_RDWR", "os.O_WRONLY | os.O_APPEND"] {
        for (path, more) in
            [(&other, "os.O_CREAT"), (&other, "os.O_CREAT | os.O_EXCL"), (&memo, "os.O_CREAT")]
        {
            peer.open(path, &format!("{flags} | {more}")).expect("opened");
            peer.close().expect("closed");
            peer.open(&memo, "os.O_RDWR").expect("opened");
            assert_eq!(peer.tell("os.read(fd, 99)"), "b'the old memo\\n'", "{flags} {more}");
            peer.close().expect("closed");
        }
    }
    peer.tell(&format!("os.mknod({other:?})"));
    shell("echo more >> $1", &[&memo]).succeeded();
    assert_eq!(read(&memo), b"the old memo\nmore\n");
}

#[test]
fn only_a_truncation_empties_for_the_next_writer() {
    let Some((mount, mut peer)) = with_peer() else { return };
    let memo = mount.attach("memo.txt", OLD);
    let other = mount.row().join("memo.csv");
    let truncations = [
        format!("os.close(os.open({memo:?}, os.O_WRONLY | os.O_TRUNC))"),
        format!("os.close(os.open({other:?}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))"),
        format!("os.truncate({memo:?}, 0)"),
        format!("[os.ftruncate(fd := os.open({memo:?}, os.O_WRONLY), 0), os.close(fd)]"),
    ];
    for truncation in truncations {
        fs::write(&memo, OLD).expect("taken");
        peer.tell(&truncation);
        assert_eq!(read(&memo), OLD, "a truncation alone changes nothing");
        shell("echo new >> $1", &[&memo]).succeeded();
        assert_eq!(read(&memo), b"new\n", "{truncation}");
    }
}

#[test]
fn another_users_touch_under_another_extension_changes_nothing() {
    if !may_become_others() {
        return;
    }
    let Some(mount) = config().with("mount.allow_other = true").mount() else { return };
    let memo = mount.attach("memo.txt", OLD);
    shell("chmod 777 $1 && chmod 666 $2", &[&mount.row(), &memo]).succeeded();
    let row = mount.row();
    OWNER.shell("touch $1/memo.csv && echo more >> $1/memo.txt", &[&row]).succeeded();
    assert_eq!(read(&memo), b"the old memo\nmore\n");
}
