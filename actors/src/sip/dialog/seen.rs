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
    /// The last question was asked because of a silence.
    is_second: bool,
    /// A timer stands for the next one.
    pub is_armed: bool,
}

/// An answer, or the end of the time for it, comes within this.
const ANSWERED_WITHIN: Duration = Duration::from_secs(64);

/// What a side said when it was asked whether the call is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something that only a side with the call says.
    Alive,
    /// That it knows of none.
    Gone,
    /// Nothing.
    Silent,
    /// It could not be asked.
    Unknown,
}

/// What the answers of both sides say together.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// Nothing says that it is over.
    Up,
    /// Somebody was silent for the first time: what was asked or said may have been lost.
    Silence,
    /// Neither could be asked.
    Unasked,
    /// It is over, and was up until then.
    Over(Now),
}

impl Seen {
    /// One side was heard.
    pub const fn hear(&mut self, end: End, now: Now) {
        let [caller, callee] = &mut self.heard;
        let [silent_caller, silent_callee] = &mut self.silent;
        let (heard, silent) = match end {
            End::Caller => (caller, silent_caller),
            End::Callee => (callee, silent_callee),
        };
        *heard = Some(now);
        *silent = false;
    }

    /// Both are asked anew. The number of the question; `None` while the last one waits for an answer.
    pub fn ask(&mut self, now: Instant) -> Option<u32> {
        let recent = |asked: Instant| now.saturating_duration_since(asked) < ANSWERED_WITHIN;
        if self.answers.contains(&None) && self.asked_at.is_some_and(recent) {
            return None;
        }
        self.answers = [None; 2];
        self.asked_at = Some(now);
        self.question = self.question.wrapping_add(1);
        Some(self.question)
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
        *(if end == End::Caller { caller } else { callee }) = Some(answer);
        let [Some(caller), Some(callee)] = self.answers else { return None };
        let both = [caller, callee];
        if both == [Answer::Unknown; 2] {
            return Some(Verdict::Unasked);
        }
        let before = std::mem::replace(&mut self.silent, both.map(|answer| answer == Answer::Silent));
        let [first, second] = before;
        let gone = [(caller, first), (callee, second)]
            .map(|(answer, before)| answer == Answer::Gone || (answer == Answer::Silent && before));
        let is_new = both.iter().zip(before).any(|(answer, before)| *answer == Answer::Silent && !before);
        // Once for each question: two that are silent in turns would be asked for ever.
        if is_new && !std::mem::replace(&mut self.is_second, true) {
            return Some(Verdict::Silence);
        }
        self.is_second = false;
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
