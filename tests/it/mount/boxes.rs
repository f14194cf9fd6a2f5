//! Drop boxes: each finished file in a box becomes one row, and stays in the box as it was sent.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::Mount;
use super::tool::run;
use super::{EPERM, errno, names, picture, read};
use crate::config::Config;
use crate::wait::{found, until};

fn config() -> Config {
    Config::new()
        .table("page", "integer")
        .field("scan", "image, format = 'jpeg'")
        .table("note", "name")
        .field("texts", "file, collection = 'list'")
        .with("boxes.scanner = { into = 'page.scan', id = '{counter}', settle = '1s' }")
        .with("boxes.texts = { into = 'note.texts', id = '{stem}', settle = '30s' }")
        .with("boxes.letters = { into = 'note.texts', id = 'letter-{counter}', settle = '30s' }")
}

/// Waits until exactly this many rows of a table hold a file, and returns their ids.
fn rows(mount: &Mount, table: &str, count: usize) -> Vec<String> {
    let found = found(&format!("{count} rows of {table}"), || {
        Some(filled(mount, table)).filter(|rows| rows.len() >= count)
    });
    assert_eq!(found.len(), count, "{found:?}");
    found
}

/// Waits until every closed file in the boxes has been received.
fn all_received(mount: &Mount) {
    until("no arrival is left", || mount.status()["open"]["arrivals"] == 0);
}

/// The ids of the rows that hold a file.
fn filled(mount: &Mount, table: &str) -> Vec<String> {
    let directory = mount.path("models").join(table);
    let mut found = names(&directory);
    found.retain(|id| match table {
        "note" => !names(&directory.join(id).join("texts")).is_empty(),
        _ => !names(&directory.join(id)).is_empty(),
    });
    found
}

fn inbox(mount: &Mount) -> PathBuf {
    mount.path("drop/scanner")
}

#[test]
fn each_finished_file_becomes_a_row_and_stays_as_it_was_sent() {
    let Some(mount) = config().mount() else { return };
    let sent = mount.outside("page one.png", &picture::good(1));
    let there = inbox(&mount).join("page one.png");
    run("cp", &[Path::new("-p"), &sent, &there]).succeeded();
    assert_eq!(names(&mount.path("models/page")), [""; 0], "the file has not settled");
    assert_eq!(rows(&mount, "page", 1), ["1"]);
    let scan = mount.path("models/page/1/scan.jpg");
    assert_eq!(&read(&scan).0[..2], b"\xff\xd8", "normalised");
    assert_eq!(read(&there), picture::good(1), "the box keeps the bytes as sent");
    run("cmp", &[&sent, &there]).succeeded();
    assert_eq!(
        fs::metadata(&sent).expect("stat").modified().expect("a time"),
        fs::metadata(&there).expect("stat").modified().expect("a time"),
    );
    fs::remove_file(&there).expect("removed");
    assert!(scan.exists(), "the row stays");
}

#[test]
fn a_rename_from_a_temporary_name_finishes_a_file_at_once() {
    let Some(mount) = config().mount() else { return };
    let directory = mount.path("drop/texts");
    fs::write(directory.join("letter.txt.part"), b"Dear Sir").expect("written");
    fs::rename(directory.join("letter.txt.part"), directory.join("letter.txt")).expect("renamed");
    // Without the rename the file would be finished after 30 s.
    let began = Instant::now();
    assert_eq!(rows(&mount, "note", 1), ["letter"]);
    assert!(began.elapsed() < Duration::from_secs(25));
    assert_eq!(read(&mount.path("models/note/letter/texts/letter.txt")).0, b"Dear Sir");
}

/// Regression: the kernel reports a close after it has answered it. A file whose rename was reported first had to settle for the
/// whole time of its box.
#[test]
fn a_file_renamed_before_its_close_is_finished_by_the_close() {
    let Some(mount) = config().mount() else { return };
    let directory = mount.path("drop/texts");
    let mut part = fs::File::create(directory.join("letter.txt.part")).expect("opened");
    part.write_all(b"Dear Sir").expect("written");
    fs::rename(directory.join("letter.txt.part"), directory.join("letter.txt")).expect("renamed");
    part.write_all(b" or Madam").expect("written");
    let began = Instant::now();
    drop(part);
    assert_eq!(rows(&mount, "note", 1), ["letter"]);
    assert!(began.elapsed() < Duration::from_secs(25), "the file settled for 30 s");
    let stored = read(&mount.path("models/note/letter/texts/letter.txt"));
    assert_eq!(stored.0, b"Dear Sir or Madam");
}

#[test]
fn a_file_that_is_still_written_is_not_finished() {
    let Some(mount) = config().mount() else { return };
    let bytes = picture::good(1).0;
    let path = inbox(&mount).join("slow.png");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("opened");
    file.write_all(&bytes[..100]).expect("written");
    // Once a file that was written later is a row, the slow file has been open for longer than the box settles.
    fs::write(inbox(&mount).join("quick.png"), &picture::good(2).0).expect("written");
    rows(&mount, "page", 1);
    all_received(&mount);
    assert_eq!(names(&mount.path("models/page")).len(), 1);
    file.write_all(&bytes[100..]).expect("written");
    drop(file);
    rows(&mount, "page", 2);
}

#[test]
fn equal_bytes_make_no_second_row_and_other_bytes_do() {
    let Some(mount) = config().mount() else { return };
    let path = inbox(&mount).join("a.png");
    fs::write(&path, &picture::good(1).0).expect("written");
    rows(&mount, "page", 1);
    fs::write(&path, &picture::good(1).0).expect("written");
    fs::write(inbox(&mount).join("b.png"), &picture::good(2).0).expect("written");
    rows(&mount, "page", 2);
    all_received(&mount);
    rows(&mount, "page", 2);
    fs::write(&path, &picture::good(3).0).expect("written");
    rows(&mount, "page", 3);
}

#[test]
fn a_refused_file_stays_with_the_reason_beside_it_and_makes_no_row() {
    let Some(mount) = config().mount() else { return };
    let path = inbox(&mount).join("bad.png");
    fs::write(&path, &picture::cut_short(1).0).expect("written");
    let reason = inbox(&mount).join("bad.png.REFUSED.txt");
    until("the file is refused", || reason.exists());
    let text = fs::read_to_string(&reason).expect("the reason");
    assert!(text.contains("truncated") && text.contains("hint"), "{text}");
    assert!(mount.last_error().contains("truncated"), "{}", mount.last_error());
    assert_eq!(names(&mount.path("models/page")), [""; 0]);
    assert_eq!(read(&path), picture::cut_short(1), "the box keeps the bytes as sent");
    fs::write(&path, &picture::good(1).0).expect("written again");
    rows(&mount, "page", 1);
    until("the reason goes with the next success", || !reason.exists());
    assert_eq!(names(&inbox(&mount)), ["bad.png"]);
}

#[test]
fn ten_files_at_once_get_ten_ids() {
    let Some(mount) = config().mount() else { return };
    thread::scope(|scope| {
        for number in 0..10 {
            let path = inbox(&mount).join(format!("{number}.png"));
            scope.spawn(move || fs::write(path, &picture::good(number).0).expect("written"));
        }
    });
    let mut ids: Vec<u32> =
        rows(&mount, "page", 10).iter().map(|id| id.parse().expect("a number")).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_crash_loses_no_file_and_attaches_none_twice() {
    let Some(mut mount) = config().mount() else { return };
    for number in 0..6 {
        fs::write(inbox(&mount).join(format!("{number}.png")), &picture::good(number).0)
            .expect("written");
    }
    until("a row is filled", || !filled(&mount, "page").is_empty());
    mount.crash_and_restart();
    rows(&mount, "page", 6);
    all_received(&mount);
    rows(&mount, "page", 6);
}

#[test]
fn a_file_that_rsync_sends_into_a_box_becomes_a_row() {
    let Some(mount) = config().mount() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let tree = mount.beside("tree");
    fs::create_dir(&tree).expect("a directory");
    fs::rename(&source, tree.join("a.png")).expect("moved");
    let [from, to] = [format!("{}/", tree.display()), format!("{}/", inbox(&mount).display())];
    run("rsync", &["-rt", &from, &to]).succeeded();
    rows(&mount, "page", 1);
    let again = run("rsync", &["-rtv", &from, &to]);
    assert!(!again.to_string().contains("a.png"), "the second rsync sends nothing: {again}");
}

#[test]
fn a_box_takes_files_and_no_directories() {
    let Some(mount) = config().mount() else { return };
    assert_eq!(names(&mount.path("drop")), ["letters", "scanner", "texts"]);
    assert_eq!(errno(fs::create_dir(inbox(&mount).join("x"))), EPERM);
    assert_eq!(errno(fs::create_dir(mount.path("drop/other"))), EPERM);
    assert_eq!(errno(fs::remove_dir(inbox(&mount))), EPERM);
    let path = inbox(&mount).join("a.png");
    fs::write(&path, &picture::good(1).0).expect("written");
    fs::create_dir(mount.path("models/page/7")).expect("a row");
    fs::rename(&path, mount.path("models/page/7/scan.png")).expect("moved onto a field");
    assert_eq!(names(&mount.path("models/page/7")), ["scan.jpg"]);
    // Files are received in the order of their arrival.
    fs::write(inbox(&mount).join("b.png"), &picture::good(2).0).expect("written");
    assert_eq!(rows(&mount, "page", 2), ["7", "8"], "a file that was moved out makes no row");
    all_received(&mount);
    assert_eq!(names(&mount.path("models/page")), ["7", "8"]);
}

/// Sends a text into a box as an FTP server does: under a temporary name, and renamed, which finishes it at once.
fn send(mount: &Mount, inbox: &str, name: &str, text: &str) {
    let part = mount.path("drop").join(inbox).join(format!("{name}.part"));
    fs::write(&part, text).expect("written");
    fs::rename(&part, part.with_extension("")).expect("renamed");
}

/// Regression: reading a file moved its access time, so it was received again. Every start read it anew, and its expiry sent it
/// to the quarantine although it had become a row.
#[test]
fn a_file_that_became_a_row_is_not_read_again_and_expires_unkept() {
    let Some(mut mount) = config().with("library.scratch = '10s'").mount() else { return };
    send(&mount, "texts", "letter.txt", "Dear Sir");
    assert_eq!(rows(&mount, "note", 1), ["letter"]);
    mount.stop_and_restart();
    assert_eq!(mount.status()["open"]["arrivals"], 0);
    until("the file has expired", || names(&mount.path("drop/texts")).is_empty());
    assert!(mount.all_kept().is_empty(), "a file that is a row is not kept");
    assert_eq!(rows(&mount, "note", 1), ["letter"]);
}

/// Regression: each thread of a box received two files a second at the most.
#[test]
fn hundreds_of_files_are_received_at_once() {
    let Some(mount) = config().mount() else { return };
    for number in 0..300 {
        send(&mount, "texts", &format!("{number}.txt"), &format!("number {number}"));
    }
    rows(&mount, "note", 300);
}

/// Regression: a box tried a thousand ids, from 1 on. A box with more rows refused its files after every start.
#[test]
fn a_counted_id_follows_the_largest_of_any_number_of_rows() {
    let Some(mount) = config().mount() else { return };
    let notes = mount.path("models/note");
    for number in 1..=1_001 {
        fs::create_dir(notes.join(format!("letter-{number}"))).expect("a row");
    }
    for other in ["-5", "letter-x", "letter-7b", "letter"] {
        fs::create_dir(notes.join(other)).expect("a row");
    }
    send(&mount, "letters", "a.txt", "Dear Sir");
    assert_eq!(rows(&mount, "note", 1), ["letter-1002"]);
    send(&mount, "texts", "letter.txt", "Dear Madam");
    assert_eq!(rows(&mount, "note", 2), ["letter-1002", "letter-1003"]);
    send(&mount, "letters", "b.txt", "Dear all");
    assert_eq!(rows(&mount, "note", 3), ["letter-1002", "letter-1003", "letter-1004"]);
}

#[test]
fn a_negative_name_keeps_no_box_from_counting() {
    let Some(mount) = config().with("tables.page.id = 'name'").mount() else { return };
    fs::create_dir(mount.path("models/page/-5")).expect("a row");
    fs::write(inbox(&mount).join("a.png"), &picture::good(1).0).expect("written");
    assert_eq!(rows(&mount, "page", 1), ["1"]);
}

#[test]
fn a_file_moved_from_a_field_into_a_box_becomes_a_row() {
    let Some(mount) = config().mount() else { return };
    let page = mount.path("models/page/7");
    fs::create_dir(&page).expect("a row");
    fs::write(page.join("scan.jpg"), picture::good(1)).expect("taken");
    fs::rename(page.join("scan.jpg"), inbox(&mount).join("a.jpg")).expect("moved");
    assert_eq!(rows(&mount, "page", 1), ["8"]);
    assert_eq!(names(&inbox(&mount)), ["a.jpg"]);
}

#[test]
fn a_file_without_a_valid_id_is_in_the_quarantine() {
    let config = config()
        .with("library.scratch = '4s'")
        .with("boxes.texts = { into = 'note.texts', id = '{stem}', settle = '1s' }");
    let Some(mount) = config.mount() else { return };
    let texts = mount.path("drop/texts");
    fs::write(texts.join("a .txt"), "a text").expect("written");
    until("the file is refused", || mount.all_kept().len() == 1);
    until("the file has expired", || names(&texts).is_empty());
    assert_eq!(mount.kept().bytes(), b"a text");
}

#[test]
fn no_file_can_be_made_under_the_name_of_a_report() {
    let Some(mount) = config().mount() else { return };
    let file = inbox(&mount).join("x.REFUSED.txt");
    assert_eq!(errno(fs::write(&file, "mine")), EPERM);
    fs::write(inbox(&mount).join(".x.part"), "mine").expect("scratch");
    assert_eq!(errno(fs::rename(inbox(&mount).join(".x.part"), &file)), EPERM);
}
