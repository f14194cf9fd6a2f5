//! The publish protocol under kill -9: whatever was acknowledged is there, whatever was not leaves nothing behind.
//! Does not cut the power: what the kernel was given survives here, so a missing fsync is not seen. What a power cut may do to
//! blobs that only a log has is done to them by hand.
//!
//! The harness was shown to fail on mutants, each in every one of several runs: with the publication made before the
//! put (a link to nothing), with the acknowledgement said before the publication (lost), and with a `doom` that does
//! not repeat what was not forgotten (a file that stays), with a start that recalls nothing (the same), and with one that puts
//! nothing back from the log (a link to nothing).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use mediafs::blob::{BlobStore, dir};
use mediafs::catalog::Catalog;
use mediafs::catalog::blobs::Reservation;
use mediafs::catalog::slots::Publication;
use mediafs::catalog::sql::SqlCatalog;
use mediafs::catalog::sqlite::Sqlite;
use words::attachment::{Access, BlobKey, Content, Original, RowId, StoreId, Times};
use words::digest::Digest;
use words::media_type::MediaType;
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

use crate::limits::is_log;

/// Tells this binary, run again, to be the writer, and where.
const LIBRARY: &str = "MEDIAFS_CRASH_LIBRARY";

/// Which numbers the writer begins with.
const START: &str = "MEDIAFS_CRASH_START";

const SLOTS: u64 = 7;
const ROUNDS: u64 = 40;
const PARTS: u32 = 20;
const ACCESS: Access = Access { uid: 0, gid: 0, mode: 0o644 };

struct Library {
    root: PathBuf,
    blobs: dir::Store,
    catalog: Box<dyn Catalog>,
    row: RowId,
}

impl Library {
    fn open(root: &Path) -> Self {
        let blobs = dir::Store::open(&root.join("blobs")).expect("a blob store");
        let engine = Sqlite::open(&root.join("catalog.sqlite")).expect("a database");
        let catalog: Box<dyn Catalog> = Box::new(SqlCatalog::new(engine));
        let (user, id) = (name("user"), name("42"));
        let table = catalog.table(&user).expect("a table");
        let known = catalog.row(table, &id).expect("an answer").map(|row| row.id);
        let add = || catalog.add_row(table, &id, ACCESS, Timestamp::now()).expect("a row").id;
        let row = known.unwrap_or_else(add);
        Self { root: root.to_owned(), blobs, catalog, row }
    }

    fn place(&self, number: u64) -> Place {
        Place::one(self.row, name(&format!("field{}", number % SLOTS)))
    }

    /// The key under which the bytes are stored.
    fn store(&self, bytes: &[u8], now: Timestamp) -> (BlobKey, Content) {
        let digest = Digest::of(bytes);
        let reservation = self.catalog.reserve(StoreId::default(), digest, now);
        let reservation = reservation.expect("a reservation");
        if let Reservation::New(key) = reservation {
            let mut staged = tempfile::tempfile_in(&self.root).expect("a staged file");
            staged.write_all(bytes).expect("staged");
            self.blobs.put(key, &staged).expect("put");
        }
        let length = u64::try_from(bytes.len()).expect("a length");
        let content = Content { media_type: MediaType::OCTET_STREAM, length, dimensions: None };
        (reservation.key(), content)
    }

    /// Publishes the bytes of a number, every third time with what was sent, in the order of the protocol; returns the key.
    fn publish(&self, number: u64) -> BlobKey {
        let now = Timestamp::now();
        let (blob, content) = self.store(&bytes(number), now);
        let sent = number.is_multiple_of(3).then(|| self.store(&sent(number), now));
        let place = self.place(number);
        let publication = Publication {
            written: place.field.clone(),
            original_filename: place.field.to_string(),
            place,
            blob,
            content,
            access: ACCESS,
            times: Times::all(now),
            source: None,
            original: sent.map(|(blob, content)| Original { blob, content }),
            attributes: Vec::new(),
            now,
        };
        let published = self.catalog.publish(&publication).expect("published").attachment;
        let sent = published.original.map(|sent| sent.blob);
        for key in [Some(published.blob), sent].into_iter().flatten() {
            self.blobs.confirm(key);
        }
        published.blob
    }

    /// What a start does with what the last run put and did not confirm.
    fn recall(&self) {
        let pending = self.blobs.pending().expect("what is pending");
        let stored = self.catalog.recall(&pending, Timestamp::now()).expect("recalled");
        for key in stored {
            self.blobs.confirm(key);
        }
    }

    /// One sweep that waits for nothing.
    fn sweep(&self) {
        let now = Timestamp::now();
        for key in self.catalog.doom(now, now, 1000).expect("doomed").blobs {
            self.blobs.delete(key).expect("deleted");
            self.catalog.forget(&[key]).expect("forgotten");
        }
    }

    /// Every file of the store but its log, by its name; one that is pending is none that is needed.
    fn files(&self) -> BTreeSet<String> {
        let pending = self.blobs.pending().expect("what is pending").into_iter();
        let mut found: BTreeSet<_> = pending.map(|key| format!("pending {key}")).collect();
        let mut folders = vec![self.root.join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let entry = entry.expect("an entry");
                if entry.file_type().expect("a type").is_dir() {
                    folders.push(entry.path());
                } else {
                    found.insert(entry.file_name().into_string().expect("digits"));
                    found.retain(|name| !is_log(name));
                }
            }
        }
        found
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Other bytes for each number, of sizes from nothing to 150 KB; every fifth number repeats an earlier one.
fn bytes(number: u64) -> Vec<u8> {
    let content = if number.is_multiple_of(5) { number / 2 } else { number };
    let length = usize::try_from(content * 7919 % 150_000).expect("a length");
    content.to_le_bytes().into_iter().cycle().take(length).collect()
}

/// What the bytes of a number were made of.
fn sent(number: u64) -> Vec<u8> {
    [bytes(number).as_slice(), b"and what was left out"].concat()
}

/// The child: publishes one number after another, sweeps now and then, and says what it has acknowledged.
#[test]
#[ignore = "is the writer that the crash test starts and kills"]
fn writer() {
    let Some(root) = std::env::var_os(LIBRARY) else { return };
    let start: u64 = std::env::var(START).expect("a start").parse().expect("a number");
    let library = Library::open(Path::new(&root));
    let mut said = std::io::stderr().lock();
    for number in start.. {
        let key = library.publish(number);
        writeln!(said, "{number} {key}").expect("said");
        if number.is_multiple_of(10) {
            library.sweep();
        }
    }
}

fn start_writer(root: &Path, start: u64) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "crash::writer", "--ignored", "--nocapture"])
        .env(LIBRARY, root)
        .env(START, start.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the writer")
}

/// Kills the writer some time after it has said `lines` lines; returns all that it said, by number.
fn kill_after(mut writer: Child, lines: u64, part: u32) -> BTreeMap<u64, BlobKey> {
    let mut said = BufReader::new(writer.stderr.take().expect("a pipe"));
    let mut text = String::new();
    // The first line comes when the writer has started.
    said.read_line(&mut text).expect("a line");
    let begun = Instant::now();
    for _ in 0..lines {
        assert!(said.read_line(&mut text).expect("a line") > 0, "the writer ended: {text}");
    }
    // The blow falls at another part of a publication each time: none of its steps may be the safe one. No event tells
    // where the writer is, so this spins for that part of the time that its publications took.
    let blow = Instant::now() + begun.elapsed() / u32::try_from(lines).expect("few") * part / PARTS;
    while Instant::now() < blow {
        std::hint::spin_loop();
    }
    writer.kill().expect("killed");
    writer.wait().expect("reaped");
    said.read_to_string(&mut text).expect("the rest");
    let line = |line: &str| {
        let (number, key) = line.split_once(' ').expect("a number and a key");
        (number.parse().expect("a number"), BlobKey::parse(StoreId::default(), key).expect("a key"))
    };
    text.split_inclusive('\n')
        .filter(|text| text.ends_with('\n'))
        .map(|t| line(t.trim_end()))
        .collect()
}

/// The bytes of a key are there, and are those of its digest.
fn check(library: &Library, key: BlobKey) {
    let mut bytes = Vec::new();
    let blob = library.blobs.open(key).expect("a link leads to a blob");
    blob.as_ref().read_to_end(&mut bytes).expect("read");
    assert_eq!(Digest::of(&bytes), key.digest, "the bytes of {key}");
}

/// Does to the blobs that a log has what a power cut may do: they are gone, or half of them is. Returns how many there were.
fn cut_power(root: &Path) -> usize {
    let blobs = root.join("blobs");
    let entries = std::fs::read_dir(blobs.join("pending")).expect("a folder");
    let logs = entries.map(|entry| entry.expect("an entry").path()).filter(|path| is_log(path));
    let keys = logs.flat_map(|log| logged(&std::fs::read(log).expect("a log")));
    let hit = |key: BlobKey| {
        let path = blobs.join(key.path());
        if key.generation.is_multiple_of(2) {
            return std::fs::remove_file(path).is_ok();
        }
        let Ok(mode) = std::fs::metadata(&path).map(|meta| meta.permissions()) else {
            return false;
        };
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("writable");
        let file = OpenOptions::new().write(true).open(&path).expect("opened");
        file.set_len(file.metadata().expect("a length").len() / 2).expect("cut");
        file.set_permissions(mode).is_ok()
    };
    keys.filter(|key| hit(*key)).count()
}

/// The keys of the records that a log begins with: a magic number, an epoch, digest, generation and length, and the bytes, in whole pages.
fn logged(log: &[u8]) -> Vec<BlobKey> {
    let mut keys = Vec::new();
    let mut rest = log;
    while let Some((header, _)) = rest.split_first_chunk::<72>()
        && header.starts_with(b"mediafs1")
        && header[8..24] == log[8..24]
    {
        let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8"));
        let digest = Digest::from_bytes(header[24..56].try_into().expect("a digest"));
        keys.push(BlobKey { store: StoreId::default(), digest, generation: number(56) });
        let size = (number(64) + 104).next_multiple_of(4096);
        rest = rest.get(usize::try_from(size).expect("a size")..).unwrap_or_default();
    }
    keys
}

/// The files that a library needs: the blobs of its links, and what was sent for them.
fn needed(library: &Library) -> BTreeSet<String> {
    let links = library.catalog.links(library.row).expect("links").into_iter();
    let attachments = links.map(|link| link.attachment);
    let keys = attachments.flat_map(|it| [Some(it.blob), it.original.map(|sent| sent.blob)]);
    keys.flatten().map(|key| key.to_string()).collect()
}

/// Every link leads to a blob whose bytes are those of its digest, and to those that were sent where they are kept.
fn linked(library: &Library) -> BTreeMap<Name, BlobKey> {
    let links = library.catalog.links(library.row).expect("links");
    let mut found = BTreeMap::new();
    for link in links {
        let key = link.attachment.blob;
        check(library, key);
        if let Some(sent) = link.attachment.original {
            check(library, sent.blob);
        }
        found.insert(link.place.field, key);
    }
    found
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_nothing_else_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut next = 0;
    let mut newest: BTreeMap<Name, BlobKey> = BTreeMap::new();
    let mut hit = 0;
    for round in 0..ROUNDS {
        let part = u32::try_from(round * 7).expect("few") % PARTS;
        let said = kill_after(start_writer(folder.path(), next), 5 + round * 3 % 17, part);
        hit += cut_power(folder.path());
        let library = Library::open(folder.path());
        let found = linked(&library);
        let (&last, _) = said.last_key_value().expect("something was acknowledged");
        for (number, key) in &said {
            newest.insert(library.place(*number).field, *key);
        }
        // The publication that the blow hit may have happened without being acknowledged.
        let hit = library.place(last + 1).field;
        for (field, key) in &newest {
            let digest = found.get(field).map(|key| key.digest);
            let unheard = *field == hit && digest == Some(Digest::of(&bytes(last + 1)));
            assert!(unheard || found.get(field) == Some(key), "round {round}: {field} was lost");
        }
        library.recall();
        library.sweep();
        assert_eq!(
            library.files(),
            needed(&library),
            "round {round}: exactly what is linked stays"
        );
        newest = linked(&library);
        next = last + 2;
    }
    assert!(hit > 0, "no log had anything when its writer was killed");
}
