//! A point in time, as the catalogue and the kernel count it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const NANOS: i64 = 1_000_000_000;

/// Nanoseconds since 1970-01-01 UTC; negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// The time that has passed since `earlier`; zero if the clock went backwards.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Seconds since 1970 with six decimals, as in public URLs and in sqlalchemy-media.
    pub fn as_seconds(self) -> String {
        let micros = self.0.div_euclid(1_000);
        format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
    }

    /// `2026-11-22T17:45:07.123Z` (RFC 3339, milliseconds).
    pub fn as_rfc3339(self) -> String {
        format!("{}.{:03}Z", self.to_second(), self.0.rem_euclid(NANOS) / 1_000_000)
    }

    /// `2026-11-22T17:45:07Z`.
    pub fn as_second(self) -> String {
        format!("{}Z", self.to_second())
    }

    /// `2026-11-22T17:45Z`.
    pub fn as_minute(self) -> String {
        format!("{}Z", &self.to_second()[..16])
    }

    fn to_second(self) -> String {
        let seconds = self.0.div_euclid(NANOS);
        let (year, month, day) = civil_date(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Year, month and day of a day count since 1970-01-01 (proleptic Gregorian; Howard Hinnant's `civil_from_days`).
pub fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(nanos(after)),
            Err(before) => Self(-nanos(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_nanos(time.0.unsigned_abs());
        if time.0 >= 0 { UNIX_EPOCH + span } else { UNIX_EPOCH - span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_rfc_3339_and_as_seconds() {
        let time = Timestamp(1_763_833_507_123_456_789);
        assert_eq!(time.as_rfc3339(), "2025-11-22T17:45:07.123Z");
        assert_eq!(time.as_seconds(), "1763833507.123456");
        assert_eq!(time.as_second(), "2025-11-22T17:45:07Z");
        assert_eq!(time.as_minute(), "2025-11-22T17:45Z");
        assert_eq!(Timestamp(951_782_400 * NANOS).as_rfc3339(), "2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn a_time_before_1970_survives_the_conversion() {
        let time = Timestamp(-1_500_000_000);
        assert_eq!(Timestamp::from(SystemTime::from(time)), time);
    }
}
