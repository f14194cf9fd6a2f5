//! The results, a row for each workload, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::figure::{Spread, Target, Unit, median};
use crate::machine::Machine;

/// One line of the table.
pub struct Row {
    pub workload: String,
    pub unit: Unit,
    pub ours: Option<f64>,
    /// The figure and the name of the other side.
    pub theirs: Option<f64>,
    pub peer: String,
    pub ratio: Option<Spread>,
    pub target: Option<Target>,
    /// The reason why there is no figure.
    pub missing: Option<String>,
}

impl Row {
    /// A row for two sides that were measured in turns.
    pub fn compared(
        workload: impl Into<String>,
        unit: Unit,
        ours: &[f64],
        (peer, theirs): (&str, &[f64]),
        target: Option<Target>,
    ) -> Outcome<Self> {
        let nothing = || Failure::new("nothing was measured");
        Ok(Self {
            workload: workload.into(),
            unit,
            ours: Some(median(ours).ok_or_else(nothing)?),
            theirs: Some(median(theirs).ok_or_else(nothing)?),
            peer: peer.to_owned(),
            ratio: Some(Spread::of_ratios(ours, theirs).ok_or_else(nothing)?),
            target,
            missing: None,
        })
    }

    /// A row for a figure without a comparison.
    pub fn alone(
        workload: impl Into<String>,
        unit: Unit,
        ours: f64,
        target: Option<Target>,
    ) -> Self {
        Self { unit, ours: Some(ours), ..Self::missing(workload, target, None) }
    }

    /// A row without a figure, with the reason.
    pub fn missing(
        workload: impl Into<String>,
        target: Option<Target>,
        why: Option<String>,
    ) -> Self {
        Self {
            workload: workload.into(),
            unit: Unit::Seconds,
            ours: None,
            theirs: None,
            peer: String::new(),
            ratio: None,
            target,
            missing: why,
        }
    }

    pub fn is_met(&self) -> Option<bool> {
        self.target?.is_met(self.ours?, self.ratio.map(|ratio| ratio.median))
    }

    /// Its line of the table.
    pub fn line(&self) -> String {
        let figure = |value: Option<f64>| value.map_or_else(String::new, |it| self.unit.write(it));
        let (ours, theirs) = match &self.missing {
            Some(why) => (why.clone(), String::new()),
            None => (figure(self.ours), format!("{} {}", self.peer, figure(self.theirs))),
        };
        let ratio = self.ratio.map_or_else(String::new, |ratio| ratio.to_string());
        let target = self.target.map_or_else(String::new, |target| target.write(self.unit));
        let met = self.is_met().map_or("", |met| if met { "yes" } else { "**no**" });
        let workload = &self.workload;
        format!("| {workload} | {ours} | {} | {ratio} | {target} | {met} |", theirs.trim())
    }

    fn json(&self) -> Value {
        let ratio = self.ratio.map(|it| json!([it.median, it.least, it.greatest]));
        json!({
            "workload": self.workload,
            "unit": format!("{:?}", self.unit),
            "mediafs": self.ours,
            "peer": self.peer,
            "peer_figure": self.theirs,
            "ratio": ratio,
            "target": self.target.map(|target| target.write(self.unit)),
            "met": self.is_met(),
            "missing": self.missing,
        })
    }
}

/// All results of one run.
pub struct Table {
    pub rows: Vec<Row>,
    pub machine: Machine,
    /// The tools that were compared with, by name and version.
    pub versions: Vec<(&'static str, String)>,
    /// Circumstances of this run beside those of the machine.
    pub remarks: Vec<String>,
}

impl Table {
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| workload | mediafs | compared with | ratio | target | met |\n|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            text.push_str(&row.line());
            text.push('\n');
        }
        let Machine { date, kernel, processor, cores, backing, load, busy } = &self.machine;
        let noise = if self.machine.is_quiet() {
            String::new()
        } else {
            let part = busy * 100.0;
            format!("; **not quiet**: others had up to {part:.0} % of the processors")
        };
        let versions = self.versions.iter().map(|(name, version)| format!("{name} {version}"));
        let versions: Vec<_> = versions.collect();
        let _ = write!(
            text,
            "\n{date}, Linux {kernel}, {cores} processors ({processor}), on {backing}, load {load:.2}{noise}.\n\
             {}.\n",
            versions.join(", ")
        );
        for remark in &self.remarks {
            let _ = writeln!(text, "{remark}");
        }
        text
    }

    pub fn json(&self) -> Value {
        let Machine { date, kernel, processor, cores, backing, load, busy } = &self.machine;
        json!({
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "machine": {
                "date": date, "kernel": kernel, "processor": processor, "cores": cores,
                "backing": backing, "load": load, "busy": busy, "quiet": self.machine.is_quiet(),
            },
            "versions": self.versions.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "remarks": self.remarks,
        })
    }
}
