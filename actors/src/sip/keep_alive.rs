//! Keeps the way open to what has registered by UDP from behind a NAT: each contact is asked something before the NAT
//! forgets it.
//!
//! Owns nothing but its place on the wheel: what is registered is the registrar's, and a worker sends. Its key is
//! `keep_alive:main:0`, its parent the `sip` supervisor, its restart policy permanent. A crash begins the turn anew:
//! some contacts wait for up to two turns once.
//!
//! One wheel for all contacts, without a timer for any: a turn takes the time between two questions to a contact, each
//! of its spokes is a part of the bindings, and what a part has is spread over the time of its spoke.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep_until};

use super::bindings::{Binding, SHARDS};
use super::calls::Calls;

/// Contacts that are asked at one time.
const AT_ONCE: usize = 16;
/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// Who keeps NATs open, as a child of the `sip` supervisor. `every` is the time between two questions to a contact.
pub fn child_spec(calls: Arc<Calls>, every: Duration) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let calls = Arc::clone(&calls);
        async move {
            let _registration = seat.register(observe(&calls));
            tokio::select! {
                never = run(&calls, every) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    ChildSpec::new(ActorName::new("keep_alive", "main"), Restart::Permanent, start).backoff(RESTARTS)
}

async fn run(calls: &Calls, every: Duration) -> Infallible {
    let spoke = every / u32::try_from(SHARDS).unwrap_or(u32::MAX);
    let mut begun = Instant::now();
    loop {
        for part in 0..SHARDS {
            let due = calls.registrar.bindings.behind_nat(part, calls.settings.node, calls.now().wall);
            ask(calls, &due, (begun, spoke)).await;
            // After a stop of the machine nothing is made up for.
            begun = (begun + spoke).max(Instant::now());
            sleep_until(begun).await;
        }
    }
}

/// Has all of a part asked, few at a time and evenly over the time of its spoke.
async fn ask(calls: &Calls, due: &[Arc<Binding>], (begun, spoke): (Instant, Duration)) {
    let groups = u32::try_from(due.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX).max(1);
    for (group, number) in due.chunks(AT_ONCE).zip(0_u32..) {
        if number > 0 {
            sleep_until(begun + spoke.mul_f64(f64::from(number) / f64::from(groups))).await;
        }
        for binding in group {
            calls.keep_alive(Arc::clone(binding));
        }
    }
}

fn observe(calls: &Arc<Calls>) -> Observe {
    let calls = Arc::clone(calls);
    Arc::new(move || Observation {
        state: "turning".into(),
        queue_depth: 0,
        counters: vec![
            ("sent", calls.counters.keep_alives.get()),
            ("answered", calls.counters.keep_alives_answered.get()),
        ],
        note: None,
    })
}

#[cfg(test)]
mod tests;
