//! Logins by Google: an issuer of our own on the loopback interface publishes its keys over HTTP, as Google
//! does, signs ID tokens, changes its key, and goes away.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::super::process::{Node, Setup};
use super::super::wait;
use super::client::{Answer, Client, PASSWORD, text};

/// The name of the issuer in its tokens; where its keys are says the configuration.
const ISSUER: &str = "https://issuer.example";
const CLIENT: &str = "1234.apps.googleusercontent.com";
const MARIA: &str = "maria@example.net";
/// A node asks an issuer at most so often.
const FLOOR: Duration = Duration::from_secs(60);
/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);

const FIRST: Key = Key { kid: "first", pem: include_str!("fixtures/test-only-rsa-first.pem") };
const SECOND: Key = Key { kid: "second", pem: include_str!("fixtures/test-only-rsa-second.pem") };

/// A key of the issuer.
#[derive(Clone, Copy)]
struct Key {
    kid: &'static str,
    pem: &'static str,
}

impl Key {
    fn pair(self) -> RsaKeyPair {
        let text: String = self.pem.lines().filter(|line| !line.starts_with(['-', '#'])).collect();
        RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
    }

    /// As it is published (RFC 7517).
    fn jwk(self) -> Value {
        let pair = self.pair();
        let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
        let [n, e] = [public.n, public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": n, "e": e})
    }

    fn header(self) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.kid})
    }

    /// An ID token with these claims.
    fn token(self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    fn sign(self, header: &Value, claims: &Value) -> String {
        let (message, pair) = (message(header, claims), self.pair());
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// HS256 whose secret is what everybody knows of the key.
    fn confused(self, secret: &[u8]) -> String {
        let message = message(&with(self.header(), "alg", json!("HS256")), &claims());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "azp": CLIENT, "aud": CLIENT, "sub": "110169484474386276334",
        "email": "Maria@example.net", "email_verified": true, "name": "Maria Silva",
        "iat": now(), "exp": now() + 3600})
}

fn with(mut value: Value, member: &str, to: Value) -> Value {
    value[member] = to;
    value
}

/// Publishes keys until it is stopped.
struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

struct Shared {
    keys: Mutex<Vec<Key>>,
    asked: AtomicUsize,
    stopped: AtomicBool,
}

impl Issuer {
    fn start(keys: &[Key]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            keys: Mutex::new(keys.to_vec()),
            asked: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        let serving = std::thread::spawn(move || served.serve(&listener));
        Self { address, shared, serving: Some(serving) }
    }

    fn publish(&self, keys: &[Key]) {
        *self.shared.keys.lock() = keys.to_vec();
    }

    /// How often its keys were asked for.
    fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Nobody listens there any more.
    fn stop(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes it.
        let _ = TcpStream::connect(self.address);
        serving.join().unwrap();
        assert!(TcpStream::connect(self.address).is_err(), "the issuer is gone");
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            // Who asked may have gone.
            let _ = self.answer(stream);
        }
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(SOON))?;
        let mut request = Vec::new();
        let mut octet = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut octet)?;
            request.extend(octet);
        }
        assert!(request.starts_with(b"GET /certs HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
        self.asked.fetch_add(1, Ordering::SeqCst);
        let keys: Vec<Value> = self.keys.lock().iter().map(|key| key.jwk()).collect();
        let body = json!({"keys": keys}).to_string();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: public, max-age=19845\r\n";
        let length = body.len();
        stream.write_all(
            format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}").as_bytes(),
        )
    }
}

/// A node that lets in whom this issuer knows, and on which Maria is invited.
fn node(issuer: &Issuer) -> Node {
    let sections = format!(
        "[auth]\ngoogle_client_ids = [{CLIENT:?}]\ngoogle_issuers = [{ISSUER:?}]\n\
         google_jwks_url = \"http://{}/certs\"\n",
        issuer.address
    );
    // What `exchange` says of its address is believed.
    let api = "trusted_proxies = [\"127.0.0.1/32\"]".to_owned();
    let node = Node::new(&Setup { sections, api, ..Setup::default() });
    invite(&node);
    node
}

/// Maria becomes a user by the secret of her mail.
#[track_caller]
fn invite(node: &Node) {
    let invitation = json!({"email": MARIA, "user_type": "admin"});
    Client::bootstrap(node).make("/v1/invitations", &invitation);
    let folder = node.place().data().join("mail");
    let mail = wait::until("the mail is written", SOON, || {
        let mut files = fs::read_dir(&folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
        fs::read_to_string(files.find(|path| path.extension() == Some("eml".as_ref()))?).ok()
    });
    let secret = mail.split("/invitation#").nth(1).unwrap().split_whitespace().next().unwrap();
    let acceptance = json!({"token": secret, "name": "Maria Silva", "password": PASSWORD});
    Client::stranger(node).ask("POST /auth/invitations/accept", &acceptance).expect(201);
}

/// A login from an address of its own, since one has few logins a minute. Gives the name of the request too.
#[track_caller]
fn exchange(node: &Node, token: &str) -> (String, Answer) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let (address, id) = (Ipv4Addr::from_bits(0xc633_6400 + n).to_string(), format!("login-{n}."));
    let headers = [("X-Forwarded-For", address.as_str()), ("X-Request-Id", id.as_str())];
    let body = json!({"id_token": token});
    let answer = Client::stranger(node).send("POST /auth/exchange", &headers, &body);
    (id, answer)
}

#[track_caller]
fn logs_in(node: &Node, token: &str) -> Value {
    exchange(node, token).1.expect(200).json()
}

/// Every login that is refused looks the same; the log says why.
#[track_caller]
fn is_refused(node: &Node, name: &str, token: &str, reason: &str) {
    let (id, answer) = exchange(node, token);
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{name}: {}", answer.body);
    assert_eq!(answer.json()["detail"], "the login is not valid", "{name}");
    if !reason.is_empty() {
        wait::until(&format!("the log says {reason:?} of {name}"), SOON, || {
            node.place().log().lines().any(|line| line.contains(&id) && line.contains(reason)).then_some(())
        });
    }
}

#[test]
fn who_was_invited_logs_in_by_google_and_goes_on_by_tokens_of_ours() {
    let issuer = Issuer::start(&[FIRST]);
    let node = node(&issuer);
    let tokens = logs_in(&node, &FIRST.token(&claims()));
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let header = URL_SAFE_NO_PAD.decode(access.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let published = Client::stranger(&node).get("/.well-known/jwks.json");
    assert_eq!((&header["alg"], &header["kid"]), (&json!("EdDSA"), &published["keys"][0]["kid"]));
    let who = Client::with(&node, &access).get("/auth/validate");
    assert_eq!((&who["name"], &who["user_type"]), (&json!(format!("user:{MARIA}")), &json!("admin")));

    let refreshed = Client::stranger(&node).ask("POST /auth/refresh", &json!({"refresh_token": refresh}));
    let refreshed = refreshed.expect(200).json();
    assert_ne!(text(&refreshed, "refresh_token"), refresh);
    let again = Client::with(&node, &text(&refreshed, "access_token")).get("/auth/validate");
    assert_eq!(again, who);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn tokens_that_are_not_for_us_or_not_of_the_issuer_are_refused() {
    let issuer = Issuer::start(&[FIRST]);
    let node = node(&issuer);
    logs_in(&node, &FIRST.token(&claims()));
    let changed = |member: &str, to: Value| FIRST.token(&with(claims(), member, to));
    let header = |member: &str, to: Value| with(FIRST.header(), member, to);
    let past = with(with(claims(), "iat", json!(now() - 7200)), "exp", json!(now() - 3600));
    let john = with(with(claims(), "sub", json!("2")), "email", json!("john@example.net"));
    let (public, jwk) = (FIRST.pair().public().as_ref().to_vec(), FIRST.jwk());
    for (name, token, reason) in [
        (
            "another audience",
            changed("aud", json!("5678.apps.googleusercontent.com")),
            "for another audience",
        ),
        ("another issuer", changed("iss", json!("https://accounts.google.com")), "of another issuer"),
        ("expired", FIRST.token(&past), "has expired"),
        ("not yet", changed("iat", json!(now() + 3600)), "not valid yet"),
        ("unverified address", changed("email_verified", json!(false)), "is not verified"),
        ("verified by text", changed("email_verified", json!("true")), "is malformed"),
        ("none", format!("{}.", message(&header("alg", json!("none")), &claims())), "is malformed"),
        ("HS256 by the public key", FIRST.confused(&public), "of another kind"),
        ("HS256 by the modulus", FIRST.confused(text(&jwk, "n").as_bytes()), "of another kind"),
        ("unknown kid", FIRST.sign(&header("kid", json!("third")), &claims()), "key is not known"),
        ("another's key", SECOND.sign(&FIRST.header(), &claims()), "signature is wrong"),
        ("no signature", format!("{}.", message(&FIRST.header(), &claims())), "signature is wrong"),
        ("no token", "nonsense".to_owned(), "is malformed"),
        // The token is good, its holder nobody here.
        ("not invited", FIRST.token(&john), ""),
        // An address may pass to another person, an account may not.
        ("another account of her address", changed("sub", json!("2")), ""),
    ] {
        is_refused(&node, name, &token, reason);
    }
    logs_in(&node, &FIRST.token(&claims()));
}

/// Two issuers, since a node asks again only after a minute: the wait is one.
#[test]
fn a_new_key_of_the_issuer_is_taken_and_known_ones_outlive_it() {
    let (rotating, mut lost) = (Issuer::start(&[FIRST]), Issuer::start(&[FIRST]));
    let [one, other] = [&rotating, &lost].map(node);
    let [by_first, by_second] = [FIRST, SECOND].map(|key| key.token(&claims()));
    for node in [&one, &other] {
        logs_in(node, &by_first);
    }
    let asked = Instant::now();
    rotating.publish(&[FIRST, SECOND]);
    lost.stop();
    for node in [&one, &other] {
        is_refused(node, "nobody asks again so soon", &by_second, "key is not known");
        logs_in(node, &by_first);
    }
    assert_eq!(rotating.asked(), 1);

    wait::pause((FLOOR + Duration::from_secs(1)).saturating_sub(asked.elapsed()));
    logs_in(&one, &by_second);
    assert_eq!(rotating.asked(), 2);
    is_refused(&other, "the issuer is gone", &by_second, "key is not known");
    wait::until("the log says that the issuer is gone", SOON, || {
        other.place().log().contains("key set of the issuer not fetched").then_some(())
    });
    for (node, token) in [(&one, &by_first), (&one, &by_second), (&other, &by_first)] {
        logs_in(node, token);
    }
}
