//! Threads of the FUSE session. All clients share a few of them, so nothing may happen there that grows with a file, a row, a list
//! or the library, or that waits for somebody else's work.
//!
//! A part that is about to do such a thing calls [`leave`] first. In a thread of the session that fails, and the dispatcher runs the
//! whole operation again in a pool. Until then the operation must have changed nothing that a second run would not change again.

use std::cell::Cell;

thread_local! {
    static IN_SESSION: Cell<bool> = const { Cell::new(false) };
}

/// The operation must run in a thread of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it may take too long for a thread of the session")]
pub struct Elsewhere;

/// The most entries that a thread of the session walks, and the most bytes that it copies.
const FEW: u64 = 256;
const FEW_BYTES: u64 = 256 << 10;

/// Fails in a thread of the session.
pub fn leave() -> Result<(), Elsewhere> {
    if IN_SESSION.get() { Err(Elsewhere) } else { Ok(()) }
}

/// Fails in a thread of the session if there are many entries. Does not count them in another thread.
pub fn leave_for_many<E: From<Elsewhere>>(count: impl FnOnce() -> Result<u64, E>) -> Result<(), E> {
    if IN_SESSION.get() && count()? > FEW { Err(Elsewhere.into()) } else { Ok(()) }
}

/// Fails in a thread of the session if so many bytes are about to be copied or freed.
pub fn leave_for_bytes(count: u64) -> Result<(), Elsewhere> {
    if count > FEW_BYTES { leave() } else { Ok(()) }
}

/// Runs work, which must not panic, as a thread of the session does.
pub fn within<T>(work: impl FnOnce() -> T) -> T {
    IN_SESSION.set(true);
    let done = work();
    IN_SESSION.set(false);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_thread_of_the_session_is_left() {
        assert_eq!(leave(), Ok(()));
        assert_eq!(within(leave), Err(Elsewhere));
        assert_eq!(leave(), Ok(()));
    }

    #[test]
    fn a_thread_of_the_session_takes_few_entries_and_bytes() {
        let many = |count| leave_for_many(|| Ok::<_, Elsewhere>(count));
        assert_eq!(within(|| (many(FEW), many(FEW + 1))), (Ok(()), Err(Elsewhere)));
        let bytes = |count| leave_for_bytes(FEW_BYTES + count);
        assert_eq!(within(|| (bytes(0), bytes(1))), (Ok(()), Err(Elsewhere)));
        assert_eq!(leave_for_many(|| Err(Elsewhere)), Ok(()), "nothing is counted elsewhere");
        assert_eq!(bytes(1), Ok(()));
    }
}
