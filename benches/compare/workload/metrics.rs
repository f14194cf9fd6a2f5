//! Reads of the metrics. The cost of counting is part of every other row, since counting is never off.

use super::warm;
use crate::bench::Bench;
use crate::client::{Loop, alone};
use crate::failure::{Failure, Outcome};
use crate::figure::{Unit, median};
use crate::mounted_tree::{Daemon, Side};
use crate::results::Row;

const TIMES: usize = 200;

pub fn read(bench: &Bench) -> Outcome<Vec<Row>> {
    let home = bench.fresh("metrics")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let list = bench.list(&vec![daemon.path(".mediafs/metrics"); TIMES])?;
    let mut time = || Ok(alone(Loop::OpenRead { list: list.clone(), threads: 1 })?.each());
    let [times] = warm(bench, bench.rounds(), [&mut time])?;
    let each = median(&times).ok_or_else(|| Failure::new("nothing was measured"))?;
    Ok(vec![Row::alone("open+read+close of `.mediafs/metrics`", Unit::Seconds, each, None)])
}
