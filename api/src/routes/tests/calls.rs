//! Calls: those that live, those that ended, those that might be.

use actors::sip::event::{CallEvent, Started, What};
use actors::sip::live_list::{self, Wanted};
use actors::sip::routing::Direction;
use actors::sip::snapshot::Snapshot;
use runtime::clock::Timestamp;
use runtime::log::{
    Attempt, Attested, CallDirection, CallIdentity, CallMedia, Cdr, EndedBy, MediaSent, Reason, Verstat,
};
use runtime::model::Money;
use runtime::store::voice;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::*;

/// A node with the example's trunks and vendors.
pub(super) async fn lab() -> Lab {
    let lab = Lab::new().await;
    let example = include_str!("../../../../config/voice.example.toml");
    assert_eq!(lab.control("POST", "/v1/control/apply", example).await.status, 200);
    let voice = voice::load(&lab.api.store).await.unwrap();
    let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), Instant::now().into_std());
    lab.calls.snapshot.store(Arc::new(snapshot));
    lab
}

fn started(lab: &Lab) -> Started {
    Started {
        snapshot: lab.calls.snapshot.load_full(),
        trunk: 0,
        direction: Direction::Outbound,
        source: "203.0.113.1:5060".parse().unwrap(),
        call_id: "a@203.0.113.1".to_owned(),
        caller: "+15550001111".to_owned(),
        callee: "+15550002222".to_owned(),
        channel: None,
        recovered: false,
    }
}

/// A call of the first trunk begins; it has a face, as from its actor.
pub(super) async fn begin(lab: &Lab, number: u128) -> Uuid {
    let id = Uuid::from_u128(number);
    let what = What::Started(Box::new(started(lab)));
    lab.calls.note(0, &mut vec![CallEvent { dialog: id, at: lab.calls.now(), what }]);
    lab.calls.tell();
    id
}

#[tokio::test]
async fn calls_that_live_are_listed_by_pages_and_ended() {
    let lab = lab().await;
    for number in 1..=3 {
        begin(&lab, number).await;
    }
    let first = lab.control("GET", "/v1/calls?limit=2", "").await.json();
    let of = |page: &Value, key: &str| -> Vec<String> {
        page["calls"].as_array().unwrap().iter().map(|call| call[key].as_str().unwrap().to_owned()).collect()
    };
    let ids: Vec<String> = (1..=3).map(|number| Uuid::from_u128(number).to_string()).collect();
    assert_eq!((&first["live"], of(&first, "id")), (&json!(3), ids[..2].to_vec()));
    assert_eq!(
        (&first["calls"][0]["state"], &first["calls"][0]["trunk"]),
        (&json!("early"), &json!("acme-east"))
    );
    let customer = lab.calls.snapshot.load().trunks[0].config.customer;
    assert_eq!(
        (&first["calls"][0]["customer_id"], &first["calls"][0]["ban"]),
        (&json!(customer), &json!("TB-071161709"))
    );
    assert_eq!(of(&first, "callee"), ["+155******22", "+155******22"], "numbers are masked");
    let next = first["next"].as_str().unwrap();
    let second = lab.control("GET", &format!("/v1/calls?limit=2&after={next}"), "").await.json();
    assert_eq!((of(&second, "id"), &second["next"]), (ids[2..].to_vec(), &Value::Null));
    let one = lab.control("GET", &format!("/v1/calls/{}", ids[1]), "").await;
    assert_eq!((one.status, one.json()), (200, first["calls"][1].clone()));
    let unknown = lab.control("GET", &format!("/v1/calls/{}", Uuid::from_u128(9)), "").await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("unknown_call")));
    let text = lab.control("GET", "/v1/calls?format=text", "").await.body;
    assert!(text.starts_with("ID ") && text.ends_with("3 calls live\n"), "{text}");
    assert!(text.contains("  early      TB-071161709  acme-east  -       +155"), "{text}");

    let path = format!("/v1/calls/{}", ids[1]);
    let ended = lab.control("DELETE", &path, "").await;
    assert_eq!((ended.status, ended.json()), (202, json!({"success": true, "id": ids[1]})));
    lab.calls.forget(0, Uuid::from_u128(2));
    let gone = lab.control("DELETE", &path, "").await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("unknown_call")));
    assert_eq!(live_list::page(&lab.calls, Wanted::default(), 10).calls.len(), 2);
}

#[tokio::test]
async fn calls_that_live_are_found_by_customer_trunk_and_vendor() {
    let lab = lab().await;
    for number in 1..=3 {
        begin(&lab, number).await;
    }
    let customer = lab.calls.snapshot.load().trunks[0].config.customer;
    let none = Uuid::nil();
    let cases: [(String, &[u128]); 8] = [
        (format!("customer_id={customer}"), &[1, 2, 3]),
        (format!("customer_id={none}"), &[]),
        ("trunk=acme-east".to_owned(), &[1, 2, 3]),
        ("trunk=acme".to_owned(), &[]),
        ("vendor=atlantic".to_owned(), &[]),
        (format!("customer_id={customer}&trunk=acme-east&limit=2"), &[1, 2]),
        (format!("customer_id={customer}&trunk=acme-east&limit=2&after={}", Uuid::from_u128(2)), &[3]),
        (format!("customer_id={customer}&vendor=atlantic"), &[]),
    ];
    for (query, expected) in cases {
        let page = lab.control("GET", &format!("/v1/calls?{query}"), "").await.json();
        let found: Vec<&Value> = page["calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
        let expected: Vec<Value> = expected.iter().map(|number| json!(Uuid::from_u128(*number))).collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{query}");
        assert_eq!(page["live"], 3, "all that live are counted: {query}");
    }
    let text = lab.control("GET", &format!("/v1/calls?customer_id={none}&format=text"), "").await.body;
    assert!(text.starts_with("ID ") && text.ends_with(" ANSWERED\n3 calls live\n"), "{text}");
}

fn cdr(number: u128, snapshot: &Snapshot) -> Cdr {
    let (trunk, time) = (&snapshot.trunks[0].config, Timestamp::from_micros);
    Cdr {
        id: Uuid::from_u128(number),
        node: 7,
        customer: trunk.customer,
        trunk: trunk.id,
        vendor: Some(snapshot.vendors[0].config.id),
        direction: CallDirection::Outbound,
        source: "203.0.113.1:5060".parse().unwrap(),
        call_id: "a@203.0.113.1".into(),
        caller: "+15550001111".into(),
        callee: "+15550002222".into(),
        callee_sent: "9001#15550002222".into(),
        started_at: time(1_000_000),
        ringing_at: None,
        answered_at: Some(time(2_000_000)),
        ended_at: time(3_500_000),
        pdd_us: Some(1_000_000),
        duration_ms: 1500,
        billed_seconds: 2,
        status: 200,
        reason: Reason::Answered,
        ended_by: EndedBy::Callee,
        prefix: "1".into(),
        rate: Money::from_nanos(4_200_000),
        retransmissions: Some(3),
        q850_cause: Some(16),
        recovered: false,
        attempts: 1,
        media: Some(CallMedia {
            node: 2,
            caller: MediaSent {
                packets: Some(3_050),
                lost: Some(7),
                jitter_ms: Some(3),
                mos_tenths: Some(43),
            },
            callee: MediaSent { packets: Some(0), ..MediaSent::default() },
        }),
        identity: CallIdentity {
            verstat: Some(Verstat::Passed),
            received: Some(Attested::A),
            signed: Some(Attested::B),
        },
    }
}

fn attempt(snapshot: &Snapshot) -> Attempt {
    Attempt {
        number: 1,
        vendor: snapshot.vendors[0].config.id,
        gateway: "192.0.2.10:5060".into(),
        started_at: Timestamp::from_micros(1_000_000),
        ended_at: Timestamp::from_micros(2_000_000),
        pdd_us: None,
        status: Some(200),
        reason: Reason::Answered,
    }
}

#[tokio::test]
async fn records_are_shown_with_the_vendors_that_were_tried() {
    let lab = lab().await;
    let log = lab.smpp.log.clone();
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| {}).await }
    });
    let snapshot = lab.calls.snapshot.load_full();
    assert_eq!(lab.control("GET", "/v1/cdrs/recent?format=text", "").await.body, "no calls\n");
    for number in 1..=3 {
        log.put_cdr(cdr(number, &snapshot), [attempt(&snapshot)]).durable().await;
    }
    let page = lab.control("GET", "/v1/cdrs/recent?limit=2", "").await.json();
    let ids = [3, 2].map(|number| Uuid::from_u128(number).to_string());
    assert_eq!((&page["cdrs"][0]["id"], &page["cdrs"][1]["id"]), (&json!(ids[0]), &json!(ids[1])));
    let (first, tried) = (&page["cdrs"][0], &page["cdrs"][0]["attempts"][0]);
    assert_eq!((&first["trunk"], &first["vendor"]), (&json!("acme-east"), &json!("atlantic")));
    assert_eq!((&first["callee"], &first["rate"]), (&json!("+15550002222"), &json!("0.0042")));
    assert_eq!((&tried["vendor"], &tried["gateway"]), (&json!("atlantic"), &json!("192.0.2.10:5060")));
    assert_eq!((&tried["status"], &tried["reason"]), (&json!(200), &json!("answered")));
    assert_eq!((&first["retransmissions"], &first["q850_cause"]), (&json!(3), &json!(16)));
    let signed = [&first["verstat"], &first["attestation_received"], &first["attestation_signed"]];
    assert_eq!(signed, [&json!("TN-Validation-Passed"), &json!("A"), &json!("B")]);
    let caller = json!({"packets": 3050, "lost": 7, "jitter_ms": 3, "mos_tenths": 43});
    let callee = json!({"packets": 0, "lost": null, "jitter_ms": null, "mos_tenths": null});
    assert_eq!(first["media"], json!({"node": 2, "caller": caller, "callee": callee}));
    let next = page["next"].as_str().unwrap();
    let rest = lab.control("GET", &format!("/v1/cdrs/recent?limit=2&before={next}"), "").await.json();
    assert_eq!((rest["cdrs"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let full = lab.control("GET", "/v1/cdrs/recent?format=text&limit=2", "").await.body;
    assert!(full.ends_with(&format!("\na full page, --before {next} goes on\n")), "{full}");
    let oldest = format!("/v1/cdrs/recent?format=text&before={}", Uuid::from_u128(1));
    assert_eq!(lab.control("GET", &oldest, "").await.body, "no more\n");
    let text = lab.control("GET", "/v1/cdrs/recent?format=text", "").await.body;
    assert!(
        text.contains(
            "acme-east +155******11 -> +155******22: 200 answered, ended by callee, 2 s billed, rate 0.0042\n"
        ),
        "{text}"
    );
    assert!(text.contains("\n  1. atlantic at 192.0.2.10:5060: 200 answered, pdd -\n"), "{text}");
    assert!(text.ends_with("no more\n") && !text.contains("5550002222"), "{text}");
    committer.abort();
}

/// The gateways that a call to a number of ours was sent to are the trunk's, not those of the vendor who called.
#[tokio::test]
async fn attempts_at_a_trunk_name_the_trunk() {
    let lab = lab().await;
    let log = lab.smpp.log.clone();
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| {}).await }
    });
    let snapshot = lab.calls.snapshot.load_full();
    let inbound = Cdr { direction: CallDirection::Inbound, ..cdr(1, &snapshot) };
    let tried = Attempt { gateway: "203.0.113.5:5060".into(), ..attempt(&snapshot) };
    log.put_cdr(inbound, [tried]).durable().await;
    let text = lab.control("GET", "/v1/cdrs/recent?format=text", "").await.body;
    assert!(text.contains("\n  1. acme-east at 203.0.113.5:5060: 200 answered, pdd -\n"), "{text}");
    assert!(!text.contains("atlantic"), "{text}");
    committer.abort();
}

#[tokio::test]
async fn the_way_of_a_call_is_explained() {
    let lab = lab().await;
    let target = "/v1/explain/call?from=%2B15550001111&to=0111555123&source=203.0.113.1";
    let told = lab.control("GET", target, "").await.json();
    assert_eq!((&told["outcome"], &told["trunk"]), (&json!("route"), &json!("acme-east")));
    assert_eq!((&told["number"], &told["direction"]), (&json!("+1555123"), &json!("outbound")));
    let vendors: Vec<&str> =
        told["candidates"].as_array().unwrap().iter().map(|one| one["vendor"].as_str().unwrap()).collect();
    assert_eq!(vendors, ["atlantic", "pacific"], "the cheaper one first");
    assert_eq!(told["candidates"][0]["number"], "9001#1555123");
    assert_eq!(told["candidates"][1]["passed_over"], "no gateway has a known address");
    let text = lab.control("GET", &format!("{target}&format=text"), "").await.body;
    assert!(text.contains("  + source: of trunk acme-east\n"), "{text}");
    let deaf = lab.control("GET", &format!("{target}&transport=tls"), "").await.json();
    assert_eq!(deaf["outcome"], "nothing: we do not listen on tls");
}

#[tokio::test]
async fn questions_that_cannot_be_understood() {
    let lab = Lab::new().await;
    for path in [
        "/v1/calls?limit=0",
        "/v1/calls?limit=1001",
        "/v1/calls?after=x",
        "/v1/calls?customer_id=TB-071161709",
        "/v1/cdrs/recent?limit=501",
        "/v1/cdrs/recent?before=1",
        "/v1/explain/call?to=1",
        "/v1/explain/call?source=192.0.2.1",
        "/v1/explain/call?to=1&source=192.0.2.1&transport=sctp",
    ] {
        let answer = lab.control("GET", path, "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_request")), "{path}");
    }
    let named = lab.control("GET", "/v1/explain/call?to=1&source=host.example", "").await;
    assert_eq!((named.status, &named.json()["code"]), (422, &json!("explain_refused")));
}
