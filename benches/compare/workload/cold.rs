//! `find` over names that the daemon has not looked up since its start.

use super::in_turns;
use super::names::{find, made, native};
use crate::bench::Bench;
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::machine::forget_names;
use crate::mounted_tree::{Daemon, Side};
use crate::results::Row;

pub fn first(bench: &Bench) -> Outcome<Vec<Row>> {
    let home = made(bench)?;
    let native = native(&home);
    let mut forgotten = true;
    let mut ours = || {
        let daemon = Daemon::start(&home, Side::Writing)?;
        forget_names();
        find(&daemon.table("item"))
    };
    let mut theirs = || {
        forgotten &= forget_names();
        find(&native)
    };
    let [ours, theirs] = in_turns(bench, bench.few_rounds() + 1, [&mut ours, &mut theirs])?;
    let how = if forgotten {
        "native with dentries and inodes dropped"
    } else {
        "native warm: dropping its dentries needs root"
    };
    let name = "`find -type f` of 100,000 fields, daemon just started";
    let target = Some(Target::AtMost(1.5));
    Ok(vec![Row::compared(name, Unit::Seconds, &ours, (how, &theirs), target)?])
}
