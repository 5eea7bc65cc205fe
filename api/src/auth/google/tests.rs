use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use runtime::http_client::AddressPolicy;
use runtime::net::{Listener, Net as _, OsNet};
use runtime::tls::ClientTls;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, advance};

use super::keys::{AGE_MAX, AGE_MIN, DOCUMENT_OCTETS_MAX, FETCH_TIME, FLOOR};
use super::*;

const CLIENT: &str = "1234.apps.googleusercontent.com";
const NOW: i64 = 1_800_000_000;
const KID: &str = "k1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn rsa() -> RsaKeyPair {
    let pem = include_str!("../fixtures/test-only-rsa-2048.pem");
    let text: String = pem.lines().filter(|line| !line.starts_with(['-', '#'])).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

fn components() -> (String, String) {
    let key = rsa();
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
    (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e))
}

fn jwk(kid: &str) -> Value {
    let (n, e) = components();
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n, "e": e })
}

fn document(keys: &[Value], max_age: Option<u64>) -> Result<Document, String> {
    let body = Bytes::from(json!({ "keys": keys }).to_string());
    Ok(Document { body, max_age: max_age.map(Duration::from_secs) })
}

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": KID })
}

fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com",
        "azp": CLIENT,
        "aud": CLIENT,
        "sub": "110169484474386276334",
        "hd": "example.com",
        "email": "Ada@example.com",
        "email_verified": true,
        "name": "Ada Lovelace",
        "iat": NOW,
        "exp": NOW + 3600,
    })
}

fn with(mut value: Value, member: &str, to: Value) -> Value {
    value[member] = to;
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member);
    value
}

fn message(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn signed_as(padding: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = rsa();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_as(&RSA_PKCS1_SHA256, header, claims)
}

/// An issuer in memory: answers in their order, then the last again.
struct Issuer {
    answers: Mutex<VecDeque<Answer>>,
    fetches: AtomicUsize,
}

type Answer = Box<dyn Fn() -> Result<Document, String> + Send>;

impl Issuer {
    fn of(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), fetches: AtomicUsize::new(0) })
    }

    fn of_keys(kids: &'static [&'static str]) -> Arc<Self> {
        Self::of([keys(kids, Some(3600))])
    }

    /// How it is asked; each answer takes a second.
    fn fetch(self: &Arc<Self>) -> Fetch {
        let issuer = Arc::clone(self);
        Box::new(move || {
            let issuer = Arc::clone(&issuer);
            Box::pin(async move {
                issuer.fetches.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                let mut answers = issuer.answers.lock();
                let answer = answers.front().unwrap()();
                if answers.len() > 1 {
                    answers.pop_front();
                }
                answer
            })
        })
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

fn keys(kids: &'static [&'static str], max_age: Option<u64>) -> Answer {
    Box::new(move || document(&kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>(), max_age))
}

fn down() -> Answer {
    Box::new(|| Err("connection refused".to_owned()))
}

fn options() -> GoogleOptions {
    GoogleOptions {
        client_ids: vec!["other".to_owned(), CLIENT.to_owned()],
        hosted_domains: vec!["Example.com".to_owned()],
        ..GoogleOptions::default()
    }
}

fn google(issuer: &Arc<Issuer>) -> Google {
    Google::new(options(), issuer.fetch()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_account_is_known() {
    let issuer = Issuer::of_keys(&[KID]);
    let google = google(&issuer);
    let identity = google.verify(&signed(&header(), &claims()), at(NOW)).await.unwrap();
    let expected = Identity {
        subject: "110169484474386276334".to_owned(),
        email: "ada@example.com".to_owned(),
        name: Some("Ada Lovelace".to_owned()),
    };
    assert_eq!(identity, expected);
    for claims in [with(claims(), "iss", json!("accounts.google.com")), with(claims(), "aud", json!("other"))]
    {
        google.verify(&signed(&header(), &claims), at(NOW)).await.unwrap();
    }
    for (name, kept) in
        [(json!("  \u{7}\r\n "), None), (json!("x".repeat(300)), Some("x".repeat(200))), (Value::Null, None)]
    {
        let token = signed(&header(), &with(claims(), "name", name));
        assert_eq!(google.verify(&token, at(NOW)).await.unwrap().name, kept);
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn claims_decide() {
    let google = google(&Issuer::of_keys(&[KID]));
    for (name, claims, error) in [
        ("issuer", with(claims(), "iss", json!("https://accounts.google.com.evil.example")), "issuer"),
        ("no issuer", without(claims(), "iss"), "malformed"),
        ("audience", with(claims(), "aud", json!("5678.apps.googleusercontent.com")), "audience"),
        ("audiences", with(claims(), "aud", json!([CLIENT])), "malformed"),
        ("no audience", without(claims(), "aud"), "malformed"),
        ("no subject", without(claims(), "sub"), "malformed"),
        ("empty subject", with(claims(), "sub", json!("")), "malformed"),
        ("long subject", with(claims(), "sub", json!("1".repeat(256))), "malformed"),
        ("no expiry", without(claims(), "exp"), "malformed"),
        ("no issue time", without(claims(), "iat"), "malformed"),
        ("expired", with(claims(), "exp", json!(NOW - 60)), "expired"),
        ("early", with(claims(), "iat", json!(NOW + 61)), "not valid yet"),
        ("unverified", with(claims(), "email_verified", json!(false)), "not verified"),
        ("verified by text", with(claims(), "email_verified", json!("true")), "malformed"),
        ("not said", without(claims(), "email_verified"), "not verified"),
        ("no address", without(claims(), "email"), "not verified"),
        ("half an address", with(claims(), "email", json!("@example.com")), "malformed"),
        ("two lines", with(claims(), "email", json!("a@example.com\r\nbcc: b@c")), "malformed"),
        ("long address", with(claims(), "email", json!(format!("{}@b.c", "a".repeat(254)))), "malformed"),
        ("no domain", without(claims(), "hd"), "no domain"),
        ("another domain", with(claims(), "hd", json!("evil.example")), "no domain"),
        ("below the domain", with(claims(), "hd", json!("x.example.com")), "no domain"),
    ] {
        let refused = google.verify(&signed(&header(), &claims), at(NOW)).await.unwrap_err().to_string();
        assert!(refused.contains(error), "{name}: {refused}");
    }
    let open = GoogleOptions { hosted_domains: Vec::new(), ..options() };
    let open = Google::new(open, Issuer::of_keys(&[KID]).fetch()).unwrap();
    open.verify(&signed(&header(), &without(claims(), "hd")), at(NOW)).await.unwrap();
    let nobody = GoogleOptions { client_ids: Vec::new(), ..options() };
    assert!(matches!(Google::new(nobody, Issuer::of_keys(&[]).fetch()), Err(Error::NotConfigured)));
}

#[tokio::test(start_paused = true)]
async fn signatures_decide() {
    let google = google(&Issuer::of_keys(&[KID, "k2"]));
    let good = signed(&header(), &claims());
    google.verify(&good, at(NOW)).await.unwrap();
    let (n, _) = components();
    let mut refused = vec![
        ("none", format!("{}.", message(&with(header(), "alg", json!("none")), &claims()))),
        ("EdDSA", signed(&with(header(), "alg", json!("EdDSA")), &claims())),
        ("RS512", signed_as(&RSA_PKCS1_SHA512, &with(header(), "alg", json!("RS512")), &claims())),
        ("PS256", signed_as(&RSA_PSS_SHA256, &with(header(), "alg", json!("PS256")), &claims())),
        ("another padding", signed_as(&RSA_PSS_SHA256, &header(), &claims())),
        ("another digest", signed_as(&RSA_PKCS1_SHA512, &header(), &claims())),
        ("no kid", signed(&without(header(), "kid"), &claims())),
        ("unknown kid", signed(&with(header(), "kid", json!("../k1")), &claims())),
        ("crit", signed(&with(header(), "crit", json!(["b64"])), &claims())),
        ("another type", signed(&with(header(), "typ", json!("secevent+jwt")), &claims())),
        ("long", signed(&header(), &with(claims(), "more", json!("x".repeat(jwt::TOKEN_OCTETS_MAX))))),
        ("no token", String::new()),
    ];
    let confused = message(&with(header(), "alg", json!("HS256")), &claims());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, n.as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, confused.as_bytes()));
    refused.push(("HS256 by the public key", format!("{confused}.{tag}")));
    for (name, token) in refused {
        assert!(matches!(google.verify(&token, at(NOW)).await, Err(Error::Token(_))), "{name}");
    }
    for place in (0..good.len()).step_by(7) {
        let mut octets = good.clone().into_bytes();
        octets[place] = if octets[place] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(octets).unwrap();
        assert!(google.verify(&token, at(NOW)).await.is_err(), "octet {place}");
        assert!(google.verify(good.get(..place).unwrap(), at(NOW)).await.is_err(), "cut at {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_fetch_serves_all_who_wait() {
    let issuer = Issuer::of_keys(&[KID]);
    let google = google(&issuer);
    let token = signed(&header(), &claims());
    let outcomes = join_all((0..50).map(|_| google.verify(&token, at(NOW)))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
    // Nor do invented names cost more than one fetch a minute.
    let invented = signed(&with(header(), "kid", json!("invented")), &claims());
    advance(FLOOR).await;
    for _ in 0..3 {
        let outcomes = join_all((0..20).map(|_| google.verify(&invented, at(NOW)))).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(Error::Token(jwt::Error::UnknownKey)))));
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_when_it_is_named() {
    let issuer =
        Issuer::of([keys(&["old"], Some(86_400)), keys(&[KID, "old"], Some(86_400)), keys(&[KID], None)]);
    let google = google(&issuer);
    let [old, new] = ["old", KID].map(|kid| signed(&with(header(), "kid", json!(kid)), &claims()));
    google.verify(&old, at(NOW)).await.unwrap();
    assert!(google.verify(&new, at(NOW)).await.is_err(), "within the floor");
    advance(FLOOR).await;
    google.verify(&new, at(NOW)).await.unwrap();
    google.verify(&old, at(NOW)).await.unwrap();
    assert_eq!(issuer.fetches(), 2);
    // A withdrawn key is gone with the set that held it.
    advance(AGE_MAX).await;
    assert!(google.verify(&old, at(NOW)).await.is_err());
    google.verify(&new, at(NOW)).await.unwrap();
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_kept_within_bounds() {
    for (max_age, kept) in [
        (None, AGE_MIN),
        (Some(0), AGE_MIN),
        (Some(3600), Duration::from_secs(3600)),
        (Some(u64::MAX), AGE_MAX),
    ] {
        let issuer = Issuer::of([keys(&[KID], max_age)]);
        let google = google(&issuer);
        let token = signed(&header(), &claims());
        for (later, fetches) in
            [(Duration::ZERO, 1), (kept - Duration::from_secs(2), 1), (Duration::from_secs(3), 2)]
        {
            advance(later).await;
            google.verify(&token, at(NOW)).await.unwrap();
            assert_eq!(issuer.fetches(), fetches, "{max_age:?} {later:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_set_stays() {
    let broken: Vec<Answer> = vec![
        down(),
        Box::new(|| Ok(Document { body: Bytes::from_static(b"<html>"), max_age: None })),
        Box::new(|| document(&[], Some(3600))),
        Box::new(|| document(&[json!({ "kty": "EC", "kid": KID }), json!(7)], Some(3600))),
        Box::new(|| {
            document(&[with(jwk(KID), "use", json!("enc")), with(jwk(KID), "alg", json!("RS512"))], None)
        }),
        Box::new(|| document(&[with(jwk(KID), "n", json!("not base64url!"))], None)),
        Box::new(|| {
            let body = format!("{}{}", " ".repeat(DOCUMENT_OCTETS_MAX), json!({ "keys": [jwk("k2")] }));
            Ok(Document { body: Bytes::from(body), max_age: None })
        }),
        Box::new(|| panic!("a fault of ours")),
    ];
    let faults = broken.len();
    let answers = std::iter::once(keys(&[KID], Some(300))).chain(broken).chain([keys(&["k2"], Some(300))]);
    let issuer = Issuer::of(answers);
    let google = google(&issuer);
    let token = signed(&header(), &claims());
    google.verify(&token, at(NOW)).await.unwrap();
    for fault in 0..faults - 1 {
        advance(AGE_MIN).await;
        google.verify(&token, at(NOW)).await.unwrap();
        assert_eq!(issuer.fetches(), fault + 2);
    }
    // Within the floor nobody waits.
    let start = Instant::now();
    google.verify(&token, at(NOW)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    // A fetch that panics ends as well; the mutex of this issuer does not poison.
    advance(FLOOR).await;
    google.verify(&token, at(NOW)).await.unwrap();
    issuer.answers.lock().pop_front();
    advance(FLOOR).await;
    assert!(google.verify(&token, at(NOW)).await.is_err(), "the issuer is back and has withdrawn it");
}

#[tokio::test(start_paused = true)]
async fn without_any_set_the_reason_is_told() {
    let issuer = Issuer::of([down(), keys(&[KID], None)]);
    let google = google(&issuer);
    let token = signed(&header(), &claims());
    for _ in 0..2 {
        let refused = google.verify(&token, at(NOW)).await.unwrap_err();
        assert!(matches!(&refused, Error::Keys(reason) if reason == "connection refused"), "{refused}");
    }
    advance(FLOOR).await;
    google.verify(&token, at(NOW)).await.unwrap();
    assert_eq!(issuer.fetches(), 2);

    let silent = Google::new(options(), Box::new(|| Box::pin(futures_util::future::pending()))).unwrap();
    let start = Instant::now();
    assert!(matches!(silent.verify(&token, at(NOW)).await, Err(Error::Keys(_))));
    assert_eq!(start.elapsed().as_secs(), FETCH_TIME.as_secs());
}

/// Who hangs up does not take the fetch along, nor uses up its minute.
#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_ends_nothing() {
    let issuer = Issuer::of_keys(&[KID]);
    let google = google(&issuer);
    let token = signed(&header(), &claims());
    let gone = tokio::time::timeout(Duration::from_millis(10), google.verify(&token, at(NOW))).await;
    assert!(gone.is_err());
    google.verify(&token, at(NOW)).await.unwrap();
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn lifetimes_of_cache_control() {
    for (control, seconds) in [
        ("public, max-age=19845, must-revalidate, no-transform", Some(19_845)),
        ("Max-Age = \"60\"", Some(60)),
        ("s-maxage=60", None),
        ("no-store", None),
        ("max-age=-1", None),
        ("max-age=99999999999999999999999", None),
        ("", None),
    ] {
        assert_eq!(max_age(control), seconds.map(Duration::from_secs), "{control}");
    }
}

/// By way of a socket: what is fetched, what is not taken for a key set.
#[tokio::test]
async fn a_set_is_fetched_over_http() {
    let listener = OsNet.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let set = json!({ "keys": [jwk(KID)] }).to_string();
    let answers = [
        ("500 Internal Server Error", String::new()),
        ("302 Found", set.clone()),
        ("200 OK", " ".repeat(DOCUMENT_OCTETS_MAX + 1)),
        ("200 OK", set),
    ];
    let reasons = ["answers 500", "answers 302", "answers with too much"];
    tokio::spawn(answer(listener, answers.to_vec()));
    let client = HttpClient::new(ClientTls::new(None).unwrap(), AddressPolicy::Any);
    let options = GoogleOptions { jwks_url: format!("http://{address}/certs"), ..options() };
    let token = signed(&header(), &claims());
    for reason in reasons {
        let google = Google::over_https(options.clone(), client.clone()).unwrap();
        let refused = google.verify(&token, at(NOW)).await.unwrap_err();
        assert!(matches!(&refused, Error::Keys(why) if why.contains(reason)), "{refused}");
    }
    let google = Google::over_https(options, client).unwrap();
    google.verify(&token, at(NOW)).await.unwrap();
}

async fn answer(mut listener: Box<dyn Listener>, answers: Vec<(&'static str, String)>) {
    for (status, body) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        assert!(request.starts_with(b"GET /certs HTTP/1.1\r\n"));
        let head = format!("HTTP/1.1 {status}\r\ncache-control: public, max-age=600\r\ncontent-length: ");
        // The reader closes when it has had enough.
        let _ = stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }
}
