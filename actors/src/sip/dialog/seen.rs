//! When the sides of a dialog were last heard, and what they say when they are asked whether the call is up.

use std::time::{Duration, Instant};

use crate::sip::dialog::End;
use crate::sip::transactions::Now;

/// When anything was last heard of each side, and what became of the last question whether they are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    heard: [Option<Now>; 2],
    /// The number of the last question: an answer to one before says nothing.
    question: u32,
    asked_at: Option<Instant>,
    answers: [Option<Answer>; 2],
    /// Who said nothing to the question before, and nothing since.
    silent: [bool; 2],
    /// Who said that it knows of no call, and nothing since.
    gone: [bool; 2],
    /// The last question was asked because of what was, or was not, said to the one before.
    is_second: bool,
    /// A timer stands for the next one.
    is_armed: bool,
}

/// What a side said when it was asked whether the call is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something that only a side with the call says.
    Alive,
    /// That it knows of none.
    Gone,
    /// Nothing.
    Silent,
    /// It could not be asked, or has asked back.
    Unknown,
}

/// What the answers of both sides say together.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// Nothing says that it is over.
    Up,
    /// Somebody was silent for the first time, when what was asked or said may have been lost; or nobody could be asked.
    AskAgain,
    /// It is over, and was up until then.
    Over(Now),
}

impl Seen {
    /// One side was heard.
    pub const fn hear(&mut self, end: End, now: Now) {
        let [caller, callee] = &mut self.heard;
        let [silent_caller, silent_callee] = &mut self.silent;
        let [gone_caller, gone_callee] = &mut self.gone;
        let (heard, silent, gone) = match end {
            End::Caller => (caller, silent_caller, gone_caller),
            End::Callee => (callee, silent_callee, gone_callee),
        };
        *heard = Some(now);
        (*silent, *gone) = (false, false);
    }

    /// Whether either side was heard since then.
    pub fn is_heard_since(&self, since: Instant) -> bool {
        self.heard.into_iter().flatten().any(|heard| heard.instant >= since)
    }

    /// Whether a timer is to be set for the next question: there is none yet.
    pub const fn is_unarmed(&self) -> bool {
        !self.is_armed
    }

    /// A timer was set, or has gone off.
    pub const fn arm(&mut self, is_armed: bool) {
        self.is_armed = is_armed;
    }

    /// Whether the last question waits for an answer. None comes after `longest`.
    pub fn is_asking(&self, now: Instant, longest: Duration) -> bool {
        let recent = |asked: Instant| now.saturating_duration_since(asked) < longest;
        self.answers.contains(&None) && self.asked_at.is_some_and(recent)
    }

    /// Both are asked anew. The number of the question.
    pub const fn ask(&mut self, now: Instant) -> u32 {
        self.answers = [None; 2];
        self.asked_at = Some(now);
        self.question = self.question.wrapping_add(1);
        self.question
    }

    /// What a side said to a question; `None` until both have answered the last one. The call is over when one side
    /// has it no more, and a silent side has none that is silent twice: it was up until either was last heard where both say
    /// so, else until now, since no side is to say alone what it pays.
    pub fn answer(&mut self, end: End, (question, answer): (u32, Answer), now: Now) -> Option<Verdict> {
        if question != self.question {
            return None;
        }
        if answer == Answer::Alive {
            self.hear(end, now);
        }
        let [caller, callee] = &mut self.answers;
        let [no_caller, no_callee] = &mut self.gone;
        let (said, gone) = if end == End::Caller { (caller, no_caller) } else { (callee, no_callee) };
        *said = Some(answer);
        *gone |= answer == Answer::Gone;
        let [Some(caller), Some(callee)] = self.answers else { return None };
        let [first, second] = self.silent;
        let silent = |answer, before| answer == Answer::Silent || (answer == Answer::Unknown && before);
        self.silent = [silent(caller, first), silent(callee, second)];
        let is_new = |answer, before: bool| answer == Answer::Silent && !before;
        let is_unasked = caller == Answer::Unknown && callee == Answer::Unknown;
        // Once for each question: two that are silent in turns would be asked for ever.
        let again = is_unasked || is_new(caller, first) || is_new(callee, second);
        if again && !std::mem::replace(&mut self.is_second, true) {
            return Some(Verdict::AskAgain);
        }
        self.is_second = false;
        let [no_caller, no_callee] = self.gone;
        let twice = |answer, before: bool| answer == Answer::Silent && before;
        let gone = [no_caller || twice(caller, first), no_callee || twice(callee, second)];
        Some(match gone {
            [false, false] => Verdict::Up,
            [true, true] => {
                let heard = self.heard.into_iter().flatten().max_by_key(|heard| heard.instant);
                Verdict::Over(heard.unwrap_or(now))
            }
            [true, false] | [false, true] => Verdict::Over(now),
        })
    }
}
