use runtime::config::StirOptions;

use super::*;
use crate::sip::identities::testing::Pki;

const REFUSED: Outcome = Err(Failure::Credential);
const MINUTE: Duration = Duration::from_secs(60);
const ONE: Source = Source::Vendor(1);

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn place(url: &str) -> Place {
    Place::read(url, &StirOptions::default()).unwrap()
}

#[test]
fn each_is_wanted_once() {
    let (certificates, now) = (Certificates::new(10), start());
    let a = place("https://a/");
    assert_eq!(certificates.find("https://a/", now), None);
    assert_eq!(certificates.wanted(), 0, "who looks wants nothing yet");
    for _ in 0..3 {
        certificates.want(&a, ONE, now);
    }
    assert_eq!(certificates.next_wanted().as_deref(), Some("https://a/"));
    assert_eq!(certificates.next_wanted(), None);
    certificates.want(&a, ONE, now);
    assert_eq!(certificates.next_wanted(), None, "it is on its way");
    let before = certificates.generation();
    certificates.put("https://a/", REFUSED, MINUTE, now);
    assert_ne!(certificates.generation(), before);
    assert_eq!(certificates.find("https://a/", now + MINUTE / 2), Some(REFUSED));
    assert_eq!(certificates.wanted(), 0);
    assert_eq!(certificates.find("https://a/", now + MINUTE), None, "its time is over");
    certificates.want(&a, ONE, now);
    assert_eq!(certificates.wanted(), 0, "it was known then");
    certificates.want(&a, ONE, now + MINUTE);
    // Who fetched died with it.
    certificates.next_wanted();
    certificates.want(&place("https://b/"), ONE, now);
    certificates.begin();
    assert_eq!(certificates.wanted(), 1);
    certificates.want(&a, ONE, now + MINUTE);
    assert_eq!(certificates.next_wanted().as_deref(), Some("https://b/"));
    assert_eq!(certificates.next_wanted().as_deref(), Some("https://a/"));
}

#[test]
fn what_finds_no_room_is_counted() {
    let (certificates, now) = (Certificates::new(3), start());
    while certificates.take_dropped() == 0 {
        certificates.want(&place(&format!("https://{}.example/", certificates.wanted())), ONE, now);
    }
    assert!(certificates.wanted() > 0);
    assert_eq!(certificates.take_dropped(), 0, "it is counted once");
}

/// One that has signed something is fetched anew in time, whatever else is wanted.
#[test]
fn what_has_proven_itself_is_renewed() {
    let (certificates, now) = (Certificates::new(3), start());
    let good = || Ok(Arc::new(Pki::new().own.certificate()));
    for url in ["https://used/", "https://unused/"] {
        certificates.put(url, good(), MINUTE, now);
    }
    certificates.proved("https://used/");
    assert_eq!(certificates.known(), (1, 1));
    let late = now + MINUTE * 15 / 16;
    for url in ["https://used/", "https://unused/"] {
        assert!(matches!(certificates.find(url, late), Some(Ok(_))), "{url}");
    }
    assert_eq!(certificates.next_wanted().as_deref(), Some("https://used/"));
    assert_eq!(certificates.next_wanted(), None);
    certificates.put("https://used/", Err(Failure::Unavailable), MINUTE, late);
    assert!(matches!(certificates.find("https://used/", late), Some(Ok(_))));
    assert_eq!(certificates.wanted(), 0, "not at once again");
    // Out of its time it still has a place of its own.
    for number in 0.. {
        certificates.want(&place(&format!("https://{number}.example/")), ONE, late);
        if certificates.take_dropped() > 0 {
            break;
        }
    }
    while certificates.next_wanted().is_some() {}
    certificates.want(&place("https://used/"), ONE, now + MINUTE);
    assert_eq!(certificates.next_wanted().as_deref(), Some("https://used/"));
    certificates.forget();
    assert_eq!((certificates.known(), certificates.find("https://used/", late)), ((0, 0), None));
}
