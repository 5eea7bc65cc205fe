use proptest::prelude::*;
use runtime::password::{Ha1, SecretString};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[test]
fn it_is_asked_for_and_renewed_in_time() {
    let mut now = start();
    let registration = Registration::new(now);
    assert!(!registration.is_there(now));
    let first = registration.begin(3600, now).unwrap();
    assert_eq!(first, Due { cseq: 1, seconds: 3600 });
    assert_eq!(registration.begin(3600, now), None, "one at a time");
    assert_eq!(registration.settle(1, Said::Granted(600), now, 0), Some(Changed::Registered));
    assert!(registration.is_there(now));
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

/// What is told of the next request is when it is sent.
#[test]
fn it_is_seen_as_it_is() {
    let now = start();
    let registration = Registration::new(now);
    let seen = |until, last, asking, next_at| Seen { until, last, asking, next_at };
    assert_eq!(registration.seen(true, now), seen(None, None, false, Some(now)));
    assert_eq!(registration.seen(false, now), seen(None, None, false, None), "there is nothing to end");
    registration.begin(600, now);
    let lost_at = Some(now + LOST_AFTER);
    assert_eq!(registration.seen(true, now), seen(None, None, true, lost_at));
    let later = now + LOST_AFTER + SECOND;
    assert_eq!(registration.seen(true, later), seen(None, None, false, Some(later)), "it is lost");

    let granted = Some(Said::Granted(600));
    registration.settle(1, Said::Granted(600), now, 0);
    let until = Some(now + 600 * SECOND);
    assert_eq!(registration.seen(true, now), seen(until, granted, false, Some(now + 300 * SECOND)));
    assert_eq!(registration.seen(false, now), seen(until, granted, false, Some(now)), "it is to be ended");
    registration.hurry();
    assert_eq!(registration.seen(true, now).next_at, Some(now));
    let again = registration.begin(600, now).unwrap();
    registration.settle(again.cseq, Said::Refused(403), now, 0);
    let refused = Some(Said::Refused(403));
    assert_eq!(registration.seen(true, now), seen(until, refused, false, Some(now + 15 * SECOND)));
    let over = now + 600 * SECOND;
    assert_eq!(registration.seen(true, over), seen(None, refused, false, Some(over)));
}

#[test]
fn an_answer_that_is_not_to_the_last_request_says_nothing() {
    let now = start();
    let registration = Registration::new(now);
    registration.begin(60, now);
    let later = now + LOST_AFTER;
    assert_eq!(registration.begin(60, later).map(|due| due.cseq), Some(5), "the first is lost");
    assert_eq!(registration.settle(1, Said::Granted(60), later, 0), None);
    assert!(!registration.is_there(later));
}

#[test]
fn failures_make_it_rarer_up_to_half_an_hour() {
    let mut now = start();
    let registration = Registration::new(now);
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
    let registration = Registration::new(now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    let now = now + 30 * SECOND;
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Silent, now, 0);
    assert!(registration.is_there(now + 29 * SECOND) && !registration.is_there(now + 30 * SECOND));
}

#[test]
fn a_time_that_is_too_short_for_the_registrar_is_made_longer() {
    let mut now = start();
    let registration = Registration::new(now);
    let due = registration.begin(60, now).unwrap();
    assert_eq!(registration.settle(due.cseq, Said::TooBrief(1800), now, 0), None);
    let due = registration.begin(60, now).unwrap();
    assert_eq!(due.seconds, 1800, "at once");
    assert_eq!(registration.settle(due.cseq, Said::TooBrief(3600), now, 0), Some(Changed::Failed));
    assert_eq!(registration.begin(60, now), None, "not twice in a row");
    now += 15 * SECOND;
    assert_eq!(registration.begin(60, now).map(|due| due.seconds), Some(3600), "it is remembered");
    let registration = Registration::new(now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::TooBrief(u32::MAX), now, 0);
    assert_eq!(registration.begin(60, now), None, "a slip");
}

/// What the registrar wants at least is remembered whatever was said before.
#[test]
fn a_time_that_is_too_short_after_a_failure() {
    for before in [Said::Silent, Said::Refused(503)] {
        let mut now = start();
        let registration = Registration::new(now);
        let due = registration.begin(3600, now).unwrap();
        registration.settle(due.cseq, before, now, 0);
        now += 15 * SECOND;
        let due = registration.begin(3600, now).unwrap();
        registration.settle(due.cseq, Said::TooBrief(7200), now, 0);
        let due = registration.begin(3600, now).unwrap();
        assert_eq!(due.seconds, 7200, "{before:?}");
        assert_eq!(registration.settle(due.cseq, Said::Granted(7200), now, 0), Some(Changed::Registered));
    }
}

/// A registrar that lists others alone has us no more, whatever it has granted before.
#[test]
fn others_in_our_place() {
    let now = start();
    let registration = Registration::new(now);
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    let now = now + 30 * SECOND;
    let due = registration.begin(60, now).unwrap();
    assert_eq!(registration.settle(due.cseq, Said::Displaced, now, 0), Some(Changed::Failed));
    assert!(!registration.is_there(now));
    assert_eq!(registration.begin(60, now + 14 * SECOND), None);
    assert!(registration.begin(60, now + 15 * SECOND).is_some());
}

#[test]
fn its_end() {
    let now = start();
    let registration = Registration::new(now);
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

/// The answer to what was asked for somebody else is none to what is asked for now.
#[test]
fn another_user_begins_anew_with_later_numbers() {
    let now = start();
    let registration = Registration::new(now);
    let due = registration.begin(60, now).unwrap();
    let other = registration.replaced(now);
    assert!(registration.is_asking(due.cseq) && !other.is_asking(due.cseq));
    assert_eq!(other.settle(due.cseq, Said::Granted(60), now, 0), None);
    assert!(!other.is_there(now));
    let own = other.begin(90, now).unwrap();
    assert!(own.cseq > due.cseq + 2 && own.seconds == 90, "{own:?}");
    assert_eq!(other.settle(due.cseq, Said::Granted(60), now, 0), None);
    assert!(!other.is_there(now) && other.is_asking(own.cseq));
    other.settle(own.cseq, Said::Granted(90), now, 0);
    assert!(other.is_there(now) && !other.is_asking(own.cseq));
}

fn account(password: &str) -> Arc<Account> {
    let (username, realm) = ("warp", "a.example");
    let ha1 = Ha1::of(username, realm, &SecretString::new(password));
    Arc::new(Account::new(username.to_owned(), realm.to_owned(), ha1))
}

/// What is mended is tried at once, and what the registrar has stays.
#[test]
fn what_is_not_waited_for() {
    let now = start();
    let registration = Registration::new(now);
    registration.answer_with(Some(&account("one")));
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    registration.answer_with(Some(&account("one")));
    registration.retry();
    assert_eq!(registration.begin(60, now), None, "the same, sealed anew, and nothing has failed");
    registration.answer_with(Some(&account("two")));
    let due = registration.begin(60, now).unwrap();
    assert!(registration.is_there(now));
    registration.settle(due.cseq, Said::Refused(401), now, 0);
    assert_eq!(registration.begin(60, now), None);
    registration.retry();
    let due = registration.begin(60, now).unwrap();
    registration.settle(due.cseq, Said::Refused(401), now, 0);
    registration.answer_with(None);
    assert_eq!(registration.begin(60, now), None, "its secret is closed");
    registration.answer_with(Some(&account("two")));
    assert!(registration.begin(60, now).is_some(), "and opens again");
    registration.hurry();
    assert!(registration.begin(60, now).is_some());
}

/// A first request may still make the registrar have it.
#[test]
fn what_is_under_way() {
    let now = start();
    let registration = Registration::new(now);
    assert!(!registration.is_under_way(now));
    let due = registration.begin(60, now).unwrap();
    assert!(registration.is_under_way(now) && !registration.is_there(now));
    assert!(!registration.is_under_way(now + LOST_AFTER));
    registration.settle(due.cseq, Said::Granted(60), now, 0);
    assert!(!registration.is_under_way(now));
}

proptest! {
    #[test]
    fn renewals_are_in_time(seconds in prop_oneof![1_u32..20, 1_u32..], failures in any::<u32>(), drawn in any::<u32>()) {
        let refresh = refresh_after(seconds, drawn);
        let whole = Duration::from_secs(seconds.into());
        prop_assert!(refresh >= whole / 2 && refresh <= whole * 4 / 5);
        let retry = retry_after(failures, drawn);
        prop_assert!(retry >= RETRY_FIRST / 2 && retry <= RETRY_MAX);
    }
}

proptest! {
    /// A request is sent at the time that was told, and not before.
    #[test]
    fn the_next_request_is_told(steps in prop::collection::vec((0_u8..5, 0_u32..700, any::<bool>()), 1..30)) {
        let mut now = start();
        let registration = Registration::new(now);
        for (step, seconds, wanted) in steps {
            let cseq = registration.state.lock().cseq;
            match step {
                0 => {
                    registration.settle(cseq, Said::Granted(seconds + 1), now, 0);
                }
                1 => {
                    registration.settle(cseq, Said::Refused(503), now, 0);
                }
                2 => registration.hurry(),
                3 => now += SECOND * seconds,
                _ => {
                    registration.end(now);
                }
            }
            let next = registration.seen(wanted, now).next_at;
            let sent = if wanted { registration.begin(60, now) } else { registration.end(now) };
            prop_assert_eq!(sent.is_some(), next == Some(now), "{} {:?}", step, next);
        }
    }
}
