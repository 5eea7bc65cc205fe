//! What comes of the commands to one node, as one of those who send them counts it: into metrics, into what operators
//! see of the node, and into what is known of its health.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ng::{Meaning, Reply};

use super::exchange::{Exchange, Outcome};
use super::metrics::{Metrics, OfNode};
use super::pool::Node;

/// The longest reply that is looked at for a refusal: what a node does takes more, or is done.
const REFUSAL_MAX: usize = 256;

/// The account of one who sends commands to a node.
#[derive(Debug)]
pub struct Account {
    node: Arc<Node>,
    metrics: OfNode,
    /// Commands of this one that are under way, as they were counted last.
    waiting: u64,
}

impl Account {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(node: Arc<Node>, metrics: &Metrics) -> Self {
        let metrics = metrics.of(&node.name);
        Self { node, metrics, waiting: 0 }
    }

    /// Takes in what became of a command that was sent first then. True when the node is up by it and was not before.
    pub fn done(&self, outcome: &Outcome, sent: Instant, now: Instant) -> bool {
        let tally = self.node.tally();
        tally.commands.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Outcome::Answered(body) => {
                self.metrics.answered.inc();
                self.refused(body);
                let took = now.saturating_duration_since(sent);
                self.metrics.round_trip.observe(took.as_secs_f64());
                return self.node.health.heard(took, now);
            }
            Outcome::Silent => {
                self.metrics.silent.inc();
                self.node.health.silent(sent, now);
            }
            Outcome::Unsent => self.metrics.unsent.inc(),
        }
        tally.silent.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Counts a reply by which the node does not take what it was asked.
    fn refused(&self, body: &[u8]) {
        if body.len() > REFUSAL_MAX {
            return;
        }
        let Ok(Reply::Failed { meaning, .. }) = Reply::parse(body) else { return };
        let tally = self.node.tally();
        let (metric, count) = match meaning {
            Meaning::AnotherNode => (&self.metrics.full, &tally.full),
            Meaning::Overloaded => (&self.metrics.overloaded, &tally.overloaded),
            Meaning::UnknownCall | Meaning::BadSdp | Meaning::BadRequest | Meaning::Other => return,
        };
        metric.inc();
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes in what is under way, and what was sent once more since the last time.
    pub fn follow<T>(&mut self, exchange: &mut Exchange<T>) {
        let repeats = exchange.take_repeats();
        if repeats > 0 {
            self.metrics.repeats.inc_by(repeats);
        }
        self.waits(exchange.len());
    }

    /// So many commands are under way now.
    fn waits(&mut self, waiting: usize) {
        let waiting = waiting as u64;
        let before = std::mem::replace(&mut self.waiting, waiting);
        if waiting > before {
            let more = waiting - before;
            self.node.tally().waiting.fetch_add(more, Ordering::Relaxed);
            self.metrics.waiting.add(i64::try_from(more).unwrap_or(i64::MAX));
        } else if waiting < before {
            let fewer = before - waiting;
            self.node.tally().waiting.fetch_sub(fewer, Ordering::Relaxed);
            self.metrics.waiting.sub(i64::try_from(fewer).unwrap_or(i64::MAX));
        }
    }
}

impl Drop for Account {
    /// What is under way then is nobody's.
    fn drop(&mut self) {
        self.waits(0);
    }
}

/// What operators see of a node, whoever has sent it what.
#[must_use]
pub fn counters(node: &Node) -> Vec<(&'static str, u64)> {
    let (tally, load) = (node.tally(), node.health.load().unwrap_or_default());
    let round_trip = u64::try_from(node.health.round_trip().as_micros()).unwrap_or(u64::MAX);
    vec![
        ("commands", tally.commands.load(Ordering::Relaxed)),
        ("silent", tally.silent.load(Ordering::Relaxed)),
        ("full", tally.full.load(Ordering::Relaxed)),
        ("overloaded", tally.overloaded.load(Ordering::Relaxed)),
        ("sessions", node.health.sessions()),
        ("packets_per_second", load.packets_per_second),
        ("transcoded_media", load.transcoded_media),
        ("round_trip_us", round_trip),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use ng::reply::write;
    use runtime::model::{MediaNode, MediaNodeState};
    use runtime::telemetry::metrics::Metrics as Registry;
    use uuid::Uuid;

    use super::*;
    use crate::media::exchange::{Command, Patience};
    use crate::media::pool::Pool;

    fn account(now: Instant) -> Account {
        let pool = Pool::default();
        let node = MediaNode {
            id: Uuid::nil(),
            number: 1,
            name: "media-1".to_owned(),
            address: ([192, 0, 2, 20], 2_223).into(),
            weight: 50,
            state: MediaNodeState::Active,
        };
        pool.configure(&[node], now);
        Account::new(pool.node(1).unwrap(), &Metrics::new(&Registry::new()))
    }

    #[test]
    fn refusals_are_counted_by_what_the_node_lacks() {
        let now = tokio::time::Instant::now().into_std();
        let account = account(now);
        let long = "x".repeat(REFUSAL_MAX);
        for (reason, full, overloaded) in [
            ("Ran out of ports", 1, 0),
            ("Parallel session limit reached", 2, 0),
            ("CPU usage limit exceeded", 2, 1),
            ("Load limit exceeded", 2, 2),
            ("Bandwidth limit exceeded", 2, 3),
            ("Unknown call-id", 2, 3),
            (long.as_str(), 2, 3),
        ] {
            let mut body = Vec::new();
            write::error(&mut body, reason);
            account.done(&Outcome::Answered(Bytes::from(body)), now, now);
            let metrics = [account.metrics.full.get(), account.metrics.overloaded.get()];
            assert_eq!(metrics, [full, overloaded], "{reason}");
            let shown = counters(&account.node);
            assert!(
                shown.contains(&("full", full)) && shown.contains(&("overloaded", overloaded)),
                "{shown:?}"
            );
        }
        account.done(&Outcome::Silent, now, now);
        account.done(&Outcome::Answered(Bytes::from_static(b"junk")), now, now);
        assert_eq!((account.metrics.full.get(), account.metrics.answered.get()), (2, 8));
    }

    /// A command that is sent three times was sent twice more.
    #[test]
    fn what_is_sent_once_more_is_counted() {
        let now = tokio::time::Instant::now().into_std();
        let mut account = account(now);
        let mut exchange = Exchange::new(7);
        let mut out = Vec::new();
        let body = Bytes::from_static(b"d7:command4:pinge");
        exchange.submit(Command { ticket: 1, body, patience: Patience::BRIEF }, now, &mut out);
        for (after, repeats, waiting) in [(0, 0, 1), (50, 1, 1), (60, 1, 1), (150, 2, 1), (180, 2, 0)] {
            exchange.fire(now + Duration::from_millis(after), &mut out);
            account.follow(&mut exchange);
            let seen = (account.metrics.repeats.get(), account.metrics.waiting.get());
            assert_eq!(seen, (repeats, waiting), "{after}");
        }
    }
}
