//! Dates of receipt texts (Appendix B): YYMMDDhhmm, and what vendors make of it.

use crate::time::civil::{self, DAY_SECONDS};

const MICROS: i64 = 1_000_000;

/// A date to the minute, in whatever zone the SMSC keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    /// All four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl Date {
    /// Reads YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm or YYYYMMDDhhmmss, seconds dropped. Twelve digits are
    /// read in the first way that gives a date. `None` when there is none.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if !is_digits(digits) {
            return None;
        }
        match digits.len() {
            14 => Self::four_digit_year(digits),
            12 => Self::two_digit_year(digits)
                .filter(|_| digits.get(10..).and_then(number).is_some_and(|second| second < 60))
                .or_else(|| Self::four_digit_year(digits)),
            _ => Self::two_digit_year(digits),
        }
    }

    /// Microseconds since the epoch, taking the date as UTC.
    pub fn unix_micros(&self) -> i64 {
        let days = civil::days_from_epoch(self.year.into(), self.month.into(), self.day.into());
        let seconds = days * DAY_SECONDS + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60;
        seconds * MICROS
    }

    fn two_digit_year(digits: &[u8]) -> Option<Self> {
        let (year, rest) = digits.split_at_checked(2)?;
        Self::from_digits(2000 + number(year)?, rest)
    }

    fn four_digit_year(digits: &[u8]) -> Option<Self> {
        let (year, rest) = digits.split_at_checked(4)?;
        Self::from_digits(number(year)?, rest)
    }

    /// MMDDhhmm.
    fn from_digits(year: u16, rest: &[u8]) -> Option<Self> {
        let (pairs, _) = rest.as_chunks::<2>();
        let mut pairs = pairs.iter().map(|[tens, units]| (tens - b'0') * 10 + (units - b'0'));
        let date = Self {
            year,
            month: pairs.next()?,
            day: pairs.next()?,
            hour: pairs.next()?,
            minute: pairs.next()?,
        };
        let in_range = (1..=12).contains(&date.month)
            && (1..=civil::days_in(year.into(), date.month.into())).contains(&date.day.into())
            && date.hour < 24
            && date.minute < 60;
        in_range.then_some(date)
    }
}

/// Whether this can be a date: 10, 12 or 14 digits.
pub(super) fn is_digits(value: &[u8]) -> bool {
    matches!(value.len(), 10 | 12 | 14) && value.iter().all(u8::is_ascii_digit)
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
