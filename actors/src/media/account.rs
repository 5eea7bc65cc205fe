//! What comes of the commands to one node, as one of those who send them counts it: into metrics, into what operators
//! see of the node, and into what is known of its health.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::exchange::Outcome;
use super::metrics::{Metrics, OfNode};
use super::pool::Node;

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
            Outcome::Answered(_) => {
                self.metrics.answered.inc();
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

    /// So many commands are under way now.
    pub fn waits(&mut self, waiting: usize) {
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
