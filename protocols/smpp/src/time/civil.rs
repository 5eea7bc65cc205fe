//! The proleptic Gregorian calendar in UTC, without leap seconds.

pub(crate) const DAY_SECONDS: i64 = 86_400;
const MICROS: i64 = 1_000_000;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// A date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

impl Civil {
    pub(crate) fn of(unix_micros: i64) -> Self {
        let unix_seconds = unix_micros.div_euclid(MICROS);
        let (year, month, day) = date_of(unix_seconds.div_euclid(DAY_SECONDS));
        let second = unix_seconds.rem_euclid(DAY_SECONDS);
        Self {
            year,
            month: small(month),
            day: small(day),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
        }
    }
}

/// Days from 1970-01-01 to a date. The year starts in March, so that the leap day comes last.
pub(crate) const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

/// Days of a month, 1 to 12.
pub(crate) const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The same time of day so many months later, on the month's last day where it has no such day.
pub(crate) fn add_months(unix_micros: i64, months: u16) -> i64 {
    if months == 0 {
        return unix_micros;
    }
    let day_micros = DAY_SECONDS * MICROS;
    let (year, month, day) = date_of(unix_micros.div_euclid(day_micros));
    let month_count = year * 12 + (month - 1) + i64::from(months);
    let (year, month) = (month_count.div_euclid(12), month_count.rem_euclid(12) + 1);
    let days = days_from_epoch(year, month, day.min(days_in(year, month)));
    days.saturating_mul(day_micros).saturating_add(unix_micros.rem_euclid(day_micros))
}

/// Year, month and day of a day counted from the epoch.
const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Fields of a date are below 60.
fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}
