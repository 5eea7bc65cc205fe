//! Whether another vendor is tried after one has failed.

use super::ATTEMPTS_MAX;
use super::best::Answer;
use crate::status::StatusCode;

/// A set of status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatusSet([u64; WORDS]);

const WORDS: usize = 10;

impl StatusSet {
    /// Adds a code.
    pub fn insert(&mut self, status: StatusCode) {
        let (word, bit) = place(status);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes a code out.
    pub fn remove(&mut self, status: StatusCode) {
        let (word, bit) = place(status);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Whether a code is in it.
    pub fn contains(&self, status: StatusCode) -> bool {
        let (word, bit) = place(status);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl FromIterator<StatusCode> for StatusSet {
    fn from_iter<I: IntoIterator<Item = StatusCode>>(codes: I) -> Self {
        let mut set = Self::default();
        codes.into_iter().for_each(|status| set.insert(status));
        set
    }
}

fn place(status: StatusCode) -> (usize, u64) {
    let index = usize::from(status.as_u16()).saturating_sub(100);
    (index / 64, 1 << (index % 64))
}

/// When the next vendor is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverOptions {
    /// Attempts for one call, the first included: 1 to [`ATTEMPTS_MAX`].
    pub attempts_max: u8,
    /// Go on although the caller has heard media of a vendor that then failed.
    pub after_early_media: bool,
    /// Responses after which to go on. A 6xx never is one: it speaks for every vendor (RFC 3261 16.7 step 5). A
    /// timeout and a transport error always are.
    pub codes: StatusSet,
}

impl Default for FailoverOptions {
    /// 4 attempts, on 408 and 5xx, not after early media.
    fn default() -> Self {
        let codes = (500..600).chain([408]).filter_map(StatusCode::new).collect();
        Self { attempts_max: 4, after_early_media: false, codes }
    }
}

/// Whether to go on after `attempts`, the last of which ended with `answer`.
pub fn goes_on(options: &FailoverOptions, attempts: u8, early_media: bool, answer: Answer) -> bool {
    let attempts_max = usize::from(options.attempts_max).min(ATTEMPTS_MAX);
    let cause = !answer.received || (options.codes.contains(answer.status) && answer.status.class() != 6);
    cause && usize::from(attempts) < attempts_max && (!early_media || options.after_early_media)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16) -> Answer {
        Answer { status: StatusCode::new(code).unwrap(), received: true }
    }

    #[test]
    fn sets() {
        let codes = || (100..700).filter_map(StatusCode::new);
        let mut set = StatusSet::default();
        assert!(codes().all(|status| !set.contains(status)));
        for status in codes() {
            set.insert(status);
            assert!(set.contains(status));
        }
        for status in codes() {
            assert!(set.contains(status));
            set.remove(status);
            assert!(!set.contains(status));
        }
        assert_eq!(set, StatusSet::default());
    }

    #[test]
    fn causes() {
        let options = FailoverOptions::default();
        for (code, goes) in [(302, false), (404, false), (408, true), (486, false), (487, false), (503, true)]
        {
            assert_eq!(goes_on(&options, 1, false, answer(code)), goes, "{code}");
        }
        for code in (500..600).map(answer) {
            assert!(goes_on(&options, 1, false, code), "{code:?}");
        }
        let silence = Answer { received: false, ..answer(487) };
        assert!(goes_on(&options, 1, false, silence));
        let all = (100..700).filter_map(StatusCode::new).collect();
        let options = FailoverOptions { codes: all, ..options };
        assert!(goes_on(&options, 1, false, answer(404)) && goes_on(&options, 1, false, answer(302)));
        assert!(!goes_on(&options, 1, false, answer(603)), "6xx stops everything");
    }

    #[test]
    fn budget_and_early_media() {
        let options = FailoverOptions::default();
        assert!(goes_on(&options, 3, false, answer(503)) && !goes_on(&options, 4, false, answer(503)));
        let many = FailoverOptions { attempts_max: u8::MAX, ..options };
        assert!(goes_on(&many, 15, false, answer(503)) && !goes_on(&many, 16, false, answer(503)));
        let none = FailoverOptions { attempts_max: 0, ..options };
        assert!(!goes_on(&none, 1, false, answer(503)));
        assert!(!goes_on(&options, 1, true, answer(503)));
        let allowed = FailoverOptions { after_early_media: true, ..options };
        assert!(goes_on(&allowed, 1, true, answer(503)));
    }
}
