//! The arithmetic of the table: medians, ratios, how a figure is written, and
//! whether a target is met. The tests compile this file too and check it.

use std::fmt;

/// The middle value; for an even number of values, the mean of the middle two. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) =
        (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// A median, with the least and the greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Option<Self> {
        let least = values.iter().copied().min_by(f64::total_cmp)?;
        let greatest = values.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { median: median(values)?, least, greatest })
    }

    /// The ratios of the rounds: a disturbance of a round slows both sides.
    pub fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(our, their)| our / their).collect();
        Self::of(&ratios)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, greatest } = self;
        write!(out, "{median:.2} ({least:.2}-{greatest:.2})")
    }
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    FilesPerSecond,
    BytesPerSecond,
    Bytes,
}

impl Unit {
    /// A value in this unit for people, with three significant digits.
    pub fn write(self, value: f64) -> String {
        const TIMES: [(f64, &str); 4] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")];
        const SIZES: [(f64, &str); 3] = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
        match self {
            Self::Seconds => scaled(value, &TIMES),
            Self::FilesPerSecond => format!("{}/s", digits(value)),
            Self::BytesPerSecond => format!("{}/s", scaled(value, &SIZES)),
            Self::Bytes => scaled(value, &SIZES),
        }
    }
}

/// A value in the largest unit that it is at least one of.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fitting = units.iter().find(|(size, _)| value >= *size).or(units.last());
    fitting.map_or_else(String::new, |(size, name)| format!("{} {name}", digits(value / size)))
}

fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    format!("{value:.decimals$}")
}

/// The target of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// For the ratio.
    AtMost(f64),
    /// For the ratio.
    AtLeast(f64),
    /// For the figure itself, in its unit.
    Within(f64),
}

impl Target {
    /// Whether a figure meets the target. `None` without a ratio, if the target needs one.
    pub fn is_met(self, figure: f64, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(bound) => ratio.map(|ratio| ratio <= bound),
            Self::AtLeast(bound) => ratio.map(|ratio| ratio >= bound),
            Self::Within(bound) => Some(figure <= bound),
        }
    }

    pub fn write(self, unit: Unit) -> String {
        match self {
            Self::AtMost(bound) => format!("<= {bound}"),
            Self::AtLeast(bound) => format!(">= {bound}"),
            Self::Within(bound) => format!("<= {}", unit.write(bound)),
        }
    }
}

/// A count as a divisor. No count here reaches 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn float(count: u64) -> f64 {
    count as f64
}
