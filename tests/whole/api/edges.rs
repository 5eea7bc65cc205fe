//! What holds for every resource: origins, limits, preconditions, repetition, requests that cannot be meant.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::process::{Node, Setup, Store};
use super::super::wait;
use super::client::{Client, text};

/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
const CONSOLE: &str = "https://console.example.net";

fn node(api: &str) -> (Node, Client) {
    start(&Setup { api: api.to_owned(), ..Setup::default() })
}

/// One that keeps what it knows there.
fn on(store: &Store) -> (Node, Client) {
    start(&Setup { sections: store.section(), ..Setup::default() })
}

fn start(setup: &Setup) -> (Node, Client) {
    let node = Node::new(setup);
    let operator = Client::bootstrap(&node);
    (node, operator)
}

/// Customers whose name has these words.
#[track_caller]
fn named(client: &Client, words: &str) -> usize {
    let found = client.get(&format!("/v1/customers?search={words}"));
    found["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn pages_of_configured_origins_alone_read_answers() {
    let (node, operator) = node(&format!("cors_origins = [{CONSOLE:?}]\n"));
    let stranger = Client::stranger(&node);
    let other = "https://console.example.net.evil.example";
    for (origin, admitted) in [(CONSOLE, CONSOLE), (other, ""), ("null", "")] {
        let asks = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        let preflight = stranger.send("OPTIONS /v1/customers", &asks, &Value::Null).expect(204);
        let answer = operator.send("GET /v1/customers", &asks[..1], &Value::Null).expect(200);
        let refused = stranger.send("GET /v1/customers", &asks[..1], &Value::Null).expect(401);
        for answer in [&preflight, &answer, &refused] {
            assert_eq!(answer.header("access-control-allow-origin"), admitted, "{origin}: {answer:?}");
            assert_eq!(answer.header("vary"), "origin", "{answer:?}");
        }
        let methods = preflight.header("access-control-allow-methods");
        assert!(methods.contains("GET") && methods.contains("POST"), "{methods}");
        assert!(preflight.header("access-control-allow-headers").contains("authorization"), "{preflight:?}");
        assert_eq!(answer.header("access-control-expose-headers").contains("etag"), !admitted.is_empty());
    }
    let nowhere = [("Origin", CONSOLE), ("Access-Control-Request-Method", "GET")];
    stranger.send("OPTIONS /v1/nothing", &nowhere, &Value::Null).expect(404);
}

#[test]
fn more_requests_than_are_allowed_are_told_to_wait() {
    let (node, operator) = node("requests_per_second = 3\n");
    let key = json!({"name": "busy", "permissions": ["customers:read"]});
    let program = Client::with(&node, &text(&operator.make("/v1/api-keys", &key), "key"));
    for n in 0..3 {
        assert_eq!(program.ask("GET /v1/customers", &Value::Null).status, 200, "request {n} is allowed");
    }
    let refused = wait::until("one request too many is refused", SOON, || {
        let answer = program.ask("GET /v1/customers", &Value::Null);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.problem(), (429, "too_many_requests".to_owned()));
    let seconds: u64 = refused.header("retry-after").parse().expect("Retry-After is seconds");
    assert!((1..=10).contains(&seconds), "{seconds}");
    // The limit is one principal's, and the way to see whether the node lives has none.
    operator.get("/v1/customers");
    Client::stranger(&node).get("/health");
    wait::until("it may ask again", SOON, || {
        (program.ask("GET /v1/customers", &Value::Null).status == 200).then_some(())
    });
}

#[test]
fn guesses_of_a_password_are_counted() {
    let (node, _) = node("");
    let stranger = Client::stranger(&node);
    let guess = json!({"email": "maria@example.net", "password": "not the right one"});
    let refused = wait::until("one login too many is refused", SOON, || {
        let answer = stranger.ask("POST /auth/login", &guess);
        (answer.problem().0 != 401).then_some(answer)
    });
    assert_eq!(refused.problem(), (429, "too_many_requests".to_owned()));
    assert_ne!(refused.header("retry-after"), "");
}

#[test]
fn who_changes_what_was_changed_meanwhile_is_told() {
    let (_node, operator) = node("");
    let made = operator.ask("POST /v1/customers", &json!({"company_name": "First"})).expect(201);
    let path = format!("/v1/customers/{}", text(&made.json(), "id"));
    assert_eq!(made.header("location"), path);
    let read = operator.ask(&format!("GET {path}"), &Value::Null).expect(200);
    let first = read.header("etag");
    assert!(first.starts_with('"') && first.ends_with('"'), "{first}");
    let put = |tag: &str, name: &str| {
        let body = json!({"company_name": name});
        operator.send(&format!("PUT {path}"), &[("If-Match", tag)], &body)
    };
    assert_eq!(put("\"of-nothing\"", "Never").problem(), (412, "changed".to_owned()));
    let second = put(first, "Second").expect(200);
    assert_ne!(second.header("etag"), first);
    assert_eq!(put(first, "Never").problem(), (412, "changed".to_owned()));
    put(second.header("etag"), "Third").expect(200);
    put("*", "Fourth").expect(200);
    assert_eq!(operator.get(&path)["company_name"], "Fourth");

    let did = operator.ask("POST /v1/admin/dids", &json!({"number": "15550001111"})).expect(201);
    let path = format!("DELETE /v1/admin/dids/{}", text(&did.json(), "id"));
    let stale = operator.send(&path, &[("If-Match", first)], &Value::Null);
    assert_eq!(stale.problem(), (412, "changed".to_owned()));
    operator.send(&path, &[("If-Match", did.header("etag"))], &Value::Null).expect(204);
}

#[test]
fn a_request_that_is_repeated_is_done_once() {
    for store in Store::each() {
        let (node, operator) = on(&store);
        is_done_once_though_repeated(&node, &operator);
    }
}

#[track_caller]
fn is_done_once_though_repeated(node: &Node, operator: &Client) {
    let customer = |name: &str| json!({"company_name": name});
    let key = [("Idempotency-Key", "order-66")];
    let first = operator.send("POST /v1/customers", &key, &customer("Once")).expect(201);
    let again = operator.send("POST /v1/customers", &key, &customer("Once")).expect(201);
    assert_eq!(again.body, first.body);
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    let other = operator.send("POST /v1/customers", &key, &customer("Otherwise"));
    assert_eq!(other.problem(), (409, "idempotency_conflict".to_owned()));
    assert_eq!((named(operator, "Once"), named(operator, "Otherwise")), (1, 0));

    // A key is its principal's.
    let body = json!({"name": "crm", "permissions": ["customers:manage", "customers:read"]});
    let shown = operator.send("POST /v1/api-keys", &[("Idempotency-Key", "key-1")], &body).expect(201);
    let program = Client::with(node, &text(&shown.json(), "key"));
    program.send("POST /v1/customers", &key, &customer("Otherwise")).expect(201);
    assert_eq!(named(operator, "Otherwise"), 1);
    let repeated = operator.send("POST /v1/api-keys", &[("Idempotency-Key", "key-1")], &body).expect(201);
    assert_eq!(repeated.json()["id"], shown.json()["id"]);
    assert!(repeated.json().get("key").is_none(), "what is shown once is shown twice: {}", repeated.body);

    let long = "k".repeat(101);
    let refused = operator.send("POST /v1/customers", &[("Idempotency-Key", &long)], &customer("Never"));
    assert_eq!(refused.problem(), (400, "bad_request".to_owned()));
}

#[test]
fn a_request_that_comes_several_times_at_once_is_done_once() {
    for store in Store::each() {
        let (_node, operator) = on(&store);
        is_done_once_though_at_once(&operator);
    }
}

#[track_caller]
fn is_done_once_though_at_once(operator: &Client) {
    let ask = || {
        let body = json!({"company_name": "Racing"});
        operator.send("POST /v1/customers", &[("Idempotency-Key", "race")], &body)
    };
    let answers = thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty(), "{answers:?}");
    assert!(made.iter().all(|answer| answer.body == made[0].body), "{made:?}");
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.problem(), (409, "idempotency_conflict".to_owned()));
    }
    assert_eq!(named(operator, "Racing"), 1);
}

#[test]
fn requests_that_cannot_be_meant_are_told_why() {
    let (node, operator) = node("body_octets_max = 2048\n");
    let stranger = Client::stranger(&node);
    let none: [(&str, &str); 0] = [];
    let json = [("Content-Type", "application/json")];
    let plain = [("Content-Type", "text/plain")];
    let long = json!({"company_name": "x".repeat(3000)}).to_string();
    for (line, headers, body, status, code) in [
        ("DELETE /v1/customers", &none[..], "", 405, "method_not_allowed"),
        ("POST /v1/customers", &json[..], long.as_str(), 413, "body_too_large"),
        ("POST /v1/customers", &plain[..], "{\"company_name\":\"x\"}", 415, "unsupported_media_type"),
        ("POST /v1/customers", &none[..], "{\"company_name\":\"x\"}", 415, "unsupported_media_type"),
        ("POST /v1/customers", &json[..], "{\"company_name\":", 400, "bad_request"),
        ("POST /v1/customers", &json[..], "{\"company_name\":\"x\"} {}", 400, "bad_request"),
        ("POST /v1/customers", &json[..], "", 400, "bad_request"),
        ("POST /v1/customers", &json[..], "{\"company_name\":\"x\",\"id\":1}", 422, "invalid"),
        ("POST /v1/customers", &json[..], "{\"company_name\":\"\"}", 422, "invalid"),
        ("GET /v1/customers?sarch=acme", &none[..], "", 400, "bad_request"),
        ("GET /v1/customers?limit=0", &none[..], "", 400, "bad_request"),
        ("GET /v1/customers/nobody", &none[..], "", 404, "unknown_customer"),
        ("GET /v1/nothing", &none[..], "", 404, "not_found"),
    ] {
        let answer = operator.raw(line, headers, body);
        assert_eq!(answer.problem(), (status, code.to_owned()), "{line}: {}", answer.body);
        assert_eq!(answer.json()["instance"], answer.header("x-request-id"), "{line}");
    }
    operator
        .raw("POST /v1/customers", &[("Content-Type", "application/json; charset=utf-8")], "{")
        .expect(400);
    let refused = operator.ask("DELETE /v1/customers", &Value::Null);
    let mut allowed: Vec<&str> = refused.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let refused = stranger.send("GET /v1/customers", &[("X-Request-Id", "of-mine")], &Value::Null);
    assert_eq!(refused.problem(), (401, "unauthorized".to_owned()));
    assert_eq!((refused.header("www-authenticate"), refused.header("x-request-id")), ("Bearer", "of-mine"));
}

#[test]
fn head_is_get_without_its_body() {
    let (_node, operator) = node("");
    let made = operator.make("/v1/customers", &json!({"company_name": "Acme"}));
    let path = format!("/v1/customers/{}", text(&made, "id"));
    for path in [path.as_str(), "/v1/customers", "/health", "/openapi.json"] {
        let full = operator.ask(&format!("GET {path}"), &Value::Null).expect(200);
        let head = operator.ask(&format!("HEAD {path}"), &Value::Null).expect(200);
        assert_eq!(head.body, "", "{path}");
        for header in ["etag", "content-type", "cache-control"] {
            assert_eq!(head.header(header), full.header(header), "{header} of {path}");
        }
    }
    operator.ask("HEAD /v1/customers/nobody", &Value::Null).expect(404);
}
