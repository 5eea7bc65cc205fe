//! When the sides of a dialog were last heard, and what they say when they are asked whether the call is up.

use crate::sip::dialog::End;
use crate::sip::transactions::Now;

/// When anything was last heard of each side, and what became of the last question whether they are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    heard: [Option<Now>; 2],
    /// The number of the last question: an answer to one before says nothing.
    question: u32,
    answers: [Option<Answer>; 2],
    /// Who said nothing to the question before, and nothing since.
    silent: [bool; 2],
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
    /// It could not be asked.
    Unknown,
}

/// What the answers of both sides say together.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// Nothing says that it is over.
    Up,
    /// Somebody was silent for the first time: what was asked or said may have been lost.
    AskAgain,
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

    /// Both are asked anew. The number of the question.
    pub const fn ask(&mut self) -> u32 {
        self.answers = [None; 2];
        self.question = self.question.wrapping_add(1);
        self.question
    }

    /// What a side said to a question; `None` until both have answered the last one. The call is over when one side
    /// has it no more, which a silent side has that is silent twice: until either was last heard where both say so, else
    /// until now, since no side is to say alone what it pays.
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
        let before = self.silent;
        self.silent = both.map(|answer| answer == Answer::Silent);
        if std::iter::zip(self.silent, before).any(|(silent, before)| silent && !before) {
            return Some(Verdict::AskAgain);
        }
        let gone = both.map(|answer| matches!(answer, Answer::Gone | Answer::Silent));
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
