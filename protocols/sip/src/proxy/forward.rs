//! What of a vendor's outcome goes upstream.

use crate::status::StatusCode;
use crate::transaction::Failure;

/// The status that goes upstream for the best final response to an INVITE (RFC 3261 16.7 step 6).
pub fn invite_final(status: StatusCode, pass_503: bool) -> StatusCode {
    if status == StatusCode::SERVICE_UNAVAILABLE && !pass_503 {
        return StatusCode::SERVER_INTERNAL_ERROR;
    }
    status
}

/// What a proxy does with the outcome of a request other than INVITE. It has one target and no timer C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInvite {
    /// Relay the response in hand.
    Forward,
    /// Nothing.
    Absorb,
    /// Make this response and send it upstream.
    Respond(StatusCode),
    /// Give `Event::Abandon` to the server transaction, which stays silent from then on: a 408 would come after
    /// the client has given up, and make it take this node for dead (RFC 4320 4.2).
    Abandon,
}

/// For a response. Provisional ones are not forwarded: 100 is hop by hop, others are not allowed (RFC 4320 4.1).
pub fn non_invite_response(status: StatusCode) -> NonInvite {
    match status {
        StatusCode::REQUEST_TIMEOUT => NonInvite::Abandon,
        StatusCode::SERVICE_UNAVAILABLE => NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR),
        _ if status.is_provisional() => NonInvite::Absorb,
        _ => NonInvite::Forward,
    }
}

/// For a client transaction that failed.
pub const fn non_invite_failure(failure: Failure) -> NonInvite {
    match failure {
        Failure::Timeout | Failure::Cancelled => NonInvite::Abandon,
        // As if a 503 had come (16.9).
        Failure::Transport => NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_503_is_our_own_matter() {
        for status in (300..700).filter_map(StatusCode::new) {
            let expected = if status.as_u16() == 503 { StatusCode::SERVER_INTERNAL_ERROR } else { status };
            assert_eq!(invite_final(status, false), expected);
            assert_eq!(invite_final(status, true), status);
        }
    }

    #[test]
    fn non_invite() {
        for status in (100..700).filter_map(StatusCode::new) {
            let expected = match status.as_u16() {
                ..200 => NonInvite::Absorb,
                408 => NonInvite::Abandon,
                503 => NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR),
                _ => NonInvite::Forward,
            };
            assert_eq!(non_invite_response(status), expected, "{status}");
        }
        assert_eq!(non_invite_failure(Failure::Timeout), NonInvite::Abandon);
        let transport = non_invite_failure(Failure::Transport);
        assert_eq!(transport, NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR));
    }
}
