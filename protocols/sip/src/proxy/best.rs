//! Which final response goes upstream (RFC 3261 16.7 step 6).

use super::{BranchId, Step, forward};
use crate::status::StatusCode;

/// The final outcome of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 3xx to 6xx.
    pub status: StatusCode,
    /// Whether a message says so; otherwise it stands for a timeout or a transport error.
    pub received: bool,
}

impl Answer {
    /// Whether it asks for credentials.
    pub fn is_challenge(self) -> bool {
        let challenge =
            matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        self.received && challenge
    }
}

/// Whether `new` goes before `old`. Of equals the earlier keeps its place.
pub fn is_better(new: Answer, old: Answer) -> bool {
    rank(new) < rank(old)
}

/// What the caller hears when all branches have failed: the best answer as it came, or a response of our own where that
/// is none, or may not go upstream (RFC 3261 16.7 step 6).
pub fn last_word(best: Option<(BranchId, Answer)>, pass_503: bool) -> Step {
    let Some((branch, answer)) = best else { return Step::Respond(StatusCode::SERVER_INTERNAL_ERROR) };
    let status = forward::invite_final(answer.status, pass_503 && answer.received);
    if answer.received && status == answer.status {
        Step::ForwardKept(branch, status)
    } else {
        Step::Respond(status)
    }
}

/// 6xx first, then the lowest class. Within it: what tells the caller how to change the request, then the rest,
/// then the refusals that say least, and a message before none.
fn rank(answer: Answer) -> (u8, u8, bool) {
    let class = match answer.status.class() {
        6 => 0,
        class => class,
    };
    let within = match answer.status {
        StatusCode::UNAUTHORIZED
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::BAD_EXTENSION
        | StatusCode::ADDRESS_INCOMPLETE => 0,
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => 2,
        _ => 1,
    };
    (class, within, !answer.received)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16) -> Answer {
        Answer { status: StatusCode::new(code).unwrap(), received: true }
    }

    #[test]
    fn order() {
        // Each goes before all in later rows; those of one row are equal.
        let rows: [&[u16]; 7] = [
            &[600, 603, 604, 606],
            &[300, 302],
            &[401, 407, 415, 420, 484],
            &[400, 403, 404, 480, 486, 487, 488],
            &[408],
            &[500, 501, 502, 504, 580],
            &[503],
        ];
        let all =
            || rows.iter().enumerate().flat_map(|(row, codes)| codes.iter().map(move |code| (row, *code)));
        for ((row, code), (other_row, other)) in
            all().flat_map(|first| all().map(move |second| (first, second)))
        {
            assert_eq!(is_better(answer(code), answer(other)), row < other_row, "{code} {other}");
        }
    }

    #[test]
    fn a_message_goes_before_silence() {
        for code in [408, 503] {
            let silence = Answer { received: false, ..answer(code) };
            assert!(is_better(answer(code), silence) && !is_better(silence, answer(code)));
            assert!(is_better(answer(if code == 408 { 404 } else { 500 }), silence));
        }
        assert!(!Answer { received: false, ..answer(401) }.is_challenge());
        assert!(answer(401).is_challenge() && answer(407).is_challenge() && !answer(408).is_challenge());
    }
}
