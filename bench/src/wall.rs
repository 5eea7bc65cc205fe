//! Wall time for what simulators date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Year, month, day, hour and minute in UTC.
pub(crate) type Minute = (u16, u8, u8, u8, u8);

/// The current minute.
pub(crate) fn now() -> Minute {
    minute_of(since_epoch().as_secs())
}

/// The time since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a simulator stands outside the node and has its own clock")]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Days to civil date after Howard Hinnant's algorithm: years start in March, eras have 400 years.
fn minute_of(seconds: u64) -> Minute {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let small = |value: u64| u8::try_from(value).unwrap_or_default();
    let minute = seconds / 60;
    (
        u16::try_from(year).unwrap_or(u16::MAX),
        small(month),
        small(day),
        small(minute / 60 % 24),
        small(minute % 60),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        assert_eq!(minute_of(0), (1970, 1, 1, 0, 0));
        assert_eq!(minute_of(951_782_399), (2000, 2, 28, 23, 59));
        assert_eq!(minute_of(951_782_400), (2000, 2, 29, 0, 0));
        assert_eq!(minute_of(1_735_689_540), (2024, 12, 31, 23, 59));
        assert_eq!(minute_of(4_102_444_800), (2100, 1, 1, 0, 0));
    }
}
