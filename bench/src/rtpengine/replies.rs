//! Replies by their cookie: a command that comes again is answered again and not done again.

use std::collections::HashMap;
use std::time::Duration;

/// As RTPEngine does: what is older than once to twice this time is forgotten.
const GENERATION: Duration = Duration::from_secs(30);
/// Replies of one generation; with more the older generation goes early.
const REPLIES_MAX: usize = 65_536;

/// The replies of the last while, in two generations.
#[derive(Debug, Default)]
pub(super) struct Replies {
    young: HashMap<Box<[u8]>, Box<[u8]>>,
    old: HashMap<Box<[u8]>, Box<[u8]>>,
    since: Duration,
}

impl Replies {
    /// What was replied under this cookie, as a whole datagram.
    pub(super) fn find(&mut self, cookie: &[u8], now: Duration) -> Option<&[u8]> {
        self.age(now);
        let found = self.young.get(cookie).or_else(|| self.old.get(cookie));
        found.map(|reply| &**reply)
    }

    pub(super) fn keep(&mut self, cookie: &[u8], reply: &[u8], now: Duration) {
        self.age(now);
        self.young.insert(cookie.into(), reply.into());
    }

    fn age(&mut self, now: Duration) {
        if self.young.len() < REPLIES_MAX && now.saturating_sub(self.since) < GENERATION {
            return;
        }
        self.since = now;
        self.old = std::mem::take(&mut self.young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_kept_for_half_a_minute_at_least() {
        let at = |seconds: u64| Duration::from_secs(1_000_000 + seconds);
        let mut replies = Replies::default();
        assert_eq!(replies.find(b"a", at(0)), None);
        replies.keep(b"a", b"a one", at(1));
        for seconds in [1, 17, 29, 45] {
            assert_eq!(replies.find(b"a", at(seconds)), Some(b"a one".as_slice()), "{seconds} s");
        }
        assert_eq!(replies.find(b"a", at(100)), None);
        assert_eq!(replies.find(b"b", at(100)), None);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let now = Duration::from_secs(1);
        let mut replies = Replies::default();
        for number in 0..3 * REPLIES_MAX {
            replies.keep(number.to_string().as_bytes(), b"x", now);
        }
        assert!(replies.young.len() + replies.old.len() <= 2 * REPLIES_MAX);
        assert!(replies.find((3 * REPLIES_MAX - 1).to_string().as_bytes(), now).is_some());
        assert!(replies.find(b"0", now).is_none());
    }
}
