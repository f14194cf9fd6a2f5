//! kill -9 of the daemon during operations other than plain writes: an item is replaced, `row.json` is written, a list is put
//! in order, a file moves between stores, comes back from the trash, arrives in a box. Each operation happens whole or not at
//! all, and an acknowledged one is there after the next start. `writes` covers writes, renames and removals in single fields.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::child_writer::{self as writer, DEAD, PARTS, Said, Writers, number_of, put, tell, text};
use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::library_files::files;
use crate::mount::{ENOENT, attribute, listed, names, read};
use crate::wait::until;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("library.hold = '0'")
        .with("stores.cold.path = 'cold'")
        .table("user", "integer")
        .field("here", "file")
        .field("there", "file, store = 'cold'")
        .field("memo", "file")
        .field("note", "file")
        .field("papers", "file, collection = 'list'")
        .table("page", "integer")
        .field("scan", "file")
        .with("boxes.in = { into = 'page.scan', id = '{counter}', settle = '0s' }")
}

const ROUNDS: usize = 12;
const KINDS: [&str; 6] = ["item", "order", "json", "move", "trash", "box"];
/// The most repetitions in the text of a number.
const LONGEST: u64 = 20_000;

/// The child process: repeats one kind of operation.
#[test]
#[ignore = "is the writer that the test starts, and whose daemon it kills"]
fn writer() {
    let Some(arguments) = writer::arguments() else { return };
    let (tree, first) = (Path::new(&arguments[0]), arguments[2].parse().expect("a number"));
    // ENOENT: after the unmount, the path leads into the mountpoint's own directory.
    writer::until_killed(first, &[DEAD[0], DEAD[1], ENOENT], |number| {
        step(tree, &arguments[1], number)
    });
}

fn step(tree: &Path, kind: &str, number: u64) -> io::Result<()> {
    let (row, value) = (tree.join("models/user/42"), number.to_string());
    let patch = |json: serde_json::Value| put(&row.join("row.json"), json.to_string().as_bytes());
    match kind {
        "item" => {
            let name = ["a", "b", "c"][usize::try_from(number % 3).expect("few")];
            let item = row.join("papers").join(name);
            tell(name, &value, || put(&item, &text(number, LONGEST)))
        }
        "order" => {
            let orders = ["abc", "cab", "acb", "bca", "bac", "cba"];
            let order = orders[usize::try_from(number % 6).expect("few")];
            let names: Vec<_> = order.chars().map(String::from).collect();
            tell("order", order, || patch(json!({ "papers": names })))
        }
        "json" => {
            let items = json!({ "a": { "original_filename": format!("{number}.txt") } });
            tell("json", &value, || patch(json!({ "note": { "n": number }, "papers": items })))
        }
        "move" => {
            let is_here = row.join("here").try_exists()?;
            let [old, new] = if is_here { ["here", "there"] } else { ["there", "here"] };
            tell("move", new, || fs::rename(row.join(old), row.join(new)))
        }
        "trash" => {
            tell("memo", "gone", || fs::remove_file(row.join("memo")))?;
            let [lost] = &lost(&tree.join("trash"))?[..] else { panic!("one memo is removed") };
            tell("memo", "there", || fs::rename(lost, row.join("memo")))
        }
        _ => {
            let number = number + 5_000_000;
            let sent = tree.join("drop/in").join(format!("{number}.txt"));
            let part = sent.with_extension("txt.part");
            put(&part, &text(number, LONGEST))?;
            tell(&format!("box-{number}"), &number.to_string(), || fs::rename(part, sent))
        }
    }
}

/// The last acknowledged value of a thing, and the value that was begun since.
#[derive(Debug, Default)]
struct Known {
    ended: Option<String>,
    begun: Option<String>,
}

impl Known {
    fn allows(&self, found: &str) -> bool {
        [&self.ended, &self.begun].into_iter().flatten().any(|value| value == found)
    }
}

/// The values of all things by name.
type All = BTreeMap<String, Known>;

/// Notes a line of a writer.
fn hear(all: &mut All, said: Said) {
    let known = all.entry(said.what).or_default();
    if said.acknowledged {
        *known = Known { ended: Some(said.value), begun: None };
    } else {
        known.begun = Some(said.value);
    }
}

/// The number that a text repeats. The text must be whole.
fn number(path: &Path) -> String {
    let number = number_of(&read(path), LONGEST);
    number.unwrap_or_else(|| panic!("{}: not whole", path.display())).to_string()
}

/// Checks that a thing has one of its possible values, which is the only one from now on.
fn holds(all: &mut All, what: &str, found: &str) {
    let known = all.entry(what.to_owned()).or_default();
    assert!(known.allows(found), "{what} is {found:?} after {known:?}");
    *known = Known { ended: Some(found.to_owned()), begun: None };
}

/// The files in the trash that were the memo.
fn lost(trash: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for day in fs::read_dir(trash)? {
        for entry in fs::read_dir(day?.path())? {
            found.push(entry?.path());
        }
    }
    found.retain(|path| path.display().to_string().contains("user-42-memo"));
    Ok(found)
}

fn check_row(mount: &Mount, all: &mut All) {
    let row = mount.row();
    for item in ["a", "b", "c"] {
        holds(all, item, &number(&row.join("papers").join(item)));
    }
    holds(all, "order", &listed(&row.join("papers")).concat());
    holds(all, "json", &mount.row_json()["note"]["n"].to_string());

    let sides: Vec<_> = ["here", "there"].into_iter().filter(|it| row.join(it).exists()).collect();
    let [side] = sides[..] else { panic!("the file is at {sides:?}") };
    holds(all, "move", side);
    assert_eq!(number(&row.join(side)), "77");
    let store = attribute::text(&row.join(side), "user.mediafs.store");
    assert_eq!(store == "cold", side == "there", "the file lies in the store of its field");

    let lost = lost(&mount.path("trash")).expect("the trash");
    let is_there = row.join("memo").exists();
    assert_eq!(usize::from(is_there) + lost.len(), 1, "in the row or in the trash: {lost:?}");
    holds(all, "memo", if is_there { "there" } else { "gone" });
    if !is_there {
        fs::rename(&lost[0], row.join("memo")).expect("restored");
        all.entry("memo".into()).or_default().ended = Some("there".into());
    }
    assert_eq!(read(&row.join("memo")), b"a memo");
    let mut listed = names(&row);
    listed.retain(|name| name != "here" && name != "there");
    assert_eq!(listed, ["memo", "note", "papers"], "no other file is left");
}

/// The numbers of the files that became rows; `None` for a row without a file.
fn arrived(mount: &Mount) -> Vec<Option<String>> {
    let pages = mount.path("models/page");
    let file = |id| {
        let row = pages.join::<String>(id);
        names(&row).first().map(|file| number(&row.join(file)))
    };
    names(&pages).into_iter().map(file).collect()
}

/// Checks that every file that arrived is one row with the whole file.
fn check_box(mount: &Mount, all: &All) {
    let sent = all.iter().filter(|(what, _)| what.starts_with("box-"));
    let sent: BTreeSet<_> = sent.filter_map(|(_, known)| known.ended.clone()).collect();
    // The new daemon receives what the killed one had not received.
    until("every file that was sent became a row", || {
        let rows: BTreeSet<_> = arrived(mount).into_iter().flatten().collect();
        rows.is_superset(&sent) && mount.status()["open"]["arrivals"] == 0
    });
    let found: Vec<_> = arrived(mount).into_iter().map(|it| it.expect("a file")).collect();
    let once: BTreeSet<_> = found.iter().collect();
    assert_eq!(once.len(), found.len(), "no file became two rows: {found:?}");
}

/// Checks that each store has the blobs that have a name, and no others.
fn check_blobs(mount: &Mount) {
    mount.gc(&["--now", "--empty-trash"]);
    let stored = files(&mount.library().join("blobs")).len() + files(&mount.beside("cold")).len();
    // The marker file of the store lies there too.
    let linked = mount.status()["tables"]
        .as_object()
        .expect("tables")
        .values()
        .fold(0, |sum, it| sum + it["files"].as_u64().expect("a count"));
    assert_eq!(stored as u64, linked + 1, "as many as there are names");
}

#[test]
fn a_kill_during_an_operation_leaves_it_whole_or_undone() {
    let Some(mut mount) = config().mount() else { return };
    let row = mount.row();
    let mut all = All::new();
    for (item, number) in [("a", 1), ("b", 2), ("c", 3_u64)] {
        fs::write(row.join("papers").join(item), text(number, LONGEST)).expect("taken");
        all.insert(item.into(), Known { ended: Some(number.to_string()), begun: None });
    }
    let here = text(77, LONGEST);
    for (field, bytes) in [("note", &b"a note"[..]), ("memo", b"a memo"), ("here", &here)] {
        fs::write(row.join(field), bytes).expect("taken");
    }
    for (what, value) in [("order", "abc"), ("json", "null"), ("move", "here"), ("memo", "there")] {
        all.insert(what.into(), Known { ended: Some(value.into()), begun: None });
    }
    for round in 0..ROUNDS {
        let first = (100 + round * 10_000).to_string();
        let tree = mount.mountpoint().display().to_string();
        let arguments = KINDS.map(|kind| vec![tree.clone(), kind.to_owned(), first.clone()]);
        let writers = Writers::start("crash::changes::writer", &arguments);
        let count = 20 + u32::try_from(round * 37 % 50).expect("few");
        let part = u32::try_from(round).expect("few") % PARTS;
        for said in writers.kill_after(&mut mount, count, part) {
            hear(&mut all, said);
        }
        mount.restart();
        check_row(&mount, &mut all);
        check_box(&mount, &all);
    }
    check_blobs(&mount);
}
