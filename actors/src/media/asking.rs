//! Calls that a node is asked for one by one: those that its list has no room for, and those of which somebody wants to
//! know what they are.
//!
//! Pure: a state machine without socket or clock. All of them have their turn, a share of them in each second, and few
//! are under way at one time: a node has room for few datagrams, and calls that are set up go through the same door.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

/// Questions in one second at most.
const RATE_MAX: usize = 2_000;
/// Questions under way at one time at most.
const WINDOW: usize = 64;
/// A share is given this often.
const SHARE_EVERY: Duration = Duration::from_secs(1);
/// A call that a node does not know is asked for once more after this time: two answers are to say so.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A call that a node is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The call.
    pub call: Uuid,
    /// What the node is asked: a query, without cookie.
    pub body: Bytes,
    /// What is wanted.
    pub wants: Wants,
}

/// What somebody wants to know of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Whether the node has it.
    Presence,
    /// What the node tells of it.
    Figures,
}

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing.
    Nothing,
    /// The node does not have it, and has not had it since then.
    Gone(Instant),
    /// What the node told is for who asked.
    Figures,
}

/// The questions to one node.
#[derive(Debug)]
pub struct Asking {
    /// In this time each of them is asked once.
    every: Duration,
    /// In the order of their numbers.
    questions: Vec<Question>,
    /// Which was asked last, in turn. The next one is asked next, whatever came and went meanwhile.
    last: Option<Uuid>,
    /// How many have their turn still.
    left: usize,
    /// And how many of these as soon as may be.
    hurried: usize,
    /// Calls that the node does not know, and since when that is known.
    doubts: HashMap<Uuid, Instant>,
    /// Those that are to be asked for once more, the first one first.
    again: VecDeque<Uuid>,
    /// What is left of the share, and when there is another one.
    share: usize,
    share_at: Instant,
    under_way: usize,
}

impl Asking {
    /// Nothing to ask yet; later each of the questions once in this time.
    #[must_use]
    pub fn new(every: Duration, now: Instant) -> Self {
        Self {
            every,
            questions: Vec::new(),
            last: None,
            left: 0,
            hurried: 0,
            doubts: HashMap::new(),
            again: VecDeque::new(),
            share: 0,
            share_at: now,
            under_way: 0,
        }
    }

    /// These are the questions from now on, each of them once; as soon as may be where that is said. Their turn goes on
    /// behind the one that was asked last, so that each comes to it however often there are new ones.
    pub fn about(&mut self, mut questions: Vec<Question>, hurries: bool, now: Instant) {
        questions.sort_unstable_by_key(|question| question.call);
        questions.dedup_by_key(|question| question.call);
        self.left = questions.len();
        self.hurried = if hurries { self.left } else { self.hurried.min(self.left) };
        self.questions = questions;
        if hurries {
            self.share_at = now;
        }
        let known = &self.questions;
        self.doubts.retain(|call, _| place(known, *call).is_some());
    }

    /// The next one that is to be sent now. It counts as under way until [`Asking::answered`] or [`Asking::unanswered`].
    pub fn next(&mut self, now: Instant) -> Option<&Question> {
        if self.under_way >= WINDOW {
            return None;
        }
        if self.share_at <= now {
            (self.share, self.share_at) = (self.next_share(), now + SHARE_EVERY);
        }
        if self.share == 0 {
            return None;
        }
        let place = self.next_again(now).or_else(|| self.next_in_turn())?;
        self.share -= 1;
        self.under_way += 1;
        self.questions.get(place)
    }

    /// When [`Asking::next`] has something, where no answer comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.under_way >= WINDOW {
            return None;
        }
        let turn = (self.left > 0).then_some(self.share_at);
        let again = self.again.front().map(|call| {
            let since = self.doubts.get(call).copied();
            let due = since.map_or(self.share_at, |since| since + AGAIN_AFTER);
            if self.share == 0 { due.max(self.share_at) } else { due }
        });
        turn.into_iter().chain(again).min()
    }

    /// The node has answered what was asked of a call: whether it knows it.
    pub fn answered(&mut self, call: Uuid, is_known: bool, now: Instant) -> Finding {
        self.unanswered();
        // Of questions that are none any more nobody wants to know anything.
        let question = place(&self.questions, call).and_then(|place| self.questions.get(place));
        let Some(question) = question else { return Finding::Nothing };
        if question.wants == Wants::Figures {
            return Finding::Figures;
        }
        if is_known {
            self.doubts.remove(&call);
            return Finding::Nothing;
        }
        match self.doubts.get(&call).copied() {
            Some(since) if since + AGAIN_AFTER <= now => {
                self.doubts.remove(&call);
                Finding::Gone(since)
            }
            Some(_) => Finding::Nothing,
            None => {
                self.doubts.insert(call, now);
                self.again.push_back(call);
                Finding::Nothing
            }
        }
    }

    /// One that is under way has no answer, which says nothing.
    pub fn unanswered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// How many may be asked in the next second.
    fn next_share(&self) -> usize {
        if self.hurried > 0 {
            return RATE_MAX;
        }
        let seconds = usize::try_from(self.every.as_secs()).unwrap_or(usize::MAX).max(1);
        let turns = self.questions.len().div_ceil(seconds);
        turns.saturating_add(self.again.len()).min(RATE_MAX)
    }

    /// One that the node did not know, once it is time.
    fn next_again(&mut self, now: Instant) -> Option<usize> {
        while let Some(call) = self.again.front().copied() {
            let since = self.doubts.get(&call).copied();
            if since.is_some_and(|since| since + AGAIN_AFTER > now) {
                return None;
            }
            self.again.pop_front();
            // It was found meanwhile, or is no question any more.
            if since.is_some()
                && let Some(place) = place(&self.questions, call)
            {
                return Some(place);
            }
        }
        None
    }

    fn next_in_turn(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        self.hurried = self.hurried.saturating_sub(1);
        let after = |last| self.questions.partition_point(|question| question.call <= last);
        let next = self.last.map_or(0, after);
        let next = if next < self.questions.len() { next } else { 0 };
        self.last = self.questions.get(next).map(|question| question.call);
        Some(next)
    }
}

fn place(questions: &[Question], call: Uuid) -> Option<usize> {
    questions.binary_search_by_key(&call, |question| question.call).ok()
}

#[cfg(test)]
mod tests;
