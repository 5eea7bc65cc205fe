//! Messages that wait for a vendor: four lanes by priority_flag, none starves, plus those that wait for their
//! next try. Bounded by the vendor's `queue_depth_max`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use tokio::time::Instant;

use super::message::Message;

/// Lanes of priority_flag 0 to 3.
pub const LANES: usize = 4;

/// Turns of the lanes in a round of fifteen: a lane of higher priority gets twice the turns of the one below.
const TURNS: [usize; 15] = [3, 2, 3, 1, 3, 2, 3, 0, 3, 2, 3, 1, 3, 2, 3];

/// Messages that stay together: one, or all parts of one that we split.
pub type Unit = Vec<Box<Message>>;

/// The queue of one vendor.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: [VecDeque<Unit>; LANES],
    delayed: BinaryHeap<Reverse<Delayed>>,
    turn: usize,
    len: usize,
    sequence: u64,
}

#[derive(Debug)]
struct Delayed {
    at: Instant,
    sequence: u64,
    unit: Unit,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl Queue {
    /// Adds messages at the end of their lane.
    pub fn push(&mut self, unit: Unit) {
        self.len += unit.len();
        if let Some(lane) = self.lanes.get_mut(lane_of(&unit)) {
            lane.push_back(unit);
        }
    }

    /// Puts messages back at the head of their lane.
    pub fn push_front(&mut self, unit: Unit) {
        self.len += unit.len();
        if let Some(lane) = self.lanes.get_mut(lane_of(&unit)) {
            lane.push_front(unit);
        }
    }

    /// Adds messages that are not to be tried before `at`.
    pub fn push_delayed(&mut self, unit: Unit, at: Instant) {
        self.len += unit.len();
        self.sequence += 1;
        self.delayed.push(Reverse(Delayed { at, sequence: self.sequence, unit }));
    }

    /// The next messages to send.
    pub fn pop(&mut self, now: Instant) -> Option<Unit> {
        self.wake(now);
        for _ in 0..TURNS.len() {
            let lane = TURNS.get(self.turn).copied().unwrap_or(0);
            self.turn = (self.turn + 1) % TURNS.len();
            if let Some(unit) = self.lanes.get_mut(lane).and_then(VecDeque::pop_front) {
                self.len -= unit.len();
                return Some(unit);
            }
        }
        None
    }

    /// When the next delayed messages are due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.delayed.peek().map(|Reverse(delayed)| delayed.at)
    }

    /// Messages in the queue, waiting ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when something waits for a bind alone, not for its time.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_empty())
    }

    /// True when nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Messages in each lane; waiting ones count for their lane.
    #[must_use]
    pub fn depths(&self) -> [usize; LANES] {
        let mut depths = [0; LANES];
        let units =
            self.lanes.iter().flatten().chain(self.delayed.iter().map(|Reverse(delayed)| &delayed.unit));
        for unit in units {
            if let Some(depth) = depths.get_mut(lane_of(unit)) {
                *depth += unit.len();
            }
        }
        depths
    }

    /// Takes out the messages that `wanted` picks. Linear: for the rare cases (cancel, expiry).
    pub fn extract(&mut self, mut wanted: impl FnMut(&Message) -> bool) -> Vec<Box<Message>> {
        let mut found = Vec::new();
        for lane in &mut self.lanes {
            for unit in lane.iter_mut() {
                found.extend(unit.extract_if(.., |message| wanted(message)));
            }
            lane.retain(|unit| !unit.is_empty());
        }
        let mut delayed = std::mem::take(&mut self.delayed).into_vec();
        for Reverse(entry) in &mut delayed {
            found.extend(entry.unit.extract_if(.., |message| wanted(message)));
        }
        delayed.retain(|Reverse(entry)| !entry.unit.is_empty());
        self.delayed = delayed.into();
        self.len -= found.len();
        found
    }

    /// Lets `change` see a queued message; true when it is here.
    pub fn modify(&mut self, id: i64, change: impl FnOnce(&mut Message)) -> bool {
        let units = self.lanes.iter_mut().flatten();
        match units.flatten().find(|message| message.row.id == id) {
            Some(message) => {
                change(message);
                true
            }
            None => false,
        }
    }

    fn wake(&mut self, now: Instant) {
        while self.delayed.peek().is_some_and(|Reverse(delayed)| delayed.at <= now) {
            let Some(Reverse(delayed)) = self.delayed.pop() else { break };
            self.len -= delayed.unit.len();
            self.push_front(delayed.unit);
        }
    }
}

fn lane_of(unit: &Unit) -> usize {
    unit.first().map_or(0, |message| usize::from(message.row.priority).min(LANES - 1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::smpp::testing::message;

    fn unit(id: i64, priority: u8) -> Unit {
        let mut message = message(id);
        message.row.priority = priority;
        vec![message]
    }

    fn drain(queue: &mut Queue, now: Instant) -> Vec<i64> {
        std::iter::from_fn(|| queue.pop(now)).flatten().map(|message| message.row.id).collect()
    }

    #[test]
    fn lanes_share_turns_and_none_starves() {
        let mut queue = Queue::default();
        for id in 0..400 {
            queue.push(unit(id, u8::try_from(id % 4).unwrap()));
        }
        assert_eq!(queue.depths(), [100; 4]);
        let order: Vec<i64> = drain(&mut queue, Instant::now()).into_iter().take(60).collect();
        let of = |lane: i64| order.iter().filter(|id| **id % 4 == lane).count();
        assert_eq!([of(0), of(1), of(2), of(3)], [4, 8, 16, 32]);
        assert!(queue.is_empty());
    }

    #[test]
    fn delayed_messages_wait_and_then_go_first() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.push_delayed(unit(1, 0), now + Duration::from_secs(5));
        queue.push(unit(2, 0));
        assert_eq!(queue.next_due(), Some(now + Duration::from_secs(5)));
        assert_eq!(drain(&mut queue, now), [2]);
        assert_eq!(queue.len(), 1);
        queue.push(unit(3, 0));
        assert_eq!(drain(&mut queue, now + Duration::from_secs(5)), [1, 3]);
    }

    #[test]
    fn parts_stay_together_and_can_be_taken_out() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.push(vec![message(1), message(2), message(3)]);
        queue.push_delayed(vec![message(4)], now);
        assert!(queue.modify(2, |message| message.tries = 9));
        assert!(!queue.modify(9, |_| ()));
        let taken = queue.extract(|message| message.row.id == 2 || message.row.id == 4);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken.iter().map(|message| message.tries).max(), Some(9));
        assert_eq!((queue.len(), queue.next_due()), (2, None));
        assert_eq!(queue.pop(now).unwrap().len(), 2);
    }
}
