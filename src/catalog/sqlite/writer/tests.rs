//! Changes that share a transaction: each is committed or undone as if it were alone.

// A change that panics is one of the cases.
#![allow(clippy::panic)]

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;

use super::*;
use crate::catalog::sqlite::db::values;

type Work<'c> = &'c (dyn Fn(&Db) -> Result<i64, Error> + Sync);

/// A writer over a new database with one table. It keeps a transaction open for others however long they take.
fn writer(folder: &tempfile::TempDir) -> Writer {
    let db = Connection::open(folder.path().join("db")).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER UNIQUE, text TEXT)")
        .unwrap();
    Writer { span: Duration::MAX, ..Writer::new(Db(db), Fence::default(), None) }
}

fn put(db: &Db, n: i64) -> Result<i64, Error> {
    db.execute("INSERT INTO t (n, text) VALUES (?, '')", values![n])?;
    Ok(n)
}

/// The numbers that are committed: another connection sees no others.
fn committed(folder: &tempfile::TempDir) -> Vec<i64> {
    let db = Connection::open(folder.path().join("db")).unwrap();
    let mut statement = db.prepare("SELECT n FROM t ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Makes these changes in one transaction: the others begin to wait while the first is made.
fn together(writer: &Writer, changes: &[Work]) -> Vec<Result<i64, Error>> {
    let (first, others) = changes.split_first().unwrap();
    let begun = Barrier::new(2);
    let once = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            writer.write(|db| {
                if once.swap(false, Ordering::SeqCst) {
                    begun.wait();
                    while writer.waiting.load(Ordering::SeqCst) < others.len() {
                        std::thread::yield_now();
                    }
                }
                first(db)
            })
        });
        begun.wait();
        let others: Vec<_> =
            others.iter().map(|change| scope.spawn(move || writer.write(change))).collect();
        let all = std::iter::once(first).chain(others);
        all.map(|thread| thread.join().unwrap()).collect()
    })
}

/// Puts 1 while another thread waits to do something.
fn beside_a_put<T: Send>(
    writer: &Writer,
    other: impl FnOnce() -> T + Send,
) -> (Result<i64, Error>, std::thread::Result<T>) {
    let begun = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            writer.write(|db| {
                begun.wait();
                while writer.waiting.load(Ordering::SeqCst) < 1 {
                    std::thread::yield_now();
                }
                put(db, 1)
            })
        });
        begun.wait();
        let other = scope.spawn(other);
        (first.join().unwrap(), other.join())
    })
}

#[test]
fn a_lone_change_is_committed_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    assert_eq!(writer.write(|db| put(db, 1)).unwrap(), 1);
    assert_eq!(committed(&folder), [1]);
    assert!(writer.session().open.is_none());
}

#[test]
fn changes_that_wait_for_each_other_share_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    let seen = |n| {
        let folder = &folder;
        move |db: &Db| {
            // No change is committed before the last one is made.
            assert_eq!(committed(folder), [] as [i64; 0]);
            put(db, n)
        }
    };
    let (one, two, three) = (seen(1), seen(2), seen(3));
    let answers = together(&writer, &[&one, &two, &three]);
    assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(committed(&folder), [1, 2, 3]);
}

#[test]
fn a_transaction_is_not_held_open_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer { span: Duration::ZERO, ..writer(&folder) };
    let one = |db: &Db| put(db, 1);
    let two = |db: &Db| {
        assert_eq!(committed(&folder), [1], "the first did not wait for this one");
        put(db, 2)
    };
    for answer in together(&writer, &[&one, &two]) {
        answer.unwrap();
    }
}

#[test]
fn a_change_that_fails_undoes_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    let fails = |db: &Db| put(db, 7).and(Err(Error::Taken));
    for (at, changes) in [0, 1, 2].into_iter().enumerate() {
        let n = 10 * i64::try_from(at).unwrap();
        let (a, b) = (move |db: &Db| put(db, n), move |db: &Db| put(db, n + 1));
        let mut all: Vec<Work> = vec![&a, &b];
        all.insert(changes, &fails);
        let answers = together(&writer, &all);
        assert!(matches!(answers[changes], Err(Error::Taken)));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
        assert_eq!(committed(&folder).len(), 2 * (at + 1));
    }
    assert!(!committed(&folder).contains(&7));
}

#[test]
fn a_change_that_panics_is_told_to_all_who_shared_its_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    let panics = |_: &Db| -> Result<i64, Error> { panic!("on purpose") };
    let answers = beside_a_put(&writer, || writer.write(panics));
    assert!(matches!(answers, (Err(Error::Engine(_)), Err(_))));
    assert_eq!(committed(&folder), [] as [i64; 0]);
    writer.write(|db| put(db, 2)).unwrap();
    assert_eq!(committed(&folder), [2]);
}

#[test]
fn changes_that_do_not_fit_together_are_made_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    let pages: i64 =
        writer.exclusive().db.0.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    writer.exclusive().db.0.pragma_update(None, "max_page_count", pages + 4).unwrap();
    let long = |n: i64, kilobytes: usize| {
        move |db: &Db| {
            let text = "x".repeat(kilobytes << 10);
            db.execute("INSERT INTO t VALUES (?, ?)", values![n, text.as_str()])?;
            Ok(n)
        }
    };
    let (small, large, other) = (long(1, 1), long(2, 60), long(3, 1));
    let answers = together(&writer, &[&small, &large, &other]);
    assert!(matches!(answers[1], Err(Error::Full)), "{:?}", answers[1]);
    assert_eq!((answers[0].as_ref().unwrap(), answers[2].as_ref().unwrap()), (&1, &3));
    assert_eq!(committed(&folder), [1, 3]);
}

#[test]
fn after_the_fence_is_raised_nothing_is_committed_not_even_what_was_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    writer.write(|db| put(db, 1)).unwrap();
    let raised = writer.write(|db| {
        writer.fence.raise("another file could not be synced", &std::io::Error::other("it failed"));
        put(db, 2)
    });
    let later = writer.write(|db| put(db, 3));
    assert!(matches!((raised, later), (Err(Error::Fenced(_)), Err(Error::Fenced(_)))));
    assert_eq!(committed(&folder), [1]);
}
