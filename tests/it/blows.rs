//! kill -9 of the daemon in the middle of what is no plain write: an item is replaced, `row.json` is written, a list is put in
//! order, a file moves between stores, comes back from the trash, arrives in a box. Each is done whole or not at all, and what
//! was acknowledged is there after the next start.
//! Does not repeat what `durability` shows of writes, renames and removals in single fields.

// Tests fail by panicking.
#![allow(clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::limits::{files, until};
use crate::mount::daemon::Mount;
use crate::mount::tool::installed;
use crate::mount::{names, read};

const CONFIG: &str = r#"
[library]
path = "library"
trash = "1h"
hold = "0"

[stores.cold]
path = "cold"

[tables.user]
id = "integer"

[tables.user.fields.here]
type = "file"

[tables.user.fields.there]
type = "file"
store = "cold"

[tables.user.fields.memo]
type = "file"

[tables.user.fields.note]
type = "file"

[tables.user.fields.papers]
type = "file"
collection = "list"

[tables.page]
id = "integer"

[tables.page.fields.scan]
type = "file"

[boxes.in]
into = "page.scan"
id = "{counter}"
settle = "0s"
"#;

const ROUNDS: usize = 12;
const KINDS: [&str; 6] = ["item", "order", "json", "move", "trash", "box"];
/// Into how many parts an operation is cut, for the blow to fall into each.
const PARTS: u32 = 7;

/// Does one kind of thing until the daemon dies; says what it begins, and what was acknowledged.
const WRITER: &str = "
import itertools, json, os, random, sys
tree, kind, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
row, trash = tree + '/models/user/42', tree + '/trash'

def put(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sent = 0
    while sent < len(data):
        sent += os.write(fd, data[sent:sent + 50000])
    os.close(fd)

def text(n):
    return b'%d ' % n * (1 + n * 7919 % 20000)

def does(what, value, work, *arguments):
    print('begin', what, value, flush=True)
    work(*arguments)
    print('end', what, value, flush=True)

def step(n):
    if kind == 'item':
        name = 'abc'[n % 3]
        does(name, n, put, row + '/papers/' + name, text(n))
    elif kind == 'order':
        order = random.Random(n).sample('abc', 3)
        does('order', ''.join(order), put, row + '/row.json', json.dumps({'papers': order}).encode())
    elif kind == 'json':
        patch = {'note': {'n': n}, 'papers': {'a': {'original_filename': '%d.txt' % n}}}
        does('json', n, put, row + '/row.json', json.dumps(patch).encode())
    elif kind == 'move':
        here = os.path.exists(row + '/here')
        old, new = ('here', 'there') if here else ('there', 'here')
        does('move', new, os.rename, row + '/' + old, row + '/' + new)
    elif kind == 'trash':
        does('memo', 'gone', os.unlink, row + '/memo')
        [lost] = [trash + '/' + day + '/' + name for day in os.listdir(trash)
                  for name in os.listdir(trash + '/' + day) if name.startswith('user-42-memo')]
        does('memo', 'there', os.rename, lost, row + '/memo')
    elif kind == 'box':
        n += 5000000
        path = tree + '/drop/in/%d.txt' % n
        put(path + '.part', text(n))
        does('box-%d' % n, n, os.rename, path + '.part', path)

try:
    for n in itertools.count(first):
        step(n)
except OSError as error:
    # ENOTCONN, ECONNABORTED; ENOENT: the mountpoint's own directory.
    sys.exit(0 if error.errno in (107, 103, 2) else str(error))
";

/// What was said of one thing: the value that was acknowledged last, and the one that was begun since.
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

type All = BTreeMap<String, Known>;

fn hear(all: &mut All, line: &str) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    let [word, what, value] = words[..] else { panic!("{line:?}") };
    let known = all.entry(what.to_owned()).or_default();
    match word {
        "begin" => known.begun = Some(value.to_owned()),
        _ => *known = Known { ended: Some(value.to_owned()), begun: None },
    }
    word == "end"
}

struct Writers {
    processes: Vec<Child>,
    said: Receiver<String>,
}

impl Writers {
    fn start(mount: &Mount, first: usize) -> Self {
        let (say, said) = mpsc::channel();
        let start = |kind: &&str| {
            let mut process = Command::new("python3")
                .args(["-c", WRITER])
                .arg(mount.mountpoint())
                .args([*kind, &first.to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .expect("python3 starts");
            let (output, say) = (process.stdout.take().expect("its output"), say.clone());
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = say.send(line);
                }
            });
            process
        };
        Self { processes: KINDS.iter().map(start).collect(), said }
    }

    /// Kills the daemon some time after `count` operations were acknowledged.
    fn kill_after(self, mount: &mut Mount, all: &mut All, count: u32, part: u32) {
        let (begun, mut ended) = (Instant::now(), 0);
        while ended < count {
            let line = self.said.recv_timeout(Duration::from_secs(60)).expect("they write");
            ended += u32::from(hear(all, &line));
        }
        // No event tells where an operation is: this spins for a part of the time that one took.
        let blow = Instant::now() + begun.elapsed() / count * part / PARTS;
        while Instant::now() < blow {
            std::hint::spin_loop();
        }
        mount.kill9();
        for mut process in self.processes {
            assert!(process.wait().expect("it ends").success(), "it was told something else");
        }
        for line in self.said {
            hear(all, &line);
        }
    }
}

/// The number that a text is made of, of which it has nothing but the whole.
fn number(path: &Path) -> String {
    let bytes = read(path).0;
    let text = String::from_utf8(bytes).expect("text");
    let number = text.split(' ').next().expect("a number").to_owned();
    let times = 1 + number.parse::<usize>().expect("a number") * 7919 % 20_000;
    assert_eq!(text.len(), (number.len() + 1) * times, "{}: not whole", path.display());
    number
}

fn holds(all: &mut All, what: &str, found: &str) {
    let known = all.entry(what.to_owned()).or_default();
    assert!(known.allows(found), "{what} is {found:?} after {known:?}");
    *known = Known { ended: Some(found.to_owned()), begun: None };
}

/// What is in the trash of the memo.
fn lost(mount: &Mount) -> Vec<PathBuf> {
    let trash = mount.path("trash");
    let days = names(&trash).into_iter().map(|day| trash.join(day));
    let found = days.flat_map(|day| names(&day).into_iter().map(move |name| day.join(name)));
    found.filter(|path| path.display().to_string().contains("user-42-memo")).collect()
}

fn check_row(mount: &Mount, all: &mut All) {
    let row = mount.row();
    for item in ["a", "b", "c"] {
        holds(all, item, &number(&row.join("papers").join(item)));
    }
    let order = fs::read_dir(row.join("papers")).expect("a list").map(|it| it.expect("an item"));
    let order: Vec<_> = order.map(|it| it.file_name().into_string().expect("UTF-8")).collect();
    holds(all, "order", &order.concat());
    let text = fs::read_to_string(row.join("row.json")).expect("a document");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    holds(all, "json", &document["note"]["n"].to_string());

    let sides: Vec<_> = ["here", "there"].into_iter().filter(|it| row.join(it).exists()).collect();
    let [side] = sides[..] else { panic!("it is at {sides:?}") };
    holds(all, "move", side);
    assert_eq!(number(&row.join(side)), "77");
    let mut store = [0; 64];
    let length = rustix::fs::getxattr(row.join(side), "user.mediafs.store", &mut store[..]);
    let store = &store[..length.expect("its store")];
    assert_eq!(store == b"cold", side == "there", "it lies in its field's store");

    let (is_there, lost) = (row.join("memo").exists(), lost(mount));
    assert_eq!(usize::from(is_there) + lost.len(), 1, "in the row or in the trash: {lost:?}");
    holds(all, "memo", if is_there { "there" } else { "gone" });
    if !is_there {
        fs::rename(&lost[0], row.join("memo")).expect("it comes back");
        all.entry("memo".into()).or_default().ended = Some("there".into());
    }
    assert_eq!(read(&row.join("memo")), b"a memo");
    let mut listed = names(&row);
    listed.retain(|name| name != "here" && name != "there");
    assert_eq!(listed, ["memo", "note", "papers"], "nothing is left behind");
}

/// Every file that arrived is one row, whose file is whole.
fn check_box(mount: &Mount, all: &All) {
    let pages = mount.path("models/page");
    let count = |status: &serde_json::Value| status["open"]["arrivals"].as_u64();
    until("every file was received", || count(&mount.status()) == Some(0));
    let rows = names(&pages).into_iter().map(|id| pages.join(id));
    let found: Vec<_> = rows
        .map(|row| match &names(&row)[..] {
            [file] => number(&row.join(file)),
            other => panic!("{}: {other:?}", row.display()),
        })
        .collect();
    let once: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(once.len(), found.len(), "none became two rows: {found:?}");
    for (what, known) in all.iter().filter(|(what, _)| what.starts_with("box-")) {
        let sent = known.ended.as_ref();
        assert!(sent.is_none_or(|number| once.contains(number)), "{what} became no row");
    }
}

/// Each store has the blobs of what has a name, and no other.
fn check_blobs(mount: &Mount) {
    let done = mount.command(&["gc", "--now", "--empty-trash"]);
    done.succeeded();
    let cold = mount.library().with_file_name("cold");
    let stored = files(&mount.library().join("blobs")).len() + files(&cold).len();
    // The store's own mark lies there, too.
    let linked = mount.status()["tables"]
        .as_object()
        .expect("tables")
        .values()
        .fold(0, |sum, it| sum + it["files"].as_u64().expect("a count"));
    assert_eq!(stored as u64, linked + 1, "as many as there are names");
}

#[test]
fn a_blow_in_the_middle_of_anything_leaves_it_whole_or_undone() {
    if !installed("python3") {
        return;
    }
    let Some(mut mount) = Mount::with(CONFIG) else { return };
    let row = mount.row();
    let text = |number: usize| format!("{number} ").repeat(1 + number * 7919 % 20_000);
    let mut all = All::new();
    for (item, number) in [("a", 1), ("b", 2), ("c", 3)] {
        fs::write(row.join("papers").join(item), text(number)).expect("taken");
        all.insert(item.into(), Known { ended: Some(number.to_string()), begun: None });
    }
    for (field, bytes) in [("note", "a note"), ("memo", "a memo"), ("here", &text(77))] {
        fs::write(row.join(field), bytes).expect("taken");
    }
    for (what, value) in [("order", "abc"), ("json", "null"), ("move", "here"), ("memo", "there")] {
        all.insert(what.into(), Known { ended: Some(value.into()), begun: None });
    }
    for round in 0..ROUNDS {
        let writers = Writers::start(&mount, 100 + round * 10_000);
        let count = 20 + u32::try_from(round * 37 % 50).expect("few");
        let part = u32::try_from(round).expect("few") % PARTS;
        writers.kill_after(&mut mount, &mut all, count, part);
        mount.restart();
        check_row(&mount, &mut all);
        check_box(&mount, &all);
    }
    check_blobs(&mount);
}
