//! Lists and dicts, written by servers and copying tools.

use std::fs;
use std::path::{Path, PathBuf};

use super::ftp::Ftp;
use super::samba::Samba;
use super::web::Nginx;
use super::{config, last_rule, site_with, text};
use crate::mount::daemon::Mount;
use crate::mount::tool::{Done, installed, run};
use crate::mount::{listed, picture, read};

/// Checks a client that writes the bytes of its first path into row 42, under a name such as `photos/b.png`.
fn drops(mount: &Mount, send: impl Fn(&Path, &str) -> Done) {
    let (photos, sides) = (mount.row().join("photos"), mount.row().join("sides"));
    let send = |bytes: &[u8], name: &str| send(&mount.outside("source.png", bytes), name);
    let attaches = |seed, name: &str| {
        let done = send(&picture::good(seed), name);
        assert_eq!(read(&mount.row().join(name)), picture::good(seed), "{done}");
    };
    attaches(1, "photos/b.png");
    attaches(2, "photos/a.png");
    assert_eq!(listed(&photos), ["b.png", "a.png"], "in the order of their arrival");
    attaches(3, "photos/b.png");
    assert_eq!(listed(&photos), ["b.png", "a.png"], "an item that is replaced keeps its place");

    let is_refused = |bytes: &[u8], name: &str, rule: &str| {
        let done = send(bytes, name);
        assert_eq!(last_rule(mount), rule, "{name}: {done}");
        assert_eq!(listed(&photos), ["b.png", "a.png"], "the listing is unchanged; {done}");
        assert_eq!(read(&photos.join("b.png")), picture::good(3), "the old picture stays; {done}");
    };
    for name in ["photos/c.png", "photos/b.png"] {
        is_refused(&text(), name, "content_types");
        is_refused(&picture::cut_short(4), name, "truncated");
        is_refused(&picture::png(40, 40, 4), name, "min_width");
    }
    is_refused(&picture::good(4), "photos/c.pdf", "extension");
    attaches(5, "photos/c.png");
    send(&picture::good(6), "photos/d.png");
    assert_eq!(last_rule(mount), "max_items");
    assert_eq!(listed(&photos), ["b.png", "a.png", "c.png"]);

    attaches(7, "sides/front.png");
    send(&picture::good(8), "sides/front.jpg");
    assert_eq!(
        listed(&sides),
        ["front.png"],
        "one file for the key, with the extension of its type"
    );
    assert_eq!(read(&sides.join("front")), picture::good(8));
}

/// A site with a list and a dict of pictures.
fn gallery() -> Option<Mount> {
    let collections = config()
        .field("photos", "image, collection = 'list', max_items = 3, min_width = 64")
        .field("sides", "image, collection = 'dict'");
    site_with(&collections)
}

fn drops_by_ftp(start: impl Fn(&Mount) -> Option<Ftp>) {
    let Some(mount) = gallery().filter(|_| installed("curl")) else { return };
    let Some(ftp) = start(&mount) else { return };
    drops(&mount, |source, name| ftp.send(source, name));
}

#[test]
fn vsftpd_drops_into_a_list_and_a_dict() {
    drops_by_ftp(Ftp::vsftpd);
}

#[test]
fn proftpd_drops_into_a_list_and_a_dict() {
    drops_by_ftp(|mount| Ftp::proftpd(mount, "off"));
}

#[test]
fn proftpd_with_hidden_stores_drops_into_a_list_and_a_dict() {
    drops_by_ftp(|mount| Ftp::proftpd(mount, "on"));
}

#[test]
fn samba_drops_into_a_list_and_a_dict() {
    let Some(mount) = gallery() else { return };
    let Some(samba) = Samba::start(&mount) else { return };
    drops(&mount, |source, name| samba.put(source, name));
}

#[test]
fn nginx_drops_into_a_list_and_a_dict() {
    let Some(mount) = gallery() else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    drops(&mount, |source, name| nginx.put(source, name));
}

#[test]
fn cp_and_rsync_drop_into_a_list_and_a_dict() {
    let Some(mount) = gallery().filter(|_| installed("rsync")) else { return };
    let row = mount.row();
    drops(&mount, |source, name| run("cp", &[source, &row.join(name)]));
    fs::remove_dir_all(&row).expect("removed");
    mount.row();
    drops(&mount, |source, name| run("rsync", &[Path::new("-aI"), source, &row.join(name)]));
}

/// A folder of three pictures outside of the mount.
fn album(mount: &Mount) -> PathBuf {
    let album = mount.beside("album");
    fs::create_dir(&album).expect("a folder");
    for (name, seed) in [("1.png", 1), ("2.png", 2), ("3.png", 3)] {
        fs::write(album.join(name), picture::good(seed)).expect("a picture");
    }
    album
}

#[test]
fn a_second_rsync_of_a_folder_into_a_list_sends_nothing() {
    let Some(mount) = gallery().filter(|_| installed("rsync")) else { return };
    let from = format!("{}/", album(&mount).display());
    let to = mount.row().join("photos").display().to_string();
    let sync = || run("rsync", &["-rtiO", &from, &to]);
    sync().succeeded();
    assert_eq!(listed(to.as_ref()), ["1.png", "2.png", "3.png"]);
    let again = sync();
    again.succeeded();
    assert_eq!(again.stdout, "");
    fs::remove_file(Path::new(&from).join("2.png")).expect("removed");
    run("rsync", &["-rtO", "--delete", &from, &to]).succeeded();
    assert_eq!(listed(to.as_ref()), ["1.png", "3.png"]);
}

#[test]
fn an_archive_and_a_copy_of_a_folder_fill_a_list() {
    let Some(mount) = gallery() else { return };
    let album = album(&mount).display().to_string();
    let photos = mount.row().join("photos");
    let path = photos.display().to_string();
    let archive = mount.outside("album.tar", b"").display().to_string();
    run("tar", &["-C", &album, "-cf", &archive, "."]).succeeded();
    run("tar", &["-C", &path, "--no-overwrite-dir", "-xf", &archive]).succeeded();
    let mut found = listed(&photos);
    found.sort();
    assert_eq!(found, ["1.png", "2.png", "3.png"]);
    run("find", &[path.as_str(), "-type", "f", "-delete"]).succeeded();
    run("cp", &["-r", &format!("{album}/."), &path]).succeeded();
    run("diff", &["-r", &album, &path]).succeeded();
    run("mogrify", &["-resize", "80x60!", &format!("{path}/2.png")]).succeeded();
    assert_eq!(picture::png_size(&read(&photos.join("2.png"))), (80, 60));
    let left = listed(&photos);
    assert_eq!(left.len(), 3, "mogrify leaves no backup: {left:?}");
}
