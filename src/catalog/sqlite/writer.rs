//! The one connection that writes, and the transactions that threads share on it.
//!
//! A thread that has made its change while others wait leaves the commit to them: the last one commits for all, with one fsync. A
//! lone thread commits at once. Each change has a savepoint, so that a change that fails undoes no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::db::Db;
use super::disk_failure;
use super::progress::Progress;
use crate::catalog::error::{Error, Result};
use crate::fence::Fence;

/// The most changes that share a transaction.
const MEMBERS: usize = 64;

/// How long a transaction stays open for more changes.
const SPAN: Duration = Duration::from_millis(2);

pub(super) struct Writer {
    /// Guards the connection and its open transaction. Held while one change is made, and by the last member of a
    /// transaction for the commit with its fsync: `SQLite` has one writer at a time anyway.
    session: Mutex<Session>,
    /// Threads that wait for the session. Each of them will get it, whatever happens, so that a commit can be left to them.
    waiting: AtomicUsize,
    /// Rows that committed transactions have changed.
    changes: AtomicU64,
    /// Transactions that were committed, or may have been.
    commits: Arc<AtomicU64>,
    span: Duration,
    fence: Fence,
}

pub(super) struct Session {
    pub db: Db,
    open: Option<Transaction>,
    commits: Arc<AtomicU64>,
    fence: Fence,
    /// Counts the commits in the database and in the file beside it. None where nothing is written.
    progress: Option<Progress>,
    /// What the connection had counted as changed rows at the last commit.
    counted: u64,
}

/// A transaction that is not committed yet.
struct Transaction {
    group: Arc<Group>,
    members: usize,
    since: Instant,
}

/// The threads that wait for one commit.
#[derive(Default)]
struct Group {
    /// Guards the outcome. Held only to read or to set it.
    outcome: Mutex<Option<Outcome>>,
    decided: Condvar,
}

#[derive(Clone)]
enum Outcome {
    Committed,
    /// The disk is full, and nothing was committed. Each change may fit by itself.
    Full {
        members: usize,
    },
    Failed(Arc<Error>),
}

/// A change was made, and lost with the transaction that it shared.
#[derive(Debug, thiserror::Error)]
#[error("the transaction that this change was part of failed")]
struct Lost(#[source] Arc<Error>);

impl Writer {
    pub fn new(db: Db, fence: Fence, progress: Option<Progress>) -> Self {
        let commits = Arc::new(AtomicU64::new(0));
        let session = Mutex::new(Session {
            db,
            open: None,
            commits: Arc::clone(&commits),
            fence: fence.clone(),
            progress,
            counted: 0,
        });
        let (waiting, changes) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { session, waiting, changes, commits, span: SPAN, fence }
    }

    /// The number of rows that were changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// The number of transactions that may have been committed. A commit counts before its members learn of it.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Makes a change: it is durable if this is `Ok`, and has not happened otherwise.
    pub fn write<T>(&self, work: impl Fn(&Db) -> Result<T>) -> Result<T> {
        self.fence.check()?;
        let mut session = self.session();
        let (answer, group) = session.make(&work);
        let others_wait = self.waiting.load(Ordering::SeqCst) > 0;
        if !others_wait || session.is_long(self.span) {
            session.commit();
            self.changes.store(session.db.0.total_changes(), Ordering::Relaxed);
        }
        drop(session);
        let answer = answer?;
        match group.wait() {
            Outcome::Full { members: 2.. } => self.write_alone(&work),
            outcome => self.acknowledge(answer, outcome),
        }
    }

    /// Makes a change in a transaction of its own: alone it may fit on the disk.
    fn write_alone<T>(&self, work: &impl Fn(&Db) -> Result<T>) -> Result<T> {
        let mut session = self.session();
        session.commit();
        let (answer, group) = session.make(work);
        session.commit();
        drop(session);
        self.acknowledge(answer?, group.wait())
    }

    /// Passes the answer on if the change was committed and no write has failed since it began.
    fn acknowledge<T>(&self, answer: T, outcome: Outcome) -> Result<T> {
        self.fence.check()?;
        match outcome {
            Outcome::Committed => Ok(answer),
            Outcome::Full { .. } => Err(Error::Full),
            Outcome::Failed(error) => Err(Error::engine(Lost(error))),
        }
    }

    /// The connection without an open transaction; no other thread writes while the guard lives.
    pub fn exclusive(&self) -> MutexGuard<'_, Session> {
        let mut session = self.session();
        session.commit();
        session
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let session = self.session.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        session
    }
}

impl Session {
    /// Makes one change in the open transaction, or in a new one. A change that fails is undone.
    fn make<T>(&mut self, work: &impl Fn(&Db) -> Result<T>) -> (Result<T>, Arc<Group>) {
        let begun = match &mut self.open {
            Some(transaction) => {
                transaction.members += 1;
                self.db.execute("SAVEPOINT change", &[])
            }
            None => self.db.execute("BEGIN IMMEDIATE", &[]).inspect(|_| {
                let group = Arc::new(Group::default());
                self.open = Some(Transaction { group, members: 1, since: Instant::now() });
            }),
        };
        let group = self.open.as_ref().map(|open| Arc::clone(&open.group)).unwrap_or_default();
        if let Err(error) = begun {
            disk_failure::watch(&self.fence, &error);
            return (Err(error), group);
        }
        let change = Change { session: self, ended: false };
        let answer = work(&change.session.db);
        (change.end(answer), group)
    }

    fn is_long(&self, span: Duration) -> bool {
        let long = |open: &Transaction| open.members >= MEMBERS || open.since.elapsed() >= span;
        self.open.as_ref().is_some_and(long)
    }

    /// Commits the open transaction, if there is one, and tells its members the outcome.
    fn commit(&mut self) {
        if self.open.is_none() {
            return;
        }
        let committed = match self.fence.check() {
            Ok(()) => self.count().and_then(|count| self.db.execute("COMMIT", &[]).map(|_| count)),
            Err(fenced) => Err(fenced.into()),
        };
        self.commits.fetch_add(1, Ordering::Release);
        match committed {
            Ok(count) => {
                if let (Some(progress), Some(count)) = (&self.progress, count) {
                    progress.note(count);
                }
                self.tell(Outcome::Committed);
            }
            Err(error) => self.fail(error),
        }
    }

    /// Counts the open transaction, unless it has changed nothing: then its commit costs no sync, and a count would.
    fn count(&mut self) -> Result<Option<u64>> {
        let changed = self.db.0.total_changes();
        match &self.progress {
            Some(progress) if changed != self.counted => {
                let count = progress.count(&self.db)?;
                self.counted = self.db.0.total_changes();
                Ok(Some(count))
            }
            _ => Ok(None),
        }
    }

    /// Undoes the open transaction, and tells its members that it failed.
    fn fail(&mut self, error: Error) {
        disk_failure::watch(&self.fence, &error);
        if !self.db.0.is_autocommit()
            && let Err(error) = self.db.execute("ROLLBACK", &[])
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a transaction cannot be undone"
            );
        }
        let members = self.open.as_ref().map_or(0, |open| open.members);
        self.tell(match error {
            Error::Full => Outcome::Full { members },
            error => Outcome::Failed(Arc::new(error)),
        });
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(transaction) = self.open.take() {
            *transaction.group.outcome.lock() = Some(outcome);
            transaction.group.decided.notify_all();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.fence.is_raised() {
            disk_failure::keep_log(&self.db);
        }
    }
}

/// One change under way. A panic drops it before its end, and that undoes the whole transaction.
struct Change<'s> {
    session: &'s mut Session,
    ended: bool,
}

impl Change<'_> {
    /// Keeps the change, or undoes one that failed. Passes the answer on unless that fails.
    fn end<T>(mut self, answer: Result<T>) -> Result<T> {
        self.ended = true;
        let session = &mut *self.session;
        let _ = answer.as_ref().inspect_err(|error| disk_failure::watch(&session.fence, error));
        // Some failures, such as a full disk, make SQLite undo the whole transaction at once.
        if session.db.0.is_autocommit() {
            session.fail(match answer {
                Err(Error::Full) => Error::Full,
                _ => Error::engine("the whole transaction was undone"),
            });
            return answer;
        }
        let alone = session.open.as_ref().is_some_and(|open| open.members == 1);
        let db = &session.db;
        let ended = match (alone, answer.is_ok()) {
            (true, true) => Ok(0),
            (true, false) => db.execute("ROLLBACK", &[]).inspect(|_| session.open = None),
            (false, true) => db.execute("RELEASE change", &[]),
            (false, false) => db
                .execute("ROLLBACK TO change", &[])
                .and_then(|_| db.execute("RELEASE change", &[])),
        };
        match ended {
            Ok(_) => answer,
            Err(error) => {
                session.fail(Error::engine("a change could not be ended"));
                Err(error)
            }
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.session.fail(Error::engine("a change panicked"));
        }
    }
}

impl Group {
    fn wait(&self) -> Outcome {
        let mut outcome = self.outcome.lock();
        self.decided.wait_while(&mut outcome, |outcome| outcome.is_none());
        outcome.clone().unwrap_or(Outcome::Committed)
    }
}

#[cfg(test)]
mod tests;
