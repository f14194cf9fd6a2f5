//! Attaching from a URL (CONTRACT 8): a write to `<field>.url`, a symbolic link, a shortcut file, and `mediafs attach`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use super::daemon::Mount;
use super::tool::{Done, installed, run, shell};
use super::web_server::Server;
use super::{
    EDQUOT, EEXIST, EMEDIUMTYPE, ENOENT, attribute, config, errno, names, picture, read, rest,
};
use crate::config::Config;

/// A configuration that may fetch from this address, and from no other on loopback.
pub fn allowing(address: &impl fmt::Display) -> Config {
    config().with(&format!("fetch.allow = ['{address}']"))
}

/// A server, and a mount that may fetch from it and waits at most 3 s for it.
pub fn served() -> Option<(Server, Mount)> {
    let server = Server::start();
    let mount = allowing(&server.address).with("fetch.timeout = '3s'").mount()?;
    Some((server, mount))
}

/// Writes to `<field>.url` and returns the verdict, which fsync waits for.
pub fn write_url(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Checks that a tool attaches a picture, given its URL and the path of the field.
fn attaches(tool: impl Fn(&str, &Path) -> Done) {
    let Some((server, mount)) = served() else { return };
    let avatar = mount.row().join("avatar");
    tool(&server.url("/1.png"), &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1));
    let found = fs::symlink_metadata(&avatar).expect("stat");
    assert!(found.is_file(), "the field holds a file and no link");
    assert_eq!(names(&mount.row()), ["avatar"]);
}

fn ln(options: &str, url: &str, path: &Path) -> Done {
    run("ln", &[Path::new(options), Path::new(url), path])
}

#[test]
fn ln_s_attaches_the_file_behind_the_url() {
    attaches(|url, path| ln("-s", url, path));
}

#[test]
fn python_symlink_attaches() {
    if installed("python3") {
        let script = "import os, sys; os.symlink(sys.argv[1], sys.argv[2])";
        attaches(|url, path| run("python3", &["-c", script, url, &path.display().to_string()]));
    }
}

#[test]
fn php_symlink_attaches() {
    if installed("php") {
        let script = "exit(symlink($argv[1], $argv[2]) ? 0 : 9);";
        attaches(|url, path| run("php", &["-r", script, "--", url, &path.display().to_string()]));
    }
}

#[test]
fn echo_into_the_url_of_a_field_attaches() {
    attaches(|url, path| shell("echo \"$1\" > \"$2.url\"", &[Path::new(url), path]));
}

#[test]
fn mediafs_attach_attaches() {
    let Some((server, mount)) = served() else { return };
    let avatar = mount.row().join("avatar");
    let attach = |path: &str, to: &Path| {
        mount.command(&["attach", &server.url(path), &to.to_string_lossy()])
    };
    for seed in [1, 2] {
        attach(&format!("/{seed}.png"), &avatar).succeeded();
        assert_eq!(read(&avatar), picture::good(seed));
    }
    let refused = attach("/text", &avatar);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("content_types"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2));
    let elsewhere = attach("/1", &mount.outside("avatar", b""));
    assert_eq!(elsewhere.code, 2, "{elsewhere}");
}

#[test]
fn mediafs_attach_to_no_field_changes_no_scratch() {
    let Some((server, mount)) = served() else { return };
    let scratch = mount.row().join("nothing.url");
    fs::write(&scratch, "an old text").expect("scratch");
    let nothing = mount.row().join("nothing").display().to_string();
    let refused = mount.command(&["attach", &server.url("/1.png"), &nothing]);
    assert_eq!(refused.code, 2, "{refused}");
    assert_eq!(read(&scratch), b"an old text");
}

#[test]
fn a_shortcut_file_that_is_copied_or_moved_to_the_url_of_a_field_attaches() {
    let Some((server, mount)) = served() else { return };
    let (row, url) = (mount.row(), server.url("/1.png"));
    let shortcut = format!("[InternetShortcut]\r\nURL={url}\r\n");
    let webloc = format!(
        "<?xml version=\"1.0\"?>\n<plist><dict><key>URL</key><string>{url}</string></dict></plist>"
    );
    let desktop = format!("[Desktop Entry]\nType=Link\nURL={url}\n");
    for (tool, text) in [("cp", &shortcut), ("cp", &webloc), ("mv", &desktop)] {
        let source = mount.outside("shortcut", text.as_bytes());
        run(tool, &[source, row.join("avatar.url")]).succeeded();
        assert_eq!(read(&row.join("avatar")), picture::good(1), "{text}");
        fs::remove_file(row.join("avatar")).expect("removed");
    }
    // An editor writes a file beside it, then renames that.
    fs::write(row.join(".shortcut.tmp"), &shortcut).expect("scratch");
    fs::rename(row.join(".shortcut.tmp"), row.join("avatar.url")).expect("taken");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(names(&row), ["avatar"]);
}

#[test]
fn the_url_of_a_field_reads_as_its_public_url_and_is_not_listed() {
    let config = config().with("library.base_url = 'https://media.example'");
    let Some(mount) = config.mount() else { return };
    let row = mount.row();
    assert_eq!(errno(fs::read(row.join("avatar.url"))), ENOENT, "nothing is attached");
    let avatar = mount.attach("avatar", &picture::good(1));
    let shown = fs::read_to_string(row.join("avatar.url")).expect("a URL");
    assert!(shown.starts_with("https://media.example/") && shown.ends_with('\n'), "{shown}");
    let length = fs::metadata(row.join("avatar.url")).expect("stat").len();
    assert_eq!(length, shown.len() as u64, "the size is exact");
    assert_eq!(names(&row), ["avatar"]);
    fs::remove_file(avatar).expect("removed");
    fs::remove_dir(row).expect("an unlisted name keeps no directory");
}

#[test]
fn the_url_and_the_name_of_the_file_behind_it_are_kept_as_attributes() {
    let Some((server, mount)) = served() else { return };
    let avatar = mount.row().join("avatar");
    let url = server.url("/1.my photo.png?size=1 x");
    symlink(&url, &avatar).expect("attached");
    assert_eq!(attribute::text(&avatar, "user.xdg.origin.url"), url);
    let name = attribute::text(&avatar, "user.mediafs.original_filename");
    assert_eq!(name, "1.my photo.png");
    assert_eq!(attribute::listed(&avatar), [""; 0]);
}

#[test]
fn ln_s_on_an_occupied_field_is_eexist_and_ln_sf_replaces() {
    let Some((server, mount)) = served() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!(errno(symlink(server.url("/2.png"), &avatar)), EEXIST);
    assert_eq!(server.connections(), 0);
    let mut old = File::open(&avatar).expect("the old picture opens");
    ln("-sf", &server.url("/2.png"), &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(2));
    assert_eq!(rest(&mut old), picture::good(1), "the old handle keeps its picture");
    assert_eq!(names(&mount.row()), ["avatar"]);
    let refused = ln("-sf", &server.url("/text"), &avatar);
    assert!(refused.stderr.contains("Wrong medium type"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2), "the old attachment is intact");
}

#[test]
fn a_link_under_a_scratch_name_stays_a_link_and_nothing_is_fetched() {
    let Some((server, mount)) = served() else { return };
    let row = mount.row();
    let url = server.url("/1.png");
    symlink(&url, row.join("CuXyZ")).expect("a link");
    assert_eq!(fs::read_link(row.join("CuXyZ")).expect("a link"), Path::new(&url));
    assert!(fs::symlink_metadata(row.join("CuXyZ")).expect("stat").is_symlink());
    assert_eq!(names(&row), ["CuXyZ"]);
    fs::rename(row.join("CuXyZ"), row.join("other")).expect("another name");
    assert_eq!(names(&row), ["other"]);
    assert_eq!(server.connections(), 0);
    fs::remove_file(row.join("other")).expect("removed");
    symlink(&url, row.join("again")).expect("a link");
    fs::remove_dir(&row).expect("scratch keeps no row");
}

#[test]
fn close_and_fsync_are_verdicts_and_are_repeated_until_another_url_is_written() {
    let Some((server, mount)) = served() else { return };
    let row = mount.row();
    let text = mount.outside("text", server.url("/text").as_bytes());
    let copied = run("cp", &[&text, &row.join("avatar.url")]);
    assert!(copied.code == 1 && copied.stderr.contains("Wrong medium type"), "{copied}");
    let mut file = File::create(row.join("avatar.url")).expect("opened");
    file.write_all(server.url("/text").as_bytes()).expect("written");
    assert_eq!(errno(file.sync_all()), EMEDIUMTYPE);
    assert_eq!(errno(file.sync_all()), EMEDIUMTYPE);
    file.set_len(0).expect("emptied");
    file.write_all_at(server.url("/1.png").as_bytes(), 0).expect("written");
    file.sync_all().expect("attached");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
}

#[test]
fn an_attachment_that_was_unlinked_for_a_url_is_put_back_when_that_is_refused() {
    if !installed("python3") {
        return;
    }
    let Some((server, mount)) = served() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let by_link = "import os, sys
os.unlink(sys.argv[2])
os.symlink(sys.argv[1], sys.argv[2])";
    let by_view = "import os, sys
os.unlink(sys.argv[2])
view = open(sys.argv[2] + '.url', 'w')
view.write(sys.argv[1])
view.close()";
    for script in [by_link, by_view] {
        for url in [server.url("/text"), "http://user:pass@example.org/".to_owned()] {
            let done = run("python3", &["-c", script, &url, &avatar.display().to_string()]);
            assert_eq!(done.code, 1, "{done}");
            assert_eq!(read(&avatar), picture::good(1), "{script}");
        }
    }
}

#[test]
fn a_link_in_a_collection_is_an_item() {
    let server = Server::start();
    let config = allowing(&server.address)
        .field("photos", "image, collection = 'list', max_items = 2")
        .field("sides", "image, collection = 'dict'");
    let Some(mount) = config.mount() else { return };
    let (photos, front) = (mount.row().join("photos"), mount.row().join("sides/front.png"));
    ln("-s", &server.url("/1.png"), &photos.join("b.png")).succeeded();
    symlink(server.url("/2.png"), photos.join("a.png")).expect("attached");
    assert_eq!(read(&photos.join("b.png")), picture::good(1));
    assert_eq!(errno(symlink(server.url("/3.png"), photos.join("c.png"))), EDQUOT);
    assert_eq!(server.connections(), 2, "nothing is fetched for an item beyond max_items");
    ln("-sf", &server.url("/3.png"), &front).succeeded();
    mount.command(&["attach", &server.url("/4.png"), &front.to_string_lossy()]).succeeded();
    assert_eq!(read(&front), picture::good(4), "replaced");
    assert_eq!(names(front.parent().expect("a dict")), ["front.png"]);
}
