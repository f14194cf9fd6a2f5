//! A counter of what the statements of a thread have cost, for tests.

use std::cell::Cell;

use rusqlite::{Statement, StatementStatus};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows read by walking a whole table.
    pub walked: i32,
    /// Sorts without an index.
    pub sorted: i32,
    /// Kept statements that were compiled again.
    pub compiled: i32,
    /// Operations of the engine's machine (`SQLITE_STMTSTATUS_VM_STEP`).
    pub steps: i32,
}

thread_local! {
    static COST: Cell<Cost> = const { Cell::new(Cost { walked: 0, sorted: 0, compiled: 0, steps: 0 }) };
}

/// The cost since this was asked last.
pub fn take() -> Cost {
    COST.take()
}

pub(super) fn note(statement: &Statement) {
    let Cost { walked, sorted, compiled, steps } = COST.get();
    let more = |status| statement.reset_status(status);
    COST.set(Cost {
        walked: walked + more(StatementStatus::FullscanStep),
        sorted: sorted + more(StatementStatus::Sort),
        compiled: compiled + more(StatementStatus::RePrepare),
        steps: steps + more(StatementStatus::VmStep),
    });
}
