//! What strangers can take of a node: lookups, writes, lines of its log.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use warp::http::Request;

use crate::auth::key::{ApiKey, RefreshToken};
use crate::server::Peer;
use crate::table::Surface;
use crate::testing::{Answer, Lab, PASSWORD, TOKEN};

const ONE: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.2";

/// Sends a request from an address.
async fn send(lab: &Lab, from: &str, request: warp::http::request::Builder, body: String) -> Answer {
    let mut request: Request<Full<Bytes>> =
        request.header("x-request-id", "of-a-test").body(Full::new(Bytes::from(body))).unwrap();
    request.extensions_mut().insert(Peer(SocketAddr::new(from.parse().unwrap(), 1)));
    lab.send(Surface::Api, request).await
}

async fn get(lab: &Lab, from: &str, token: &str) -> Answer {
    let request = Request::get("/v1/customers").header("authorization", format!("Bearer {token}"));
    send(lab, from, request, String::new()).await
}

async fn post(lab: &Lab, from: &str, path: &str, body: Value) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    send(lab, from, request, body.to_string()).await
}

async fn refresh(lab: &Lab, from: &str, token: &str) -> Answer {
    post(lab, from, "/auth/refresh", json!({"refresh_token": token})).await
}

fn unknown_key() -> String {
    ApiKey::generate().expose().to_owned()
}

#[tokio::test]
async fn tokens_that_are_none_are_looked_up_only_so_often() {
    let lab = Lab::new().await;
    let key = lab.key(None, &["customers:read"]).await;
    let failures = &lab.api.limits.failures;
    let [one, other] = [ONE, OTHER].map(|address| address.parse::<IpAddr>().ok());
    let before = Instant::now();
    assert_eq!(get(&lab, ONE, &key).await.status, 200);
    assert_eq!(failures.owed(one, before), Duration::ZERO, "who succeeds owes nothing");
    assert_eq!(get(&lab, ONE, &unknown_key()).await.status, 401);
    assert!(failures.owed(one, before) > Duration::ZERO);
    assert_eq!(get(&lab, OTHER, "no token at all").await.status, 401);
    assert_eq!(failures.owed(other, before), Duration::ZERO, "nothing was looked up");

    // Far more than is paid off while this test runs.
    failures.count(one, Instant::now() + Duration::from_secs(3600));
    let refused = get(&lab, ONE, &unknown_key()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{}", refused.body);
    assert_eq!(refused.json()["code"], "too_many_requests");
    assert_eq!(refresh(&lab, ONE, RefreshToken::generate().expose()).await.status, 401, "counted apart");
    assert_eq!(get(&lab, ONE, "no token at all").await.status, 401);
    // A user who has just logged in is no stranger, whoever is at his address.
    let (user, session) = lab.user("jo@example.net", "admin").await;
    let (access, _) = lab.api.tokens.issue(user, session, lab.api.clock.now()).unwrap();
    assert_eq!(get(&lab, ONE, &access).await.status, 200);
    assert_eq!(get(&lab, OTHER, &unknown_key()).await.status, 401);

    // Whose tokens are good notices nothing of a neighbour's, even when all tokens are looked up again.
    for _ in 0..2 {
        assert_eq!(get(&lab, ONE, &key).await.status, 200);
        assert_eq!(get(&lab, ONE, TOKEN).await.status, 200);
        lab.api.gate.forget();
    }
}

#[tokio::test]
async fn refresh_tokens_of_strangers_take_no_write() {
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let login = json!({"email": "maria@example.net", "password": PASSWORD});
    let first = post(&lab, ONE, "/auth/login", login).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let first = first.json()["refresh_token"].as_str().unwrap().to_owned();

    // Whoever writes waits for this.
    let held = lab.api.store.begin().await.unwrap();
    for _ in 0..5 {
        let refused = refresh(&lab, ONE, RefreshToken::generate().expose()).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
    let refused = refresh(&lab, ONE, RefreshToken::generate().expose()).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_ne!(refused.header("retry-after"), "");
    drop(held);

    // One that is good is exchanged all the same, and ends its session when it comes again.
    let second = refresh(&lab, ONE, &first).await;
    assert_eq!(second.status, 200, "{}", second.body);
    let [access, second] =
        ["access_token", "refresh_token"].map(|name| second.json()[name].as_str().unwrap().to_owned());
    let validate = ("GET", "/auth/validate");
    assert_eq!(lab.ask(&access, validate, None).await.status, 200);
    assert_eq!(refresh(&lab, ONE, &first).await.status, 401);
    assert_eq!(lab.ask(&access, validate, None).await.status, 401);
    assert_eq!(refresh(&lab, OTHER, &second).await.status, 401);
}

/// The lines of this crate's log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "access" || metadata.target().starts_with("api")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = format!("{} {}", metadata.level(), metadata.target());
        let mut add =
            |field: &Field, value: &dyn fmt::Debug| write!(line, " {}={value:?}", field.name()).unwrap();
        event.record(&mut add);
        self.0.lock().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Lines {
    /// The one line with all of these.
    #[track_caller]
    fn one(&self, parts: &[&str]) -> String {
        let lines = self.0.lock();
        let found: Vec<&String> =
            lines.iter().filter(|line| parts.iter().all(|part| line.contains(*part))).collect();
        assert_eq!(found.len(), 1, "{parts:?} in {lines:#?}");
        found[0].clone()
    }
}

#[tokio::test]
async fn who_asked_and_whose_login_was_refused_is_logged() {
    const WRONG: &str = "no password of Maria's";
    let lab = Lab::new().await;
    lab.user("maria@example.net", "admin").await;
    let key = lab.key(None, &["customers:read"]).await;
    let (stranger, token) = (unknown_key(), RefreshToken::generate());
    let lines = Lines::default();
    let _logged = tracing::subscriber::set_default(lines.clone());
    for _ in 0..2 {
        lines.0.lock().clear();
        get(&lab, ONE, &key).await;
        get(&lab, ONE, &stranger).await;
        for email in ["Maria@example.net", "nobody@example.net"] {
            post(&lab, ONE, "/auth/login", json!({"email": email, "password": WRONG})).await;
        }
        refresh(&lab, ONE, token.expose()).await;
        // Tests beside this one log to nobody, and may have been the first to come to a line.
        tracing::callsite::rebuild_interest_cache();
    }

    let prefix = ApiKey::parse(&key).unwrap().prefix().to_owned();
    let asked = ["DEBUG access", "method=\"GET\"", "route=\"/v1/customers\"", "id=\"of-a-test\""];
    let line = lines.one(&[&asked[..], &["status=200", "address=192.0.2.1"][..]].concat());
    assert!(line.contains(&format!("principal=\"key:{prefix}\"")), "{line}");
    let line = lines.one(&[&asked[..], &["status=401"][..]].concat());
    assert!(!line.contains("principal"), "{line}");

    let refused = ["INFO api::auth::login", "id=\"of-a-test\"", "address=192.0.2.1"];
    let login = [&refused[..], &["a login was refused", "by=\"password\""][..]].concat();
    lines.one(&[&login[..], &["user=\"maria@example.net\""][..]].concat());
    lines.one(&[&refused[..], &["a refresh token was refused"][..]].concat());
    let all = lines.0.lock().join("\n");
    assert_eq!(all.matches("a login was refused").count(), 2, "{all}");
    for secret in [WRONG, "nobody@example.net", &key, &stranger, token.expose()] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}
