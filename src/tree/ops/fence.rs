//! The fence before all that changes something.
//! Does not raise it: who writes to the disk does.

use crate::tree::activity::Operation;
use crate::tree::{Result, Tree};

impl Tree {
    /// Does a piece of work, but for a change of anything after the disk has failed. One that was under way when it failed is
    /// not acknowledged either.
    pub fn behind_the_fence<T>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        if !operation.changes() {
            return work(self);
        }
        let fence = &self.library.fence;
        fence.check()?;
        let done = work(self)?;
        fence.check()?;
        Ok(done)
    }
}
