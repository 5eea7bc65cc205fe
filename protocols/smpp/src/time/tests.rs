use proptest::prelude::*;

use super::*;

type Parsed = Result<Option<Time>, Malformed>;

const HALF_PAST_THREE: i64 = 1_795_275_000;

const fn at(unix_seconds: i64) -> Parsed {
    Ok(Some(Time::Absolute { unix_micros: unix_seconds * MICROS }))
}

const fn relative(months: u16, seconds: u32) -> Parsed {
    Ok(Some(Time::Relative { months, seconds }))
}

#[test]
fn times_that_are_times() {
    let cases: [(&[u8], Parsed); 13] = [
        (b"", Ok(None)),
        (b"261121153000000+", at(HALF_PAST_THREE)),
        (b"261121153000000-", at(HALF_PAST_THREE)),
        (b"261121153000004+", at(HALF_PAST_THREE - 3600)),
        (b"261121153000020-", at(HALF_PAST_THREE + 5 * 3600)),
        (b"261121153000048+", at(HALF_PAST_THREE - 12 * 3600)),
        (b"000101000000000+", at(946_684_800)),
        (b"991231235959000+", at(4_102_444_799)),
        (b"240229000000000+", at(1_709_164_800)),
        (b"000001000000000R", relative(0, 86_400)),
        (b"000000003000000R", relative(0, 1800)),
        (b"010203040506000R", relative(14, 3 * 86_400 + 4 * 3600 + 5 * 60 + 6)),
        (b"000000720000000R", relative(0, 72 * 3600)),
    ];
    for (octets, expected) in cases {
        assert_eq!(Time::parse(octets), expected, "{}", octets.escape_ascii());
    }
    let tenths = Time::Absolute { unix_micros: HALF_PAST_THREE * MICROS + 900_000 };
    assert_eq!(Time::parse(b"261121153000900+"), Ok(Some(tenths)));
}

#[test]
fn times_that_are_none() {
    let cases: [&[u8]; 19] = [
        b"garbage",
        b"26112115300000+",
        b"2611211530000000+",
        b"261321153000000+",
        b"260021153000000+",
        b"261100153000000+",
        b"261131153000000+",
        b"260229000000000+",
        b"000230000000000+",
        b"261121243000000+",
        b"261121156000000+",
        b"261121153060000+",
        b"261121153000049+",
        b"261121153000000r",
        b"261121153000000 ",
        b"000001000000100R",
        b"000001000000001R",
        b"-61121153000000+",
        b"26112115300000\xB2+",
    ];
    for octets in cases {
        assert_eq!(Time::parse(octets), Err(Malformed), "{}", octets.escape_ascii());
    }
}

#[test]
fn any_octet_that_is_no_digit_is_an_error() {
    for sample in [b"261121153000000+", b"000001000000000R"] {
        for place in 0..15 {
            for octet in (0..=u8::MAX).filter(|octet| !octet.is_ascii_digit()) {
                let mut changed = *sample;
                changed[place] = octet;
                assert_eq!(Time::parse(&changed), Err(Malformed));
            }
        }
        for octet in (0..=u8::MAX).filter(|octet| !b"+-R".contains(octet)) {
            let mut changed = *sample;
            changed[15] = octet;
            assert_eq!(Time::parse(&changed), Err(Malformed));
        }
    }
}

#[test]
fn relative_times_count_by_the_calendar() {
    let parse = |octets: &[u8]| Time::parse(octets).unwrap().unwrap();
    let cases: [(&[u8], &[u8], &[u8]); 7] = [
        (b"261121153000000+", b"000001000000000R", b"261122153000000+"),
        (b"261231235959000+", b"000000000001000R", b"270101000000000+"),
        (b"260131120000000+", b"000100000000000R", b"260228120000000+"),
        (b"240131120000000+", b"000100000000000R", b"240229120000000+"),
        (b"240229120000000+", b"010000000000000R", b"250228120000000+"),
        (b"261121153000000+", b"000200000000000R", b"270121153000000+"),
        (b"261031000000000+", b"000101000000000R", b"261201000000000+"),
    ];
    for (now, time, expected) in cases {
        let now = parse(now).resolve(0);
        assert_eq!(parse(time).resolve(now), parse(expected).resolve(0), "{}", time.escape_ascii());
    }
    let now = HALF_PAST_THREE * MICROS + 123_456;
    assert_eq!(parse(b"000000000010000R").resolve(now), now + 10 * MICROS);
    assert_eq!(parse(b"261121153000000+").resolve(7), HALF_PAST_THREE * MICROS);
}

#[test]
fn extremes_saturate() {
    let longest = Time::parse(b"999999999999000R").unwrap().unwrap();
    assert_eq!(longest.resolve(i64::MAX), i64::MAX);
    assert!(longest.resolve(i64::MIN) < 0);
}

#[test]
fn written_times() {
    assert_eq!(absolute(HALF_PAST_THREE * MICROS), Some(*b"261121153000000+"));
    assert_eq!(absolute(HALF_PAST_THREE * MICROS + 999_999), Some(*b"261121153000900+"));
    assert_eq!(absolute(946_684_800 * MICROS), Some(*b"000101000000000+"));
    assert_eq!(absolute(946_684_800 * MICROS - 1), None);
    assert_eq!(absolute(4_102_444_800 * MICROS), None);
    assert_eq!(absolute(i64::MIN), None);
    assert_eq!(absolute(i64::MAX), None);
}

#[test]
fn the_calendar_has_no_gaps() {
    let mut expected = (1999, 12, 31);
    for days in 10_956..10_956 + 40_000 {
        let Civil { year, month, day, .. } = Civil::of(days * DAY_SECONDS * MICROS);
        assert_eq!((year, i64::from(month), i64::from(day)), expected, "day {days}");
        assert_eq!(civil::days_from_epoch(expected.0, expected.1, expected.2), days);
        let (year, month, day) = expected;
        expected = match (day == civil::days_in(year, month), month) {
            (false, _) => (year, month, day + 1),
            (true, 12) => (year + 1, 1, 1),
            (true, _) => (year, month + 1, 1),
        };
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(tenths in 9_466_848_000_i64..41_024_448_000) {
        let unix_micros = tenths * (MICROS / 10);
        let written = absolute(unix_micros).unwrap();
        prop_assert_eq!(Time::parse(&written), Ok(Some(Time::Absolute { unix_micros })));
    }

    #[test]
    fn any_sixteen_octets_are_judged(octets in any::<[u8; 16]>(), now in any::<i64>()) {
        if let Ok(Some(time)) = Time::parse(&octets) {
            time.resolve(now);
        }
    }
}
