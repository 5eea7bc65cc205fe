//! Message ids: 41 bits of milliseconds since 2020, 10 bits of node, 12 bits of counter.

use std::fmt;

use parking_lot::Mutex;

use super::MessageIdFormat;
use crate::clock::Timestamp;

/// 2020-01-01T00:00:00Z in Unix milliseconds; 41 bits last from there until 2089.
const EPOCH_MS: i64 = 1_577_836_800_000;
const NODE_BITS: u32 = 10;
const COUNTER_BITS: u32 = 12;
const COUNTER_MAX: i64 = (1 << COUNTER_BITS) - 1;
const MS_MAX: i64 = (1 << 41) - 1;

/// Our id of a message; grows with time, unique over the nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub i64);

impl MessageId {
    /// The id as a customer sees it.
    #[must_use]
    pub fn format(self, format: MessageIdFormat) -> String {
        match format {
            MessageIdFormat::Hex => format!("{:016x}", self.0),
            MessageIdFormat::Decimal => format!("{:019}", self.0),
        }
    }

    /// The id that a customer names, leniently: any case, leading zeros missing.
    #[must_use]
    pub fn parse(text: &[u8], format: MessageIdFormat) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let radix = match format {
            MessageIdFormat::Hex => 16,
            MessageIdFormat::Decimal => 10,
        };
        i64::from_str_radix(text, radix).ok().filter(|id| *id > 0).map(Self)
    }

    /// When it was made, to the millisecond.
    #[must_use]
    pub const fn time(self) -> Timestamp {
        Timestamp::from_micros(((self.0 >> (NODE_BITS + COUNTER_BITS)) + EPOCH_MS) * 1000)
    }

    /// The smallest id that a message accepted at this time can have. Before 2020 and after 2089 there are none: those
    /// times have the first id and one of the last.
    #[must_use]
    pub fn first_at(time: Timestamp) -> Self {
        let ms = (time.micros() / 1000 - EPOCH_MS).clamp(0, MS_MAX);
        Self(ms << (NODE_BITS + COUNTER_BITS))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Makes ids. A clock that stands or steps back does not make an id twice: the generator goes on from the
/// last millisecond it used.
#[derive(Debug)]
pub struct IdGenerator {
    node: i64,
    last: Mutex<(i64, i64)>,
}

impl IdGenerator {
    /// Nodes are numbered below this.
    pub const NODES: u16 = 1 << NODE_BITS;

    /// A generator for one node of a cluster; `node` counts modulo [`IdGenerator::NODES`].
    #[must_use]
    pub fn new(node: u16) -> Self {
        Self { node: i64::from(node % Self::NODES), last: Mutex::new((0, 0)) }
    }

    /// Goes on from an id that exists already, so that a clock that stepped back makes none twice.
    pub fn start_after(&self, highest: i64) {
        let mut last = self.last.lock();
        let ms = highest >> (NODE_BITS + COUNTER_BITS);
        if ms >= last.0 {
            *last = (ms, COUNTER_MAX);
        }
    }

    /// The next id.
    pub fn next(&self, now: Timestamp) -> MessageId {
        let now_ms = (now.micros() / 1000 - EPOCH_MS).max(0);
        let mut last = self.last.lock();
        *last = match *last {
            (ms, counter) if now_ms <= ms && counter < COUNTER_MAX => (ms, counter + 1),
            (ms, _) if now_ms <= ms => (ms + 1, 0),
            _ => (now_ms, 0),
        };
        let (ms, counter) = *last;
        MessageId((ms << (NODE_BITS + COUNTER_BITS)) | (self.node << COUNTER_BITS) | counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_never_repeat_whatever_the_clock_does() {
        let generator = IdGenerator::new(7);
        let start = 1_790_000_000_000_000;
        let mut last = MessageId(0);
        for step in [0, 0, 1, 1000, -5_000_000, 0, 2_000_000] {
            for _ in 0..5000 {
                let id = generator.next(Timestamp::from_micros(start + step));
                assert!(id > last);
                last = id;
            }
        }
        assert_eq!((last.0 >> COUNTER_BITS) & 1023, 7);
    }

    #[test]
    fn ids_go_on_from_those_that_exist() {
        let time = Timestamp::from_micros(1_790_000_000_000_000);
        let existing = IdGenerator::new(3).next(time.plus(std::time::Duration::from_secs(60)));
        let generator = IdGenerator::new(3);
        generator.start_after(existing.0);
        assert!(generator.next(time) > existing);
    }

    #[test]
    fn ids_read_back_as_printed() {
        let id = IdGenerator::new(1).next(Timestamp::from_micros(1_790_000_000_000_000));
        for format in [MessageIdFormat::Hex, MessageIdFormat::Decimal] {
            let text = id.format(format);
            assert_eq!(MessageId::parse(text.as_bytes(), format), Some(id));
            assert_eq!(
                MessageId::parse(text.trim_start_matches('0').to_uppercase().as_bytes(), format),
                Some(id)
            );
        }
        assert_eq!(id.format(MessageIdFormat::Hex).len(), 16);
        assert!(id.format(MessageIdFormat::Decimal).len() <= 20);
        assert_eq!(MessageId::parse(b"-1", MessageIdFormat::Hex), None);
        assert_eq!(MessageId::parse(b"xyz", MessageIdFormat::Hex), None);
    }

    #[test]
    fn first_at_orders_ids_by_time() {
        let time = Timestamp::from_micros(1_790_000_000_123_000);
        let id = IdGenerator::new(0).next(time);
        assert!(MessageId::first_at(time) <= id);
        assert_eq!(id.time(), time);
        for (year, above) in
            [("0001", false), ("2019", false), ("2089", true), ("2200", true), ("9999", true)]
        {
            let bound = MessageId::first_at(format!("{year}-01-01T00:00:00Z").parse().unwrap());
            assert_eq!((bound.0 >= 0, bound > id), (true, above), "{year}");
        }
    }
}
