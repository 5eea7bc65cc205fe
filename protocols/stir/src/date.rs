//! The Date header (RFC 3261, 20.17), and dates in seconds since 1970.

/// Days of the week, from that of the first of January 1970.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_OF_DAY: i64 = 86_400;
/// What is later is written as the last second of it.
const YEAR_MAX: i64 = 9999;

/// The value of a Date header, `Sat, 13 Nov 2010 23:29:00 GMT`, as seconds since 1970. The day of the week says nothing.
#[must_use]
pub fn parse(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let (_, text) = text.split_once(',')?;
    let mut words = text.split_ascii_whitespace();
    let day = number(words.next()?, 2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))?;
    let year = number(words.next()?, 4)?;
    let mut clock = words.next()?.split(':').map(|part| number(part, 2));
    let time = (clock.next()??, clock.next()??, clock.next()??);
    let is_whole = clock.next().is_none() && words.next()?.eq_ignore_ascii_case("GMT");
    let month = i64::try_from(month).ok()? + 1;
    seconds((year, month, day), time).filter(|_| is_whole && words.next().is_none())
}

/// A time as the value of a Date header.
#[must_use]
pub fn write(seconds: u64) -> String {
    let last = days_since_1970(YEAR_MAX, 12, 31) * SECONDS_OF_DAY + SECONDS_OF_DAY - 1;
    let seconds = i64::try_from(seconds).unwrap_or(last).min(last);
    let (days, of_day) = (seconds / SECONDS_OF_DAY, seconds % SECONDS_OF_DAY);
    let (year, month, day) = date(days);
    let word = |words: &'static [&'static str], at: i64| {
        usize::try_from(at).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
    };
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (weekday, month) = (word(&DAYS, days % 7), word(&MONTHS, month - 1));
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month and day with hour, minute and second, all in UTC, as seconds since 1970; `None` where there is no such
/// time, or it was before.
pub(crate) fn seconds(
    (year, month, day): (i64, i64, i64),
    (hour, minute, second): (i64, i64, i64),
) -> Option<u64> {
    let fits = (0..=YEAR_MAX).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        // A leap second, which is taken for the one before.
        && (0..=60).contains(&second);
    if !fits {
        return None;
    }
    let seconds =
        days_since_1970(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second.min(59);
    u64::try_from(seconds).ok()
}

/// Digits, so many of them at most.
pub(crate) fn number(text: &str, digits_max: usize) -> Option<i64> {
    let is_number =
        (1..=digits_max).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

const fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970 to a date of the Gregorian calendar; years begin with March here, so that the
/// leap day is the last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse of [`days_since_1970`], from 1970 on.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Tue, 16 Aug 2016 19:23:38 GMT", 1_471_375_418),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(seconds), "{text}");
            assert_eq!(write(seconds), text);
        }
        assert_eq!(write(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(parse(b"xxx,  1  jan 1970  0:0:1 gmt"), Some(1), "liberal in");
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "Thu",
            "01 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00",
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Thu, 01 Jan 1970 00:00:00 GMT x",
            "Thu, 00 Jan 1970 00:00:00 GMT",
            "Thu, 30 Feb 1970 00:00:00 GMT",
            "Thu, 29 Feb 1900 00:00:00 GMT",
            "Thu, 01 Foo 1970 00:00:00 GMT",
            "Thu, 01 Jan 1969 00:00:00 GMT",
            "Thu, 01 Jan 1970 24:00:00 GMT",
            "Thu, 01 Jan 1970 00:60:00 GMT",
            "Thu, 01 Jan 1970 00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00:00 GMT",
            "Thu, +1 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 99999999999 00:00:00 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"Thu, 01 Jan 1970 00:00:00 GMT\xff"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0..253_402_300_800_u64) {
            prop_assert_eq!(parse(write(seconds).as_bytes()), Some(seconds));
        }

        #[test]
        fn days_follow_each_other(days in 0..2_932_896_i64) {
            let (year, month, day) = date(days);
            prop_assert_eq!(days_since_1970(year, month, day), days);
            prop_assert!((1..=days_of(year, month)).contains(&day));
        }
    }
}
