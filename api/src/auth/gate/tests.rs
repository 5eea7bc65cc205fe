use std::sync::atomic::AtomicI64;

use runtime::clock::Clock;
use uuid::Uuid;

use super::super::jwt::LEEWAY;
use super::*;
use crate::testing::Lab;

/// Moved by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A gate over a node's database, and its clock.
struct Bench {
    lab: Lab,
    gate: Gate,
    clock: Arc<Hand>,
    start: Timestamp,
    failures: Failures,
}

impl Bench {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let start = lab.api.clock.now();
        let clock = Arc::new(Hand(AtomicI64::new(start.micros())));
        let bootstrap = TokenHash::of(b"a token that is none of these");
        let shared: SharedClock = Arc::clone(&clock) as _;
        let gate = Gate::new(lab.api.store.clone(), shared, (bootstrap, Arc::clone(&lab.api.tokens)));
        Self { lab, gate, clock, start, failures: Failures::default() }
    }

    fn set(&self, since_start: Duration) {
        self.clock.0.store(self.start.plus(since_start).micros(), Ordering::Relaxed);
    }

    /// A key of the platform.
    async fn key(&self, lifetime: Option<Duration>) -> String {
        let key = ApiKey::generate();
        let stored = api_key::ApiKey {
            id: Uuid::new_v4(),
            name: "of a test".to_owned(),
            prefix: key.prefix().to_owned(),
            key_hash: key.hash().octets().to_vec(),
            customer: None,
            permissions: vec!["customers:read".to_owned()],
            addresses: Vec::new(),
            expires_at: lifetime.map(|lifetime| self.start.plus(lifetime)),
            revoked_at: None,
            created_by: "test".to_owned(),
            created_at: self.start,
        };
        let mut tx = self.lab.api.store.begin().await.unwrap();
        api_key::insert(&mut tx, &stored).await.unwrap();
        tx.commit().await.unwrap();
        key.expose().to_owned()
    }

    async fn ask(&self, token: &str) -> &'static str {
        match self.gate.admit(token, None, &self.failures).await {
            Ok(_) => "good",
            Err(Refusal::Unknown) => "unknown",
            Err(Refusal::Address) => "address",
            Err(Refusal::TooMany(_)) => "too many",
            Err(Refusal::Store(_)) => "store",
        }
    }

    fn look_again(&self, token: &str) -> Timestamp {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.gate.known.read()[&hash].look_again
    }
}

#[tokio::test]
async fn what_is_known_holds_while_the_database_is_away() {
    const MINUTE: Duration = Duration::from_secs(60);
    let bench = Bench::new().await;
    let lifetime = bench.lab.api.auth.access_token.get();
    assert_eq!(lifetime, MINUTE * 15);
    let forever = bench.key(None).await;
    let ten_minutes = bench.key(Some(MINUTE * 10)).await;
    let unseen = bench.key(None).await;
    let (user, session) = bench.lab.user("maria@example.net", "admin").await;
    let (access, _) = bench.lab.api.tokens.issue(user, session, bench.start).unwrap();
    for token in [&forever, &ten_minutes, &access] {
        assert_eq!(bench.ask(token).await, "good");
    }
    bench.lab.api.store.close().await;

    let second = Duration::from_secs(1);
    for (at, expected) in [
        (KNOWN_FOR - second, ["good", "good", "good", "store"]),
        (KNOWN_FOR + second, ["good", "good", "good", "store"]),
        (MINUTE * 9, ["good", "good", "good", "store"]),
        // A key's own end, and that of an access token.
        (MINUTE * 10, ["good", "store", "good", "store"]),
        (lifetime - second, ["good", "store", "good", "store"]),
        (lifetime + second, ["good", "store", "store", "store"]),
        (lifetime + LEEWAY + second, ["good", "store", "unknown", "store"]),
        (HOLDS_FOR - second, ["good", "store", "unknown", "store"]),
    ] {
        bench.set(at);
        let mut answers = Vec::new();
        for token in [&forever, &ten_minutes, &access, &unseen] {
            answers.push(bench.ask(token).await);
        }
        assert_eq!(answers, expected, "{at:?}");
    }
    // One asked and waited; the others do not for a while.
    assert_eq!(bench.look_again(&forever), bench.clock.now().plus(LOOKED_UP_WITHIN));

    // Something changed: perhaps it was this key that was taken back.
    bench.gate.forget();
    assert_eq!(bench.ask(&forever).await, "store");
}

#[tokio::test]
async fn what_is_known_does_not_hold_for_ever() {
    let bench = Bench::new().await;
    let key = bench.key(None).await;
    assert_eq!(bench.ask(&key).await, "good");
    bench.lab.api.store.close().await;
    for (at, expected) in
        [(HOLDS_FOR / 2, "good"), (HOLDS_FOR - Duration::from_secs(1), "good"), (HOLDS_FOR * 2, "store")]
    {
        bench.set(at);
        assert_eq!(bench.ask(&key).await, expected, "{at:?}");
    }
}

#[tokio::test]
async fn a_key_is_looked_up_again_in_time_and_when_something_changed() {
    let bench = Bench::new().await;
    let key = bench.key(None).await;
    assert_eq!(bench.ask(&key).await, "good");
    bench.set(KNOWN_FOR);
    assert_eq!(bench.ask(&key).await, "good");
    assert_eq!(bench.look_again(&key), bench.start.plus(KNOWN_FOR * 2), "it was looked up again");
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let stored = api_key::by_hash(&bench.lab.api.store, &hash).await.unwrap().unwrap();
    let mut tx = bench.lab.api.store.begin().await.unwrap();
    assert!(api_key::revoke(&mut tx, stored.id, bench.start).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(bench.ask(&key).await, "good", "nobody was told yet");
    bench.gate.forget();
    assert_eq!(bench.ask(&key).await, "unknown");
    assert!(bench.gate.known.read().is_empty(), "it is a stranger's from now on");
}

#[test]
fn what_is_known_is_bounded_by_the_token_and_by_changes() {
    let at = Timestamp::from_micros;
    let known = |look_again, expires: Option<i64>| Known {
        principal: Arc::new(Principal::nobody()),
        addresses: Arc::default(),
        look_again: at(look_again),
        looked_up: at(0),
        expires: expires.map(at),
        forgotten: 7,
    };
    for (look_again, expires, now, forgotten, (fresh, stands)) in [
        (10, None, 9, 7, (true, true)),
        (10, None, 10, 7, (false, true)),
        (10, None, i64::MAX, 7, (false, true)),
        (10, None, 9, 8, (false, false)),
        (10, Some(20), 19, 7, (false, true)),
        (10, Some(20), 20, 7, (false, false)),
        // Looked at again later than it ends.
        (10, Some(5), 4, 7, (true, true)),
        (10, Some(5), 5, 7, (false, false)),
    ] {
        let known = known(look_again, expires);
        let found = (known.is_fresh(at(now), forgotten), known.stands(at(now), forgotten));
        assert_eq!(found, (fresh, stands), "{look_again} {expires:?} {now} {forgotten}");
    }
}
