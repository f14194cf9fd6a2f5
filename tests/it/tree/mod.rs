//! The library and its tree in this process, without a kernel, over a disk that can crash: laws that need no real mount.

mod box_row;
mod closed_store;
mod commit;
pub mod held_sweep;
mod in_session;
pub mod instance;
mod looked_again;
mod lost;
mod put_back;
mod quarantined;
mod scratch_files;
pub mod simulated_kernel;
mod store_calls;
mod trash_day;
mod variant_calls;
mod verdict;

use mediafs::tree::Caller;
use words::refusal::Rule;

use instance::{Backing, Instance};
use simulated_kernel::{At, Refusal, process};

pub const DOC: At = At { row: "1", name: "doc" };
pub const NOTE: At = At { row: "1", name: "note" };
pub const TMP: At = At { row: "1", name: "tmp.part" };
pub const OLD: &[u8] = b"the old document";
pub const NEW: &[u8] = b"the new one";
const TOO_SMALL: Refusal = Refusal::Rule(Rule::MinSize);

/// A library on disk with a row that has an old document.
fn occupied() -> Instance {
    let instance = Instance::with_row(Backing::Disk);
    instance.kernel().send(writer(), DOC, OLD).expect("taken");
    instance
}

fn writer() -> Caller {
    process(0)
}

/// Another process of the writer's user.
fn other() -> Caller {
    process(1)
}

/// The rules of the entries in the quarantine.
fn kept(instance: &Instance) -> Vec<Rule> {
    instance.library().quarantine.list().into_iter().map(|(_, kept)| kept.rule).collect()
}
