//! An open file without a name has a link count of 0, whatever kind of file it is (stat(2)).

use std::fs::{self, File};
use std::path::Path;

use super::daemon::Mount;
use super::peer::Peer;
use super::{ENOENT, picture};

const NEW: &str = "os.O_RDWR | os.O_CREAT";

fn started() -> Option<(Mount, Peer)> {
    let peer = Peer::start()?;
    Some((Mount::start()?, peer))
}

fn links(peer: &mut Peer) -> String {
    peer.tell("os.fstat(fd).st_nlink")
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_write_handle_has_no_links_once_its_name_is_gone() {
    let Some((mount, mut peer)) = started() else { return };
    let memo = mount.row().join("memo");
    let own = format!("os.unlink({memo:?})");
    for old in [None, Some(b"old")] {
        // The name is removed by the writer itself, and by another process.
        for own in [None, Some(&own)] {
            if let Some(old) = old {
                fs::write(&memo, old).expect("taken");
            }
            peer.open(&memo, NEW).expect("opened");
            peer.tell("os.write(fd, b'text')");
            assert_eq!(links(&mut peer), "1");
            match own {
                Some(own) => drop(peer.tell(own)),
                None => remove(&memo),
            }
            assert_eq!(
                links(&mut peer),
                "0",
                "over {old:?}, removed by its writer: {}",
                own.is_some()
            );
            peer.close().expect("closed");
            let _ = fs::remove_file(&memo);
        }
    }
}

#[test]
fn a_committed_handle_has_the_links_of_its_attachment() {
    let Some((mount, mut peer)) = started() else { return };
    let memo = mount.row().join("memo");
    let commit = "[os.write(fd, b'text'), os.close(os.dup(fd))]";
    peer.open(&memo, NEW).expect("opened");
    peer.tell(commit);
    assert_eq!(links(&mut peer), "1");
    fs::hard_link(&memo, mount.row_of("43").join("memo")).expect("linked");
    assert_eq!(links(&mut peer), "2");
    remove(&memo);
    assert_eq!(links(&mut peer), "1");
    remove(&mount.row_of("43").join("memo"));
    assert_eq!(links(&mut peer), "0");
    peer.tell(commit);
    assert_eq!(links(&mut peer), "1", "the second commit gave it a name");
    fs::write(mount.row().join(".memo.part"), "other").expect("scratch");
    fs::rename(mount.row().join(".memo.part"), &memo).expect("replaced");
    assert_eq!(links(&mut peer), "0", "another file has the name");
    peer.close().expect("closed");
}

#[test]
fn a_read_handle_has_no_links_once_its_name_is_gone() {
    let Some((mount, mut peer)) = started() else { return };
    let row = mount.row();
    let scratch = row.join("x.part");
    let removals: [fn(&Path); 3] = [
        remove,
        |path| {
            fs::write(path.with_file_name("y.part"), "other").expect("scratch");
            fs::rename(path.with_file_name("y.part"), path).expect("replaced");
        },
        |path| drop(fs::remove_dir_all(path.parent().expect("a row"))),
    ];
    for (path, writes) in [(row.join("memo"), false), (scratch.clone(), false), (scratch, true)] {
        for removal in removals {
            fs::create_dir_all(&row).expect("a row");
            fs::write(&path, "text").expect("taken");
            peer.open(&path, if writes { "os.O_RDWR" } else { "os.O_RDONLY" }).expect("opened");
            assert_eq!(links(&mut peer), "1");
            removal(&path);
            assert_eq!(links(&mut peer), "0", "{}", path.display());
            peer.close().expect("closed");
        }
    }
}

/// Regression: `fstat` of another process's empty file failed once the file was removed.
#[test]
fn an_open_placeholder_has_no_links_once_it_is_removed() {
    let Some((mount, mut peer)) = started() else { return };
    let memo = mount.row().join("memo");
    for flags in ["os.O_RDONLY", "os.O_RDWR"] {
        File::create(&memo).expect("a placeholder");
        peer.open(&memo, flags).expect("opened");
        assert_eq!(links(&mut peer), "1");
        remove(&memo);
        assert_eq!(peer.tell("(os.fstat(fd).st_nlink, os.fstat(fd).st_size)"), "(0, 0)", "{flags}");
        peer.close().expect("closed");
        let _ = fs::remove_file(&memo);
    }
}

#[test]
fn a_row_that_is_removed_leaves_its_open_files_without_links() {
    let Some((mount, mut peer)) = started() else { return };
    let row = mount.row();
    peer.open(&row.join("memo"), NEW).expect("opened");
    peer.tell("os.write(fd, b'text')");
    fs::remove_dir(&row).expect("a first draft keeps no row");
    assert_eq!(links(&mut peer), "0");
    assert_eq!(peer.close(), Err(ENOENT));
}

#[test]
fn a_removed_variant_and_a_removed_quarantined_file_have_no_links() {
    let Some((mount, mut peer)) = started() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let refused = mount.row().join("avatar");
    let _ = fs::write(&refused, picture::cut_short(2));
    for path in [thumb, mount.kept().file] {
        peer.open(&path, "os.O_RDONLY").expect("opened");
        assert_eq!(links(&mut peer), "1");
        remove(&path);
        assert_eq!(links(&mut peer), "0", "{}", path.display());
        peer.close().expect("closed");
    }
}
