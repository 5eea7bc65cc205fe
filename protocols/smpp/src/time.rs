//! schedule_delivery_time, validity_period and final_date (7.1.1): YYMMDDhhmmsstnnp.

pub(crate) mod civil;

use civil::{Civil, DAY_SECONDS};

/// Octets of a time without its NUL.
pub const TIME_LEN: usize = 16;

const MICROS: i64 = 1_000_000;
const QUARTER_HOUR_SECONDS: i64 = 15 * 60;
/// The two digits of a year count from here.
const CENTURY: i64 = 2000;

/// A parsed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Time {
    /// A point in time; offset from UTC already applied.
    Absolute {
        /// Microseconds since the epoch; 7.1.1 gives tenths of a second.
        unix_micros: i64,
    },
    /// From the SMSC's current time on.
    Relative {
        /// Years and months, counted by the calendar.
        months: u16,
        /// Days, hours, minutes and seconds.
        seconds: u32,
    },
}

/// Octets that are no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form YYMMDDhhmmsstnnp")]
pub struct Malformed;

impl Time {
    /// Reads a field without its NUL; an empty one is no time. Every octet is checked: an absolute time must
    /// be a date of the years 2000 to 2099 with an offset of at most 48 quarter hours, a relative one
    /// (p = R) may hold any two digits per unit and has tnn = 000.
    pub fn parse(octets: &[u8]) -> Result<Option<Self>, Malformed> {
        if octets.is_empty() {
            return Ok(None);
        }
        let octets: &[u8; TIME_LEN] = octets.try_into().map_err(|_| Malformed)?;
        let [date @ .., t, n1, n2, p] = octets;
        let fields = Fields::read(date)?;
        let (tenths, quarters) = (digit(*t)?, digit(*n1)? * 10 + digit(*n2)?);
        match p {
            b'R' if tenths == 0 && quarters == 0 => Ok(Some(fields.relative())),
            b'+' => fields.absolute(tenths, -quarters).map(Some),
            b'-' => fields.absolute(tenths, quarters).map(Some),
            _ => Err(Malformed),
        }
    }

    /// The point in time that is meant when it is `now_unix_micros`, in microseconds since the epoch.
    pub fn resolve(self, now_unix_micros: i64) -> i64 {
        match self {
            Self::Absolute { unix_micros } => unix_micros,
            Self::Relative { months, seconds } => civil::add_months(now_unix_micros, months)
                .saturating_add(i64::from(seconds).saturating_mul(MICROS)),
        }
    }
}

/// The absolute form in UTC, such as final_date wants it; tenths are cut, not rounded. `None` outside the
/// years 2000 to 2099.
pub fn absolute(unix_micros: i64) -> Option<[u8; TIME_LEN]> {
    let Civil { year, month, day, hour, minute, second } = Civil::of(unix_micros);
    let years = u8::try_from(year - CENTURY).ok().filter(|years| *years < 100)?;
    let tenths = u8::try_from(unix_micros.rem_euclid(MICROS) / (MICROS / 10)).ok()?;
    let mut octets = [0; 12];
    for (place, value) in octets.chunks_exact_mut(2).zip([years, month, day, hour, minute, second]) {
        place.copy_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
    }
    let [y1, y2, m1, m2, d1, d2, h1, h2, i1, i2, s1, s2] = octets;
    Some([y1, y2, m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'0' + tenths, b'0', b'0', b'+'])
}

/// YYMMDDhhmmss as it stands.
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
}

impl Fields {
    fn read(digits: &[u8; 12]) -> Result<Self, Malformed> {
        let mut pairs = [0; 6];
        for (value, pair) in pairs.iter_mut().zip(digits.as_chunks::<2>().0) {
            let [tens, units] = *pair;
            *value = digit(tens)? * 10 + digit(units)?;
        }
        let [years, months, days, hours, minutes, seconds] = pairs;
        Ok(Self { years, months, days, hours, minutes, seconds })
    }

    /// `quarters` is what brings local time to UTC.
    fn absolute(&self, tenths: i64, quarters: i64) -> Result<Time, Malformed> {
        let year = CENTURY + self.years;
        let in_range = (1..=12).contains(&self.months)
            && (1..=civil::days_in(year, self.months)).contains(&self.days)
            && self.hours < 24
            && self.minutes < 60
            && self.seconds < 60
            && quarters.abs() <= 48;
        if !in_range {
            return Err(Malformed);
        }
        let seconds = civil::days_from_epoch(year, self.months, self.days) * DAY_SECONDS
            + self.time_of_day()
            + quarters * QUARTER_HOUR_SECONDS;
        Ok(Time::Absolute { unix_micros: seconds * MICROS + tenths * (MICROS / 10) })
    }

    /// Two digits per unit fit u16 and u32 by far.
    fn relative(&self) -> Time {
        let months = u16::try_from(self.years * 12 + self.months).unwrap_or(u16::MAX);
        let seconds = u32::try_from(self.days * DAY_SECONDS + self.time_of_day()).unwrap_or(u32::MAX);
        Time::Relative { months, seconds }
    }

    const fn time_of_day(&self) -> i64 {
        self.hours * 3600 + self.minutes * 60 + self.seconds
    }
}

fn digit(octet: u8) -> Result<i64, Malformed> {
    if octet.is_ascii_digit() { Ok(i64::from(octet - b'0')) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests;
