use std::net::SocketAddr;

use runtime::clock::{SharedClock, SystemClock};
use runtime::config::HumanDuration;
use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::model::{Gateway, Transport, VendorAccount, VendorRegister, Voice};
use runtime::password::{Ha1, SecretString};
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::telemetry::metrics::Metrics;

use super::super::account::{Account, Accounts};
use super::super::call_metrics::CallMetrics;
use super::super::calls;
use super::super::registration::Said;
use super::super::testing::{settings, voice};
use super::super::transactions::Now;
use super::*;

const NAME: &str = "vendor-1";

/// The first vendor wants to know where we are.
fn registering(status: VendorStatus) -> Voice {
    let mut voice = voice();
    voice.vendors[0].status = status;
    voice.vendors[0].account = Some(VendorAccount {
        username: "warp".to_owned(),
        realm: "a.example".to_owned(),
        ha1_sealed: Vec::new(),
        register: Some(VendorRegister {
            user: String::new(),
            domain: String::new(),
            expires: HumanDuration::from_secs(3600),
            required: false,
        }),
    });
    voice
}

fn accounts() -> Accounts {
    let ha1 = Ha1::of("warp", "a.example", &SecretString::new("correct horse"));
    Accounts::of([(0, Account::new("warp".to_owned(), "a.example".to_owned(), ha1))])
}

/// A node without workers.
fn node(status: VendorStatus, accounts: &Accounts) -> Arc<Calls> {
    node_of(registering(status), accounts)
}

fn node_of(voice: Voice, accounts: &Accounts) -> Arc<Calls> {
    let clock: SharedClock = Arc::new(SystemClock);
    let now = Now { instant: tokio::time::Instant::now().into_std(), wall: clock.now() };
    let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), now.instant);
    Calls::new(calls::Parts {
        settings: settings(now, Vec::new()),
        snapshot: snapshot.with_accounts(accounts),
        metrics: CallMetrics::new(&Metrics::new()),
        log: MessageLog::new(Arc::new(SimLog::new(Disk::default(), Random::seeded(3))), Limits::default()),
        registry: Registry::new(Arc::clone(&clock), Random::seeded(1)),
        clock,
        random: Random::seeded(2),
    })
}

fn registration(calls: &Calls) -> Arc<Registration> {
    calls.snapshot.load().vendors[0].targets[0].registration.clone().unwrap()
}

/// What the first request of a registration is answered with: it has the number 1.
fn grant(calls: &Calls) {
    let known = registration(calls);
    known.settle(1, Said::Granted(3600), calls.now().instant, 0);
    assert!(known.is_there(calls.now().instant));
}

#[tokio::test]
async fn who_is_asked_for_and_who_is_ended() {
    let calls = node(VendorStatus::Active, &accounts());
    register_now(&calls, "another");
    assert!(!registration(&calls).is_asking(1));
    register_now(&calls, NAME);
    assert!(registration(&calls).is_asking(1));
    grant(&calls);
    register_now(&calls, NAME);
    assert!(!registration(&calls).is_under_way(calls.now().instant), "it is not time");
    calls.draining.store(true, Ordering::Release);
    register_now(&calls, NAME);
    assert!(registration(&calls).is_asking(5), "a node that drains gives it up");

    let calls = node(VendorStatus::Disabled, &accounts());
    register_now(&calls, NAME);
    assert!(!registration(&calls).is_asking(1), "there is nothing to end");
    assert!(registration(&calls).begin(3600, calls.now().instant).is_some());
    grant(&calls);
    register_now(&calls, NAME);
    assert!(registration(&calls).is_asking(5), "it is ended");
}

/// Each vendor's by itself: until when, what came of it, when it is tried next.
#[tokio::test]
async fn registrations_as_operators_see_them() {
    let calls = node(VendorStatus::Active, &accounts());
    let of = |number: u128, now| registrations(&calls, Uuid::from_u128(number), now);
    let now = calls.now().instant;
    assert!(of(32, now).is_empty() && of(99, now).is_empty(), "we register at the first one alone");
    register_now(&calls, NAME);
    let told = of(31, now);
    assert_eq!((told.len(), told[0].gateway.to_string()), (1, "198.51.100.1:5060".to_owned()));
    assert_eq!((told[0].uri.as_str(), told[0].transport), ("sip:198.51.100.1:5060", Transport::Udp));
    assert_eq!((told[0].seen.asking, told[0].seen.until, told[0].seen.last), (true, None, None));
    grant(&calls);
    let seen = of(31, calls.now().instant)[0].seen;
    assert_eq!((seen.asking, seen.last), (false, Some(Said::Granted(3600))));
    assert!(seen.until > seen.next_at && seen.next_at > Some(now), "it is renewed in time");
    calls.draining.store(true, Ordering::Release);
    let now = calls.now().instant;
    assert_eq!(of(31, now)[0].seen.next_at, Some(now), "a node that drains ends it");
}

/// Gateways with one address have one registration, which is told once; by another transport it is another one.
#[tokio::test]
async fn one_address_is_registered_at_once() {
    let mut voice = registering(VendorStatus::Active);
    let gateways = ["sip:198.51.100.1:5060", "sip:198.51.100.1;transport=tcp", "sip:198.51.100.1"];
    voice.vendors[0].gateways = gateways.iter().map(|gateway| gateway.parse().unwrap()).collect();
    let calls = node_of(voice, &accounts());
    let now = calls.now().instant;
    let told = registrations(&calls, Uuid::from_u128(31), now);
    let uris: Vec<&str> = told.iter().map(|registered| registered.uri.as_str()).collect();
    assert_eq!(uris, ["sip:198.51.100.1:5060", "sip:198.51.100.1;transport=tcp"], "{told:?}");
}

/// Without its secret every request would be refused: none is sent, and it is told why.
#[tokio::test]
async fn a_vendor_whose_secret_is_closed() {
    let calls = node(VendorStatus::Active, &Accounts::default());
    register_now(&calls, NAME);
    assert!(!registration(&calls).is_asking(1));
    let seen = observe(&calls, NAME)();
    assert!(seen.note.is_some_and(|note| note.contains("root key")));
    let told = registrations(&calls, Uuid::from_u128(31), calls.now().instant);
    assert_eq!((told.len(), told[0].seen.next_at), (1, None), "nothing is sent");
}

#[tokio::test]
async fn an_actor_that_starts_again_does_not_wait() {
    let calls = node(VendorStatus::Active, &accounts());
    register_now(&calls, NAME);
    registration(&calls).settle(1, Said::Refused(403), calls.now().instant, 0);
    register_now(&calls, NAME);
    assert!(!registration(&calls).is_asking(5));
    retry(&calls, NAME);
    register_now(&calls, NAME);
    assert!(registration(&calls).is_asking(5));
}

/// A first request under way may still leave a contact of a node that is gone.
#[tokio::test]
async fn a_node_that_stops_waits_for_what_is_under_way() {
    let calls = node(VendorStatus::Active, &accounts());
    assert_eq!(calls.unregister(), 0, "nothing was asked");
    register_now(&calls, NAME);
    assert_eq!(calls.unregister(), 1);
    grant(&calls);
    assert_eq!(calls.unregister(), 1);
    assert!(registration(&calls).is_asking(5), "it is ended as soon as it is there");
    registration(&calls).settle(5, Said::Gone, calls.now().instant, 0);
    assert_eq!(calls.unregister(), 0);
}

/// A name that leads nowhere is told, whatever else is; one that leads somewhere is not.
#[tokio::test]
async fn a_gateway_whose_name_does_not_resolve() {
    let calls = node(VendorStatus::Active, &accounts());
    let lost = Some("no address of lost.example is known");
    for (gateways, expected) in [
        (&["sip:198.51.100.1:5060"][..], None),
        (&["sip:found.example"][..], None),
        (&["sip:found.example:5070;transport=tcp", "sip:198.51.100.1"][..], None),
        (&["sip:lost.example"][..], lost),
        (&["sip:found.example", "sip:lost.example:5070;transport=tls"][..], lost),
        (&[][..], Some("it has no gateways")),
    ] {
        let mut voice = voice();
        voice.vendors[0].gateways = gateways.iter().map(|gateway| gateway.parse().unwrap()).collect();
        let find = |gateway: &Gateway| match gateway.host.as_str() {
            "found.example" => vec![(SocketAddr::from(([192, 0, 2, 1], 5060)), Transport::Udp)],
            _ => Vec::new(),
        };
        let snapshot = Snapshot::new(voice, None, &find, calls.now().instant);
        calls.snapshot.store(Arc::new(snapshot));
        assert_eq!(observe(&calls, NAME)().note.as_deref(), expected, "{gateways:?}");
    }
    // Beside what is said of the registration.
    let mut voice = registering(VendorStatus::Active);
    voice.vendors[0].gateways.push("sip:lost.example".parse().unwrap());
    let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), calls.now().instant);
    calls.snapshot.store(Arc::new(snapshot));
    let note = observe(&calls, NAME)().note.unwrap();
    assert!(
        note.starts_with("no address of lost.example is known; registration: none, its secret"),
        "{note}"
    );
}
