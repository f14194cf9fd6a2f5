//! A day of the calendar in UTC, as the trash names its directories.

use std::fmt;

use crate::timestamp::{Timestamp, civil_date};

const NANOS: i64 = 86_400_000_000_000;

/// Days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// `None` before 1970.
    pub fn of(time: Timestamp) -> Option<Self> {
        u32::try_from(time.0.div_euclid(NANOS)).ok().map(Self)
    }

    /// Accepts what `Display` prints: `2026-11-24`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let sane = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        let found = Self(u32::try_from(day_count(year, month, day)).ok().filter(|_| sane)?);
        (found.to_string() == text).then_some(found)
    }

    /// Midnight, at which the day begins.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0).saturating_mul(NANOS))
    }

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub fn has(self, time: Timestamp) -> bool {
        Self::of(time) == Some(self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(i64::from(self.0));
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

/// Days from 1970-01-01 to a date (Howard Hinnant's `days_from_civil`). A date that does not exist gets the number of another.
fn day_count(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day.clamp(0, 99) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_its_date_and_read_back() {
        for (count, text) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24")] {
            assert_eq!(Day(count).to_string(), text);
            assert_eq!(Day::parse(text), Some(Day(count)));
        }
        for day in (0..80_000).step_by(7) {
            assert_eq!(Day::parse(&Day(day).to_string()), Some(Day(day)));
        }
    }

    #[test]
    fn what_is_no_date_is_no_day() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-1-2",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "x-y-z",
            "2026-11-24-1",
            "+026-11-24",
            "1969-12-31",
            "2026-11-99999999999999999999",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight() {
        let day = Day(1);
        assert_eq!(Day::of(day.start()), Some(day));
        assert!(!day.has(Timestamp(day.start().0 - 1)) && !day.has(day.next().start()));
        assert!(day.has(Timestamp(day.next().start().0 - 1)));
        assert_eq!(Day::of(Timestamp(-1)), None);
    }
}
