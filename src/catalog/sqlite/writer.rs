//! The one connection that writes, and the transactions that those who wait for it share.
//! Does not know what is written.
//!
//! Whoever has made a change while others wait leaves the commit to them: the last in the row commits for all, with one
//! fsync. A lone writer commits at once. Each change stands in a savepoint, so that one that fails undoes nobody else's.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::progress::Progress;
use super::{disk, lock, run};
use crate::catalog::Error;
use crate::fence::Fence;

/// Changes that share a transaction at most, and how long it stays open for more.
const MEMBERS: usize = 64;
const SPAN: Duration = Duration::from_millis(2);

pub(super) struct Writer {
    /// Guards the connection and its open transaction. Held while one change is made, and by the last member of a
    /// transaction for the commit, its fsync included: `SQLite` has one writer at a time anyway.
    turn: Mutex<Turn>,
    /// How many wait for a turn. Each of them will have it, whatever happens: the commit can be left to them.
    waiting: AtomicUsize,
    /// Rows that committed transactions have changed.
    changes: AtomicU64,
    /// Transactions that were committed, or may have been.
    commits: Arc<AtomicU64>,
    span: Duration,
    fence: Fence,
}

pub(super) struct Turn {
    pub db: Connection,
    open: Option<Batch>,
    commits: Arc<AtomicU64>,
    fence: Fence,
    /// None where nothing is written.
    progress: Option<Progress>,
    /// Rows that had been changed at the last commit.
    counted: u64,
}

/// A transaction that is not committed yet.
struct Batch {
    group: Arc<Group>,
    members: usize,
    since: Instant,
}

/// Those who wait for one commit.
#[derive(Default)]
struct Group {
    /// Guards how it ended; held for a look or to tell.
    outcome: Mutex<Option<Outcome>>,
    told: Condvar,
}

#[derive(Clone)]
enum Outcome {
    Committed,
    /// Nothing of it happened. Those who were in it may fit one by one.
    Full {
        members: usize,
    },
    Failed(Arc<Error>),
}

/// What becomes of a change that could be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Keep,
    Undo,
}

/// A change was made, and lost with those of others.
#[derive(Debug, thiserror::Error)]
#[error("the transaction that this change was part of failed")]
struct Lost(#[source] Arc<Error>);

impl Writer {
    pub fn new(db: Connection, fence: Fence) -> Self {
        let commits = Arc::new(AtomicU64::new(0));
        let turn = Turn {
            db,
            open: None,
            commits: Arc::clone(&commits),
            fence: fence.clone(),
            progress: None,
            counted: 0,
        };
        let (turn, waiting, changes) = (Mutex::new(turn), AtomicUsize::new(0), AtomicU64::new(0));
        Self { turn, waiting, changes, commits, span: SPAN, fence }
    }

    /// Counts its commits from now on, in the catalogue and in the file beside it.
    pub fn counting(self, progress: Progress) -> Self {
        lock(&self.turn).progress = Some(progress);
        self
    }

    /// How many rows were changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// How many transactions may have been committed. One that is being committed counts before anybody is told of it.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Makes a change: it is durable if this is `Ok`, and has not happened if not.
    pub fn write<T>(&self, work: impl Fn(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.fence.check()?;
        let mut turn = self.turn();
        let (answer, group) = turn.take_part(&work, Wish::Keep);
        let others_go_on = self.waiting.load(Ordering::SeqCst) > 0;
        if !others_go_on || turn.is_long(self.span) {
            turn.commit();
            self.changes.store(turn.db.total_changes(), Ordering::Relaxed);
        }
        drop(turn);
        let answer = answer?;
        match group.wait() {
            Outcome::Full { members: 2.. } => self.write_alone(&work),
            outcome => self.acknowledge(answer, outcome),
        }
    }

    /// What was too much together may fit alone.
    fn write_alone<T>(&self, work: &impl Fn(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut turn = self.turn();
        turn.commit();
        let (answer, group) = turn.take_part(work, Wish::Keep);
        turn.commit();
        drop(turn);
        self.acknowledge(answer?, group.wait())
    }

    /// The answer, if what it stands for happened, and the disk has not failed anybody since it began.
    fn acknowledge<T>(&self, answer: T, outcome: Outcome) -> Result<T, Error> {
        self.fence.check()?;
        match outcome {
            Outcome::Committed => Ok(answer),
            Outcome::Full { .. } => Err(Error::Full),
            Outcome::Failed(error) => Err(Error::Engine(Box::new(Lost(error)))),
        }
    }

    /// Makes a change and undoes it: what would happen.
    pub fn rehearse<T>(&self, work: impl Fn(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut turn = self.turn();
        let (answer, _) = turn.take_part(&work, Wish::Undo);
        turn.commit();
        answer
    }

    /// The connection with nothing open on it, for as long as the answer lives.
    pub fn still(&self) -> MutexGuard<'_, Turn> {
        let mut turn = self.turn();
        turn.commit();
        turn
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let turn = lock(&self.turn);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        turn
    }
}

impl Turn {
    /// Makes one change in the open transaction, begun if there is none. A change that fails leaves nothing of itself.
    fn take_part<T>(
        &mut self,
        work: &impl Fn(&Connection) -> Result<T, Error>,
        wish: Wish,
    ) -> (Result<T, Error>, Arc<Group>) {
        let begun = match &mut self.open {
            Some(batch) => {
                batch.members += 1;
                run(&self.db, "SAVEPOINT change", [])
            }
            None => run(&self.db, "BEGIN IMMEDIATE", []).inspect(|_| {
                let group = Arc::new(Group::default());
                self.open = Some(Batch { group, members: 1, since: Instant::now() });
            }),
        };
        let group = self.open.as_ref().map(|batch| Arc::clone(&batch.group)).unwrap_or_default();
        if let Err(error) = begun {
            disk::watch(&self.fence, &error);
            return (Err(error), group);
        }
        let part = Part { turn: self, whole: false };
        let answer = work(&part.turn.db);
        (part.end(answer, wish), group)
    }

    fn is_long(&self, span: Duration) -> bool {
        let long = |batch: &Batch| batch.members >= MEMBERS || batch.since.elapsed() >= span;
        self.open.as_ref().is_some_and(long)
    }

    /// Commits the open transaction, if there is one, and tells its members.
    fn commit(&mut self) {
        if self.open.is_none() {
            return;
        }
        let committed = match self.fence.check() {
            Ok(()) => self.count().and_then(|count| run(&self.db, "COMMIT", []).map(|_| count)),
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

    /// Counts the open transaction, unless it has changed nothing and costs no sync.
    fn count(&mut self) -> Result<Option<u64>, Error> {
        let changed = self.db.total_changes();
        match &self.progress {
            Some(progress) if changed != self.counted => {
                let count = progress.count(&self.db)?;
                self.counted = self.db.total_changes();
                Ok(Some(count))
            }
            _ => Ok(None),
        }
    }

    /// Nothing of the open transaction happens.
    fn fail(&mut self, error: Error) {
        disk::watch(&self.fence, &error);
        if !self.db.is_autocommit()
            && let Err(error) = run(&self.db, "ROLLBACK", [])
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a transaction cannot be undone"
            );
        }
        let members = self.open.as_ref().map_or(0, |batch| batch.members);
        self.tell(match error {
            Error::Full => Outcome::Full { members },
            error => Outcome::Failed(Arc::new(error)),
        });
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(batch) = self.open.take() {
            *lock(&batch.group.outcome) = Some(outcome);
            batch.group.told.notify_all();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.fence.is_raised() {
            disk::leave_log(&self.db);
        }
    }
}

/// One change under way. Dropped before its end, by a panic, it takes the whole transaction with it.
struct Part<'t> {
    turn: &'t mut Turn,
    whole: bool,
}

impl Part<'_> {
    /// The answer, unless what it stands for could not be kept, or undone.
    fn end<T>(mut self, answer: Result<T, Error>, wish: Wish) -> Result<T, Error> {
        self.whole = true;
        let turn = &mut *self.turn;
        let _ = answer.as_ref().inspect_err(|error| disk::watch(&turn.fence, error));
        // Some failures, a full disk among them, undo the whole transaction at once.
        if turn.db.is_autocommit() {
            turn.fail(match answer {
                Err(Error::Full) => Error::Full,
                _ => Error::Engine("the whole transaction was undone".into()),
            });
            return answer;
        }
        let alone = turn.open.as_ref().is_some_and(|batch| batch.members == 1);
        let kept = answer.is_ok() && wish == Wish::Keep;
        let ended = match (alone, kept) {
            (true, true) => Ok(0),
            (true, false) => run(&turn.db, "ROLLBACK", []).inspect(|_| turn.open = None),
            (false, true) => run(&turn.db, "RELEASE change", []),
            (false, false) => run(&turn.db, "ROLLBACK TO change", [])
                .and_then(|_| run(&turn.db, "RELEASE change", [])),
        };
        match ended {
            Ok(_) => answer,
            Err(error) => {
                turn.fail(Error::Engine("a change could not be ended".into()));
                Err(error)
            }
        }
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.whole {
            self.turn.fail(Error::Engine("a change panicked".into()));
        }
    }
}

impl Group {
    fn wait(&self) -> Outcome {
        let outcome = lock(&self.outcome);
        let mut outcome = self
            .told
            .wait_while(outcome, |outcome| outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        outcome.as_mut().map_or(Outcome::Committed, |outcome| outcome.clone())
    }
}

#[cfg(test)]
mod tests;
