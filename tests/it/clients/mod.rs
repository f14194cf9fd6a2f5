//! Real clients and servers over a mount: what each says when a file is taken, and when it is refused early or late. The table
//! in docs/CLIENTS.md says what is expected. `mount` has the tests of the tools on the command line.

// Tests fail by panicking, and paths are handed to Python as literals.
#![allow(clippy::panic, clippy::unnecessary_debug_formatting)]

mod archives;
mod copies;
mod database;
mod drops;
mod ftp;
mod pictures;
mod samba;
mod server;
mod site;
mod table;
mod texts;
mod walk;
mod web;

use std::fs;
use std::path::Path;

use crate::config::Config;
use crate::limits::is_root;
use crate::mount::daemon::Mount;
use crate::mount::picture::{self, Bytes};
use crate::mount::tool::Done;
use crate::mount::{names, read};
use table::{Case, Client};

/// The configuration of a site: the web server's user owns the files and may reach the mount.
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

/// A client that writes the bytes of its first path to the second, which is a name in row 42.
struct Upload<'a> {
    client: &'a str,
    /// The names that it leaves beside the picture after a refusal.
    leaves: &'a [&'a str],
}

impl Upload<'_> {
    fn of(client: &str) -> Upload<'_> {
        Upload { client, leaves: &[] }
    }

    /// Checks that a picture is taken, and that a bad name, a text and half a picture
    /// are refused with the words of the table while the old picture stays bit for bit.
    fn is_held_to_the_table(&self, mount: &Mount, write: impl Fn(&Path, &Path) -> Done) {
        let client = Client::named(self.client);
        let source = |bytes: &[u8]| mount.outside("source.png", bytes);
        let avatar = mount.row().join("avatar");

        client.said(Case::Accepted, &plain(mount, write(&source(&picture::good(1)), &avatar)));
        assert_eq!(read(&avatar), picture::good(1), "{}: stored bit for bit", self.client);
        let listed = names(&mount.row());
        assert_eq!(listed.len(), 1, "{} leaves nothing behind: {listed:?}", self.client);

        let gif = avatar.with_extension("gif");
        let refusals: [(Case, Bytes, &Path, &str); 3] = [
            (Case::Name, picture::good(2), &gif, "extension"),
            (Case::Content, text(), &avatar, "content_types"),
            (Case::CutShort, picture::cut_short(2), &avatar, "truncated"),
        ];
        for (case, bytes, target, rule) in refusals {
            let done = plain(mount, write(&source(&bytes), target));
            client.said(case, &done);
            assert_eq!(last_rule(mount), rule, "{}, {case:?}: {done}", self.client);
            assert_eq!(read(&avatar), picture::good(1), "{}: the old picture stays", self.client);
        }
        let mut left: Vec<_> = names(&mount.row());
        left.retain(|name| *name != listed[0]);
        assert_eq!(left, self.leaves, "{} leaves", self.client);
    }
}

/// A text longer than the buffer of any tool: if the first write does not fail, the second does.
fn text() -> Bytes {
    Bytes(b"no picture at all, but a line of text\n".repeat(2000))
}

/// The rule of the last refusal.
fn last_rule(mount: &Mount) -> String {
    let refusal = last_refusal(mount);
    refusal["rule"].as_str().expect("a rule").to_owned()
}

fn last_refusal(mount: &Mount) -> serde_json::Value {
    let lines = fs::read_to_string(mount.path(".mediafs/errors.jsonl")).expect("errors.jsonl");
    serde_json::from_str(lines.lines().last().expect("a refusal")).expect("JSON")
}

/// What a client said, with `…` for the path of the row in this mount.
fn plain(mount: &Mount, done: Done) -> Done {
    let row = mount.row().display().to_string();
    let short = |text: String| text.replace(&row, "…");
    Done { code: done.code, stdout: short(done.stdout), stderr: short(done.stderr) }
}
