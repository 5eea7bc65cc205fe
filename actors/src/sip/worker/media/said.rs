//! What a media node said to an offer or an answer, and what is made of it.

use bytes::Bytes;
use ng::Meaning;
use sip::StatusCode;

use crate::media::exchange::Outcome;
use crate::media::load::Shortage;

/// What a node said.
pub(super) enum Said {
    Sdp(Bytes),
    /// Another node may do it. This one may have said for want of what it does not.
    Elsewhere(Option<Shortage>),
    /// No node will.
    Never(StatusCode),
}

/// Reads it.
pub(super) fn said(outcome: &Outcome) -> Said {
    let elsewhere = Said::Elsewhere(None);
    let Outcome::Answered(body) = outcome else { return elsewhere };
    match ng::Reply::parse(body) {
        Ok(ng::Reply::Failed { meaning, reason }) => {
            let status = match meaning {
                Meaning::AnotherNode => return Said::Elsewhere(Some(Shortage::Full)),
                Meaning::Overloaded => return Said::Elsewhere(Some(Shortage::Overloaded)),
                Meaning::BadSdp => StatusCode::NOT_ACCEPTABLE_HERE,
                Meaning::UnknownCall => StatusCode::SERVICE_UNAVAILABLE,
                Meaning::BadRequest | Meaning::Other => StatusCode::SERVER_INTERNAL_ERROR,
            };
            tracing::debug!(reason = %reason.escape_ascii(), "a media node refuses");
            Said::Never(status)
        }
        Ok(reply) => match reply.done().and_then(|done| done.sdp()) {
            Some(sdp) => Said::Sdp(Bytes::copy_from_slice(sdp)),
            None => elsewhere,
        },
        Err(_) => elsewhere,
    }
}
