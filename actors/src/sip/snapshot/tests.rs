use std::time::Duration;

use runtime::model::{VendorAccount, VendorRegister};
use runtime::password::{Ha1, SecretString};

use super::*;
use crate::sip::registration::Said;
use crate::sip::testing::voice;

fn register() -> VendorRegister {
    let (user, domain) = (String::new(), String::new());
    VendorRegister { user, domain, expires: HumanDuration::from_secs(3600), required: true }
}

/// The first vendor has an account, and wants to know where we are.
fn registering() -> Voice {
    let mut voice = voice();
    voice.vendors[0].account = Some(VendorAccount {
        username: "warp".to_owned(),
        realm: "a.example".to_owned(),
        ha1_sealed: vec![1],
        register: Some(register()),
    });
    voice
}

fn accounts(password: &str) -> Accounts {
    let ha1 = Ha1::of("warp", "a.example", &SecretString::new(password));
    Accounts::of([(0, Account::new("warp".to_owned(), "a.example".to_owned(), ha1))])
}

fn built(voice: Voice, before: Option<&Snapshot>, now: Instant) -> Snapshot {
    let resolve = |gateway: &Gateway| {
        let address = SocketAddr::from(([198, 51, 100, 9], gateway.port.unwrap_or(5060)));
        vec![(address, Transport::Udp)]
    };
    Snapshot::new(voice, before, &resolve, now)
}

fn registration(snapshot: &Snapshot) -> &Arc<Registration> {
    snapshot.vendors[0].targets[0].registration.as_ref().unwrap()
}

/// What changes, and whether it is asked for at once.
type Change = (fn(&mut Voice), &'static str, bool);

/// What the registrar has stays there, whatever is changed beside user and domain.
#[test]
fn a_registration_goes_on() {
    let table: [Change; 5] = [
        (|voice| voice.vendors[0].cps = 3, "one", false),
        (|voice| voice.vendors[0].account.as_mut().unwrap().ha1_sealed = vec![2], "one", false),
        (|voice| voice.vendors[0].account.as_mut().unwrap().ha1_sealed = vec![2], "two", true),
        (
            |voice| {
                let account = voice.vendors[0].account.as_mut().unwrap();
                account.register = Some(VendorRegister { required: false, ..register() });
            },
            "one",
            false,
        ),
        (
            |voice| {
                let account = voice.vendors[0].account.as_mut().unwrap();
                let expires = HumanDuration::from_secs(7200);
                account.register = Some(VendorRegister { expires, ..register() });
            },
            "one",
            true,
        ),
    ];
    let now = tokio::time::Instant::now().into_std();
    for (place, (change, password, at_once)) in table.into_iter().enumerate() {
        let before = built(registering(), None, now).with_accounts(&accounts("one"));
        let target = &before.vendors[0].targets[0];
        assert!(!target.lets_pass(now), "{place}");
        let due = registration(&before).begin(3600, now).unwrap();
        registration(&before).settle(due.cseq, Said::Granted(3600), now, 0);
        let mut voice = registering();
        change(&mut voice);
        let after = built(voice, Some(&before), now).with_accounts(&accounts(password));
        assert!(Arc::ptr_eq(registration(&before), registration(&after)), "{place}");
        assert!(after.vendors[0].targets[0].lets_pass(now + Duration::from_secs(3599)), "{place}");
        assert_eq!(registration(&after).begin(3600, now).is_some(), at_once, "{place}");
    }
}

/// Somebody else is registered anew, and no answer to the requests of before is taken for his.
#[test]
fn a_registration_of_somebody_else() {
    let now = tokio::time::Instant::now().into_std();
    for (user, domain) in [("+15550001000", ""), ("", "b.example")] {
        let before = built(registering(), None, now).with_accounts(&accounts("one"));
        let due = registration(&before).begin(3600, now).unwrap();
        let mut voice = registering();
        let (user, domain) = (user.to_owned(), domain.to_owned());
        voice.vendors[0].account.as_mut().unwrap().register =
            Some(VendorRegister { user, domain, ..register() });
        let after = built(voice, Some(&before), now).with_accounts(&accounts("one"));
        registration(&after).settle(due.cseq, Said::Granted(3600), now, 0);
        assert!(!registration(&after).is_there(now) && !after.vendors[0].targets[0].lets_pass(now));
        assert!(registration(&after).begin(3600, now).is_some());
    }
}

/// The key that a secret was sealed with comes back: it is asked for at once, however often it has failed.
#[test]
fn a_secret_that_opens_later() {
    let now = tokio::time::Instant::now().into_std();
    let before = built(registering(), None, now).with_accounts(&Accounts::default());
    let due = registration(&before).begin(3600, now).unwrap();
    registration(&before).settle(due.cseq, Said::Refused(401), now, 0);
    let same = built(registering(), Some(&before), now).with_accounts(&Accounts::default());
    assert_eq!(registration(&same).begin(3600, now), None);
    let after = built(registering(), Some(&same), now).with_accounts(&accounts("one"));
    assert!(registration(&after).begin(3600, now).is_some());
}

/// Two names of one address have one registration: one Call-ID has one row of numbers.
#[test]
fn gateways_at_one_address() {
    let now = tokio::time::Instant::now().into_std();
    let mut voice = registering();
    let gateways = ["sip:a.example:5070", "sip:b.example:5070", "sip:a.example:5071"];
    voice.vendors[0].gateways = gateways.iter().map(|gateway| gateway.parse().unwrap()).collect();
    let snapshot = built(voice, None, now);
    let [first, second, third] = &snapshot.vendors[0].targets[..] else { panic!("{:?}", snapshot.vendors) };
    let known = [first, second, third].map(|target| target.registration.as_ref().unwrap());
    assert!(Arc::ptr_eq(known[0], known[1]) && !Arc::ptr_eq(known[0], known[2]));
}

#[test]
fn who_is_registered_where() {
    let now = tokio::time::Instant::now().into_std();
    for (gateway, host) in [
        ("sip:192.0.2.10:5060;transport=udp", "192.0.2.10"),
        ("sip:192.0.2.10", "192.0.2.10"),
        ("sip:a.example;transport=tcp", "a.example"),
        ("sip:[2001:db8::1]:5070", "[2001:db8::1]"),
        ("sip:[2001:db8::1]", "[2001:db8::1]"),
    ] {
        let mut voice = registering();
        voice.vendors[0].gateways = vec![gateway.parse().unwrap()];
        let snapshot = built(voice, None, now);
        let vendor = &snapshot.vendors[0];
        assert_eq!(vendor.targets[0].registered(&vendor.config), Some(("warp", host)), "{gateway}");
    }
}
