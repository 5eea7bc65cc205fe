use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[test]
fn it_is_asked_for_and_renewed_in_time() {
    let mut now = start();
    let registration = Registration::new(true, now);
    assert!(!registration.is_there(now) && !registration.lets_pass(now));
    let first = registration.begin(3600, now).unwrap();
    assert_eq!(first, Due { cseq: 1, seconds: 3600 });
    assert_eq!(registration.begin(3600, now), None, "one at a time");
    assert_eq!(registration.settle(1, Said::Granted(600), now, 0), Some(Changed::Registered));
    assert!(registration.is_there(now) && registration.lets_pass(now));
    now += 299 * SECOND;
    assert_eq!(registration.begin(3600, now), None);
    now += SECOND;
    let second = registration.begin(3600, now).unwrap();
    assert_eq!(second, Due { cseq: 5, seconds: 3600 });
    assert_eq!(registration.settle(5, Said::Granted(600), now, DRAWN), None, "it was there");
    assert_eq!(registration.begin(3600, now + 479 * SECOND), None);
    assert!(registration.begin(3600, now + 480 * SECOND).is_some());
    assert!(!registration.is_there(now + 600 * SECOND), "its time is over");
}

#[test]
fn an_answer_that_is_not_to_the_last_request_says_nothing() {
    let now = start();
    let registration = Registration::new(false, now);
    registration.begin(60, now);
    let later = now + LOST_AFTER;
    assert_eq!(registration.begin(60, later).map(|due| due.cseq), Some(5), "the first is lost");
    assert_eq!(registration.settle(1, Said::Granted(60), later, 0), None);
    assert!(!registration.is_there(later));
    assert!(registration.lets_pass(later), "it is not needed");
}

#[test]
fn failures_make_it_rarer_up_to_half_an_hour() {
    let mut now = start();
    let registration = Registration::new(false, now);
    for (failures, most) in [(1, 30), (2, 60), (3, 120), (7, 1800), (8, 1800), (60, 1800)] {
        assert_eq!(retry_after(failures, 0), Duration::from_secs(most) / 2, "{failures}");
        assert_eq!(retry_after(failures, DRAWN), Duration::from_secs(most), "{failures}");
    }
    for (said, changed) in [
        (Said::Refused(403), Some(Changed::Failed)),
        (Said::Silent, None),
        (Said::Granted(60), Some(Changed::Registered)),
        (Said::Silent, Some(Changed::Failed)),
        (Said::Granted(60), Some(Changed::Registered)),
    ] {
        let due = registration.begin(60, now).unwrap();
        assert_eq!(registration.settle(due.cseq, said, now, 0), changed, "{said:?}");
        assert_eq!(registration.last(), Some(said));
        now += 60 * SECOND;
    }
}

/// What a registrar has stays there for its time, although a renewal was refused.
#[test]
fn a_renewal_that_fails_does_not_end_it() {
    let now = start();
    let registration = Registration::new(true, now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    let now = now + 30 * SECOND;
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Silent, now, 0);
    assert!(registration.lets_pass(now + 29 * SECOND) && !registration.lets_pass(now + 30 * SECOND));
}

#[test]
fn a_time_that_is_too_short_for_the_registrar_is_made_longer_once() {
    let now = start();
    let registration = Registration::new(false, now);
    let due = registration.begin(60, now).unwrap();
    assert_eq!(registration.settle(due.cseq, Said::TooBrief(1800), now, 0), None);
    let due = registration.begin(60, now).unwrap();
    assert_eq!(due.seconds, 1800, "at once");
    registration.settle(due.cseq, Said::TooBrief(3600), now, 0);
    assert_eq!(registration.begin(60, now), None, "no more than once");
    let registration = Registration::new(false, now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::TooBrief(u32::MAX), now, 0);
    assert_eq!(registration.begin(60, now), None, "a slip");
}

#[test]
fn its_end() {
    let now = start();
    let registration = Registration::new(false, now);
    assert_eq!(registration.end(now), None, "there is nothing to end");
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    let end = registration.end(now).unwrap();
    assert_eq!(end, Due { cseq: 5, seconds: 0 });
    assert_eq!(registration.end(now), None, "it was sent");
    registration.settle(end.cseq, Said::Gone, now, 0);
    assert!(!registration.is_there(now));
    assert_eq!(registration.begin(60, now).map(|due| due.cseq), Some(9), "wanted again, at once");
    assert_eq!(registration.begin(60, now), None);
}

#[test]
fn another_configuration_begins_anew_with_later_numbers() {
    let now = start();
    let registration = Registration::new(false, now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    let other = registration.replaced(true, now);
    assert!(!other.lets_pass(now));
    assert_eq!(other.begin(90, now), Some(Due { cseq: 5, seconds: 90 }));
}

proptest! {
    #[test]
    fn renewals_are_in_time(seconds in any::<u32>(), failures in any::<u32>(), drawn in any::<u32>()) {
        let refresh = refresh_after(seconds, drawn);
        let whole = Duration::from_secs(seconds.max(GRANTED_MIN).into());
        prop_assert!(refresh >= whole / 2 && refresh <= whole * 4 / 5);
        let retry = retry_after(failures, drawn);
        prop_assert!(retry >= RETRY_FIRST / 2 && retry <= RETRY_MAX);
    }
}
