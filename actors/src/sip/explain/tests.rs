use std::time::Duration;

use proptest::prelude::*;
use runtime::clock::Timestamp;
use runtime::config::HumanDuration;
use runtime::model::{
    AuthType, ForeignNumbers, HighCost, Money, VendorAccount, VendorRegister, VendorStatus, Voice,
};
use runtime::store::registration::StoredRegistration;
use sip::HeaderId;
use stir::{Claims, Identity};

use super::*;
use crate::sip::identities::testing::Pki;
use crate::sip::registration::Said;
use crate::sip::testing::{CUSTOMER, Node, STRANGER, VENDORS, invite, voice};
use crate::sip::transactions::Now;

mod contacts;
mod digest;
mod media;

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn snapshot(voice: Voice) -> Arc<Snapshot> {
    Arc::new(Snapshot::new(voice, None, &|_| Vec::new(), start()))
}

fn listeners() -> Vec<Listener> {
    vec![Listener::new(Transport::Udp, "203.0.113.5:5060".parse().unwrap(), "").unwrap()]
}

/// A node that signs.
fn own(listeners: &[Listener]) -> Own<'_> {
    Own { listeners, unsigned: None }
}

fn question(source: &str, to: &str) -> Question {
    let source = super::source(source, Transport::Udp).unwrap();
    Question { from: "+15550001".to_owned(), to: to.to_owned(), source, transport: Transport::Udp }
}

fn told(voice: Voice, source: &str, to: &str) -> Explanation {
    call(&snapshot(voice), own(&listeners()), &question(source, to), &|_| Vec::new(), start())
}

fn failed(explanation: &Explanation) -> Vec<&'static str> {
    explanation.checks.iter().filter(|check| !check.passed).map(|check| check.check).collect()
}

/// A change of the configuration, who calls whom, the outcome's beginning, the checks that fail.
type Line = (fn(&mut Voice), &'static str, &'static str, &'static str, &'static [&'static str]);

#[test]
fn outcomes() {
    let lines: [Line; 15] = [
        (|_| {}, CUSTOMER, "+15551234", "route", &[]),
        (|_| {}, STRANGER, "+15551234", "403 Forbidden: no trunk has this source", &["source"]),
        (|_| {}, CUSTOMER, "alice", "404 Not Found: not a number", &["number"]),
        (|_| {}, CUSTOMER, "19005551234", "403 Forbidden: the trunk may not call this", &["destination"]),
        (
            |v| v.customers[0].status = "SUSPENDED".to_owned(),
            CUSTOMER,
            "1",
            "403 Forbidden: the customer",
            &["customer"],
        ),
        (
            |v| v.trunks[0].partition = None,
            CUSTOMER,
            "1",
            "403",
            &["partition", "offers", "rate_max", "vendors"],
        ),
        (
            |v| v.high_cost = vec![HighCost { prefix: "881".to_owned() }],
            CUSTOMER,
            "8812",
            "403",
            &["high_cost"],
        ),
        (|v| v.offers.clear(), CUSTOMER, "1", "404 Not Found: no vendor", &["offers", "rate_max", "vendors"]),
        (
            |v| v.trunks[0].rate_max = Some(Money::from_nanos(1)),
            CUSTOMER,
            "1",
            "403",
            &["rate_max", "vendors"],
        ),
        (
            |v| v.vendors.iter_mut().for_each(|vendor| vendor.status = VendorStatus::Drained),
            CUSTOMER,
            "1",
            "503 Service Unavailable: every vendor",
            &["vendors"],
        ),
        (|_| {}, VENDORS[0], "15550100", "route", &[]),
        (|_| {}, VENDORS[0], "15550199", "404 Not Found: the number is none of ours", &["did"]),
        (|v| v.trunks[0].active = false, VENDORS[0], "15550100", "404 Not Found: the trunk", &["trunk"]),
        (|v| v.trunks[0].gateways.clear(), VENDORS[0], "15550100", "480", &["gateways"]),
        (|v| v.trunks[0].active = false, CUSTOMER, "1", "403 Forbidden: no trunk", &["source"]),
    ];
    for (change, source, to, outcome, checks) in lines {
        let mut voice = voice();
        change(&mut voice);
        let told = told(voice, source, to);
        assert!(told.outcome.starts_with(outcome), "{source} {to}: {told}");
        assert_eq!(failed(&told), checks, "{source} {to}: {told}");
    }
}

/// A number of a trunk that registers goes to its contacts, and to its gateways behind them.
#[test]
fn contacts_and_gateways() {
    let now = Now { instant: tokio::time::Instant::now().into_std(), wall: Timestamp::from_micros(0) };
    let stored = StoredRegistration {
        id: Uuid::from_u128(1),
        trunk: Uuid::from_u128(10),
        contact: "sip:acme@10.0.0.7".to_owned(),
        source: "203.0.113.9:5062".parse().unwrap(),
        transport: Transport::Udp,
        path: String::new(),
        q: 1000,
        node: 1,
        listener: 0,
        call_id: "a".to_owned(),
        cseq: 1,
        user_agent: String::new(),
        registered_at: now.wall,
        expires_at: now.wall,
        version: 1,
    };
    let bound = Arc::new(Binding::new(stored, 0, now));
    let contact = "sip:acme@10.0.0.7 at 203.0.113.9:5062, registered";
    let gateway = "sip:192.0.2.10 at 192.0.2.10:5060";
    for (auth_type, registered, has_gateway, outcome, expected) in [
        (AuthType::Digest, true, true, "route", vec![contact, gateway]),
        (AuthType::Both, true, false, "route", vec![contact]),
        (AuthType::Digest, false, true, "route", vec![gateway]),
        (
            AuthType::Digest,
            false,
            false,
            "480 Temporarily Unavailable: the trunk of the number has not",
            vec![],
        ),
        (AuthType::IpAcl, true, true, "route", vec![gateway]),
        (
            AuthType::IpAcl,
            true,
            false,
            "480 Temporarily Unavailable: the trunk of the number has no g",
            vec![],
        ),
    ] {
        let mut voice = voice();
        voice.trunks[0].auth_type = auth_type;
        if !has_gateway {
            voice.trunks[0].gateways.clear();
        }
        let contacts = |trunk: Uuid| {
            assert_eq!(trunk, Uuid::from_u128(10));
            if registered { vec![Arc::clone(&bound)] } else { Vec::new() }
        };
        let question = question(VENDORS[0], "15550100");
        let told = call(&snapshot(voice), own(&listeners()), &question, &contacts, start());
        assert!(told.outcome.starts_with(outcome), "{auth_type:?} {told}");
        assert_eq!(told.gateways, expected, "{auth_type:?} {told}");
        assert_eq!(failed(&told).contains(&"gateways"), expected.is_empty(), "{told}");
    }
}

#[test]
fn candidates_in_their_order() {
    let mut voice = voice();
    voice.vendors[0].status = VendorStatus::Disabled;
    voice.vendors[1].callee_rules = vec![adding("9001#")];
    voice.trunks[0].caller_rules = vec![NumberRule { prefix: "+".to_owned(), strip: 1, add: String::new() }];
    voice.vendors[1].caller_rules = vec![adding("00")];
    voice.trunks[0].rate_max = Some(Money::from_nanos(2_000_000));
    let told = told(voice, CUSTOMER, "15551234");
    assert_eq!(told.outcome, "route");
    let of = |one: &Candidate| (one.vendor.clone(), one.rate.clone(), one.number.clone(), one.passed_over);
    let candidates: Vec<_> = told.candidates.iter().map(of).collect();
    let line = |vendor: &str, rate: &str, number: &str, passed_over| {
        (vendor.to_owned(), rate.to_owned(), number.to_owned(), passed_over)
    };
    assert_eq!(
        candidates,
        [
            line("vendor-1", "0.001", "15551234", Some("gets no new calls")),
            line("vendor-2", "0.002", "9001#15551234", None),
            line("vendor-3", "0.003", "15551234", Some("dearer than the trunk's highest rate")),
        ]
    );
    assert_eq!(told.candidates[2].gateways, ["sip:198.51.100.3:5070 at 198.51.100.3:5070"]);
    let text = told.to_string();
    assert!(text.starts_with("+15550001 to 15551234 from 192.0.2.10:5060/udp, outbound: route\n"), "{text}");
    assert!(text.contains("  + source: of trunk acme-main\n"), "{text}");
    let tried = "  2. vendor-2 (prefix \"\", rate 0.002, priority 0, weight 1), ACTIVE, 0 of any calls, any a second, \
                 as 9001#15551234 from 0015550001 to sip:198.51.100.2:5060 at 198.51.100.2:5060\n";
    assert!(text.contains(tried), "{text}");
}

#[test]
fn a_vendor_whose_name_does_not_resolve() {
    let mut voice = voice();
    voice.vendors[0].gateways = vec!["sip:sip.pacific.example".parse().unwrap()];
    let text = told(voice, CUSTOMER, "15551234").to_string();
    let passed_over = "as 15551234 from +15550001: passed over, no gateway has a known address\n";
    assert!(text.contains(passed_over), "{text}");
}

/// What is shown is what a vendor gets.
#[test]
fn numbers_that_are_none_of_the_customers() {
    let mut voice = voice();
    voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Replace;
    voice.trunks[0].identity.default_number = "+15550100".to_owned();
    voice.trunks[0].caller_rules = vec![adding("9")];
    voice.vendors[0].caller_rules =
        vec![NumberRule { prefix: "+".to_owned(), strip: 1, add: "00".to_owned() }];
    let replaced = told(voice.clone(), CUSTOMER, "15551234");
    assert_eq!(replaced.outcome, "route");
    assert_eq!(replaced.candidates[0].caller, "0015550100");
    assert_eq!(replaced.candidates[1].caller, "+15550100");
    let check = replaced.checks.iter().find(|check| check.check == "caller").unwrap();
    assert_eq!(check.detail, "+15550100 stands in place of another's");
    voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Refuse;
    let refused = told(voice.clone(), CUSTOMER, "15551234");
    assert_eq!(refused.outcome, "403 Forbidden: the number that calls is none of the customer's");
    assert_eq!(failed(&refused), ["caller"]);
    // One of its own.
    voice.trunks[0].caller_rules.clear();
    voice.dids[0].number = "15550001".to_owned();
    let own = told(voice, CUSTOMER, "15551234");
    assert_eq!((own.outcome.as_str(), own.candidates[1].caller.as_str()), ("route", "+15550001"));
}

fn adding(add: &str) -> NumberRule {
    NumberRule { prefix: String::new(), strip: 0, add: add.to_owned() }
}

/// What is told of a call is what its vendor gets.
#[test]
fn how_a_call_is_signed() {
    /// What changes, who calls, what the call is signed with.
    type Line = (fn(&mut Voice), &'static str, Option<Attestation>);
    fn replacing(voice: &mut Voice) {
        voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Replace;
        voice.trunks[0].identity.default_number = "+15550100".to_owned();
    }
    fn rule(prefix: &str, strip: u8, add: &str) -> Vec<NumberRule> {
        vec![NumberRule { prefix: prefix.to_owned(), strip, add: add.to_owned() }]
    }
    let (a, b, c) = (Some(Attestation::A), Some(Attestation::B), Some(Attestation::C));
    let lines: [Line; 14] = [
        (|_| {}, "+15550100", a),
        (|_| {}, "+15550001", b),
        (|_| {}, "alice", None),
        (|_| {}, "anonymous", None),
        (|v| v.vendors[0].sign_calls = false, "+15550100", None),
        (|v| v.trunks[0].attestation_max = Attestation::C, "+15550100", c),
        (|v| v.dids[0].customer = Some(Uuid::from_u128(2)), "+15550100", b),
        (|v| v.trunks[0].caller_rules = rule("", 0, "+1"), "5550100", a),
        (|v| v.vendors[0].caller_rules = rule("+", 1, "00"), "+15550100", a),
        (|v| v.vendors[0].caller_rules = rule("", 9, "18005551212"), "+15550100", b),
        (replacing, "+15550001", a),
        (replacing, "alice", a),
        (replacing, "anonymous", None),
        (|v| v.trunks[0].identity.foreign_numbers = ForeignNumbers::Refuse, "+15550100", a),
    ];
    let pki = Pki::new();
    for (change, from, expected) in lines {
        let mut voice = voice();
        voice.vendors.iter_mut().for_each(|vendor| vendor.sign_calls = true);
        change(&mut voice);
        let question = Question { from: from.to_owned(), ..question(CUSTOMER, "+15551234") };
        let told = call(&snapshot(voice.clone()), own(&listeners()), &question, &|_| Vec::new(), start());
        assert_eq!(told.outcome, "route", "{from} {told}");
        let first = &told.candidates[0];
        assert_eq!((first.attestation, first.unsigned.is_none()), (expected, expected.is_some()), "{told}");

        let mut node = Node::with_identities(voice, &pki.identities());
        let sent = node.receive(CUSTOMER, invite("a", "+15551234").replace("+15550001", from));
        let identity = sent[1].value(HeaderId::Identity);
        let signed = (!identity.is_empty()).then(|| {
            let identity = Identity::parse(identity.as_bytes()).unwrap();
            let claims = Claims::decode(identity.token.split('.').nth(1).unwrap()).unwrap();
            format!("{:?}", claims.shaken.unwrap().attest)
        });
        let expected = expected.map(|attestation| attestation.as_str().to_owned());
        assert_eq!(signed, expected, "{from} {}", sent[1].text());
    }
}

#[test]
fn signatures_and_topology_are_told_of_each_vendor() {
    let mut voice = voice();
    voice.trunks[0].hide_topology = true;
    voice.vendors[0].hide_topology = true;
    (voice.vendors[0].sign_calls, voice.vendors[1].sign_calls) = (true, true);
    let snapshot = snapshot(voice);
    let (listeners, question) = (listeners(), question(CUSTOMER, "15551234"));
    let explain = |own| call(&snapshot, own, &question, &|_| Vec::new(), start());
    let told = explain(own(&listeners));
    let of = |one: &Candidate| (one.attestation, one.unsigned, one.topology_hidden_from);
    let wants_none = Some("the vendor wants no calls signed");
    let hides = |callee| Hides { caller: true, callee };
    let b = Some(Attestation::B);
    let expected = [(b, None, hides(true)), (b, None, hides(false)), (None, wants_none, hides(false))];
    assert_eq!(told.candidates.iter().map(of).collect::<Vec<_>>(), expected);
    let json = serde_json::to_value(&told.candidates[0]).unwrap();
    assert_eq!(json["attestation"], "B");
    assert_eq!(json["topology_hidden_from"], serde_json::json!({"caller": true, "callee": true}));
    let text = told.to_string();
    assert!(text.contains("\n     signed with B\n     topology hidden from both sides\n  2. "), "{text}");
    let last = "\n     not signed: the vendor wants no calls signed\n     \
                topology of the vendor hidden from the customer\n";
    assert!(text.ends_with(last), "{text}");

    let without = explain(Own { listeners: &listeners, unsigned: Some("there is no key") });
    let reasons: Vec<_> = without.candidates.iter().map(|one| (one.attestation, one.unsigned)).collect();
    assert_eq!(
        reasons,
        [(None, Some("there is no key")), (None, Some("there is no key")), (None, wants_none)]
    );
}

#[test]
fn limits_that_are_reached() {
    let mut voice = voice();
    voice.trunks[0].channels = 1;
    voice.vendors.truncate(1);
    voice.vendors[0].channels = 1;
    let snapshot = snapshot(voice);
    let explain =
        || call(&snapshot, own(&listeners()), &question(CUSTOMER, "15551234"), &|_| Vec::new(), start());
    let vendor = snapshot.vendors[0].usage.take_channel(1).unwrap();
    let told = explain();
    assert_eq!(
        (told.outcome.as_str(), failed(&told)),
        ("503 Service Unavailable: no vendor has room", vec!["capacity"])
    );
    drop(vendor);
    (0..3).for_each(|_| snapshot.vendors[0].targets[0].health.silent(tokio::time::Instant::now().into_std()));
    let told = explain();
    assert_eq!(told.outcome, "route", "the last one is tried whatever is known of it");
    assert_eq!(told.candidates[0].gateways, ["sip:198.51.100.1:5060 at 198.51.100.1:5060, silent"]);
    let _trunk = snapshot.trunks[0].usage.take_channel(1).unwrap();
    let told = explain();
    assert_eq!(failed(&told), ["channels"], "{told}");
    assert!(
        told.outcome.starts_with("503 Service Unavailable: all channels of the trunk are in use: 1 of 1"),
        "{told}"
    );
}

#[test]
fn sources_as_people_write_them() {
    for (text, transport, source) in [
        ("192.0.2.1", Transport::Udp, Some("192.0.2.1:5060")),
        ("192.0.2.1", Transport::Tls, Some("192.0.2.1:5061")),
        ("192.0.2.1:7", Transport::Tcp, Some("192.0.2.1:7")),
        ("2001:db8::1", Transport::Udp, Some("[2001:db8::1]:5060")),
        ("[2001:db8::1]:7", Transport::Udp, Some("[2001:db8::1]:7")),
        ("host.example", Transport::Udp, None),
        ("", Transport::Udp, None),
    ] {
        assert_eq!(super::source(text, transport), source.map(|source| source.parse().unwrap()), "{text}");
    }
}

proptest! {
    /// What is told is what the router does: a way is promised exactly where every condition holds.
    #[test]
    fn the_checks_are_the_routers(
        bits in prop::collection::vec(any::<bool>(), 9),
        statuses in prop::collection::vec(0_usize..3, 3),
        rate_max in prop::option::of(0_i64..4),
        source in prop::sample::select(vec![CUSTOMER, VENDORS[0], VENDORS[2], STRANGER]),
        to in prop::sample::select(vec!["15551234", "+15550100", "1900555", "8815", "x"]),
    ) {
        let mut voice = voice();
        let [served, active, partition, deny, high_cost, opened, offers, gateways, did] = bits[..] else { panic!() };
        if !served { voice.customers[0].status = "SUSPENDED".to_owned(); }
        let trunk = &mut voice.trunks[0];
        trunk.active = active;
        if !partition { trunk.partition = None; }
        if !deny { trunk.deny.clear(); }
        if opened { trunk.opened = vec!["881".to_owned()]; }
        if !gateways { trunk.gateways.clear(); }
        trunk.rate_max = rate_max.map(|rate| Money::from_nanos(rate * 1_000_000));
        if high_cost { voice.high_cost = vec![HighCost { prefix: "88".to_owned() }]; }
        if !offers { voice.offers.truncate(1); }
        if !did { voice.dids.clear(); }
        for (vendor, status) in voice.vendors.iter_mut().zip(statuses) {
            vendor.status = [VendorStatus::Active, VendorStatus::Drained, VendorStatus::Disabled][status];
        }
        let snapshot = snapshot(voice);
        let question = question(source, to);
        let told = call(&snapshot, own(&listeners()), &question, &|_| Vec::new(), start());
        let at = Source { address: question.source.ip(), port: question.source.port(), transport: Transport::Udp };
        let peer = snapshot.peer(&at, "203.0.113.5".parse().unwrap());
        let number = dialled(to.as_bytes());
        let planned = number.map(|to| routing::plan(&snapshot, peer, &to.number, |_| 0, &mut Vec::new()));
        let routed = planned.is_some_and(|planned| planned.is_ok());
        prop_assert_eq!(failed(&told).is_empty(), routed, "{}", told);
        prop_assert_eq!(told.outcome == "route", routed, "{}", told);
        let tried = told.candidates.iter().filter(|one| one.passed_over.is_none()).count();
        if routed && told.direction == Some("outbound") {
            prop_assert!(tried > 0, "{}", told);
        }
    }
}

/// A vendor that wants our registration gets calls while it has it, whatever was said to the last renewal.
#[test]
fn a_vendor_that_calls_wait_for() {
    for (required, rest, passed_over) in [
        (false, ", without our registration", None),
        (
            true,
            ", without our registration, which it needs",
            Some("no gateway has our registration, which it needs"),
        ),
    ] {
        let mut voice = voice();
        voice.vendors.truncate(1);
        voice.vendors[0].account = Some(VendorAccount {
            username: "warp".to_owned(),
            realm: "a.example".to_owned(),
            ha1_sealed: Vec::new(),
            register: Some(VendorRegister {
                user: String::new(),
                domain: String::new(),
                expires: HumanDuration::from_secs(3600),
                required,
            }),
        });
        let snapshot = snapshot(voice);
        let now = start();
        let explain =
            |now| call(&snapshot, own(&listeners()), &question(CUSTOMER, "15551234"), &|_| Vec::new(), now);
        let told = explain(now);
        assert_eq!(told.candidates[0].passed_over, passed_over);
        assert!(told.candidates[0].gateways[0].ends_with(rest), "{:?}", told.candidates[0].gateways);
        assert_eq!(told.outcome == "route", !required, "{}", told.outcome);

        let known = snapshot.vendors[0].targets[0].registration.as_ref().unwrap();
        let first = known.begin(60, now).unwrap();
        known.settle(first.cseq, Said::Granted(60), now, 0);
        let later = now + Duration::from_secs(30);
        let renewal = known.begin(60, later).unwrap();
        known.settle(renewal.cseq, Said::Refused(503), later, 0);
        let told = explain(later);
        assert_eq!((told.candidates[0].passed_over, told.outcome.as_str()), (None, "route"));
        assert!(!told.candidates[0].gateways[0].contains("registration"), "it has it for its time");
    }
}
