//! Floods from one source, stopped before a message is looked at.
//!
//! Counts are of one second and forgotten with it: what a source may send is bounded, and so is what is known of
//! sources, however many there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Sources that are told apart within a second; those beyond share one count.
const SOURCES_MAX: usize = 16_384;
const WINDOW: Duration = Duration::from_secs(1);

/// How much every source has sent in this second.
#[derive(Debug)]
pub struct Flood {
    per_second: u32,
    began: Instant,
    sources: HashMap<IpAddr, u32>,
    others: u32,
}

impl Flood {
    /// Admits `per_second` messages of each source; 0 admits all.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, began: now, sources: HashMap::new(), others: 0 }
    }

    /// When every source may send as much again.
    pub fn next_second(&self) -> Instant {
        self.began + WINDOW
    }

    /// Whether one more message from there is within what it may send.
    pub fn admits(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        if now.saturating_duration_since(self.began) >= WINDOW {
            self.began = now;
            self.sources.clear();
            self.others = 0;
        }
        let known = self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source);
        let count = if known { self.sources.entry(source).or_default() } else { &mut self.others };
        *count = count.saturating_add(1);
        *count <= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_own_second() {
        let now = tokio::time::Instant::now().into_std();
        let mut flood = Flood::new(3, now);
        let source = |last: u8| IpAddr::from([192, 0, 2, last]);
        let admitted =
            |flood: &mut Flood, last, now| (0..10).filter(|_| flood.admits(source(last), now)).count();
        assert_eq!(admitted(&mut flood, 1, now), 3);
        assert_eq!(admitted(&mut flood, 2, now), 3);
        assert_eq!(admitted(&mut flood, 1, now + WINDOW), 3);
        assert_eq!(admitted(&mut Flood::new(0, now), 1, now), 10, "no limit");
    }

    #[test]
    fn sources_without_end_are_bounded() {
        let now = tokio::time::Instant::now().into_std();
        let mut flood = Flood::new(1, now);
        let sources = (0..40_000_u32).map(|number| IpAddr::from(number.to_be_bytes()));
        let admitted = sources.filter(|source| flood.admits(*source, now)).count();
        assert_eq!(admitted, SOURCES_MAX + 1);
        assert_eq!(flood.sources.len(), SOURCES_MAX);
    }
}
