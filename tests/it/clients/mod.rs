//! Real clients and servers over a mount: the words of each when a file is taken, and when it is refused early or late, as the table
//! in docs/CLIENTS.md promises them. `mount` has further tests of the tools on the command line.

// Tests fail by panicking, and paths are handed to Python as literals.
#![allow(clippy::panic, clippy::unnecessary_debug_formatting)]

mod archives;
mod client_table;
mod collections;
mod copies;
mod database;
mod ftp;
mod pictures;
mod public_url;
mod samba;
mod server_process;
mod texts;
mod walk;
mod web;

use std::path::Path;

use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::picture::{self, Bytes};
use crate::mount::tool::{Done, is_root};
use crate::mount::{names, read};
use client_table::{Case, Client};

/// The configuration of a web site: the user of the web server owns the files and reaches the mount.
fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .with("mount.owner = 'www-data'")
        .table("user", "integer")
        .field(
            "avatar",
            "image, max_size = '1 MiB', min_width = 64, thumbnails = ['w64'], \
             content_types = ['image/jpeg', 'image/png', 'image/webp']",
        )
        .field("note", "file, min_size = '4 B', max_size = '4 KiB', content_types = ['text/plain']")
        .field("memo", "file")
}

/// A site that is mounted, with row 42.
fn site() -> Option<Mount> {
    site_with(&config())
}

/// Like `site`, with another configuration.
fn site_with(config: &Config) -> Option<Mount> {
    // Servers drop privileges that only root has.
    if !is_root() {
        return None;
    }
    let mount = config.mount()?;
    mount.row();
    Some(mount)
}

/// The name of a client that uploads files, as in the table.
struct Upload<'a>(&'a str);

impl Upload<'_> {
    /// Checks that a picture is taken, and that a bad name, a text and half a picture
    /// are refused with the words of the table while the old picture stays bit for bit.
    ///
    /// `write` writes the bytes of its first path to the second, a name in row 42.
    fn is_held_to_the_table(&self, mount: &Mount, write: impl Fn(&Path, &Path) -> Done) {
        let client = Client::named(self.0);
        let source = |bytes: &[u8]| mount.outside("source.png", bytes);
        let avatar = mount.row().join("avatar");

        client.said(Case::Accepted, &plain(mount, write(&source(&picture::good(1)), &avatar)));
        assert_eq!(read(&avatar), picture::good(1), "{}: stored bit for bit", self.0);
        let listed = names(&mount.row());
        assert_eq!(listed.len(), 1, "{} leaves no other file: {listed:?}", self.0);

        let gif = avatar.with_extension("gif");
        let refusals: [(Case, Bytes, &Path, &str); 3] = [
            (Case::Name, picture::good(2), &gif, "extension"),
            (Case::Content, text(), &avatar, "content_types"),
            (Case::CutShort, picture::cut_short(2), &avatar, "truncated"),
        ];
        for (case, bytes, target, rule) in refusals {
            let done = plain(mount, write(&source(&bytes), target));
            client.said(case, &done);
            assert_eq!(last_rule(mount), rule, "{}, {case:?}: {done}", self.0);
            assert_eq!(read(&avatar), picture::good(1), "{}: the old picture stays", self.0);
        }
        assert_eq!(names(&mount.row()), listed, "{} leaves no other file", self.0);
    }
}

/// A text longer than the buffer of any tool, so that it takes several writes.
fn text() -> Bytes {
    Bytes(b"no picture at all, but a line of text\n".repeat(2000))
}

/// The rule of the last refusal.
fn last_rule(mount: &Mount) -> String {
    mount.last_refusal()["rule"].as_str().expect("a rule").to_owned()
}

/// The output of a client, with `…` for the path of the row.
fn plain(mount: &Mount, done: Done) -> Done {
    let row = mount.row().display().to_string();
    let short = |text: String| text.replace(&row, "…");
    Done { code: done.code, stdout: short(done.stdout), stderr: short(done.stderr) }
}
