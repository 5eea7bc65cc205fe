//! Responses to requests that were challenged, on their way back to who knows nothing of it.

use sip::{CSeq, Edits, HeaderId, Message, StatusCode, Via};

use super::{ANSWERS, cseq_of};
use crate::sip::cookie::{ANSWERS_MAX, Cookie};
use crate::sip::dialog::{Dialog, End};

/// A challenge that is of no call that is known becomes the failure of who sent it: nobody behind us is to
/// answer it.
pub(in super::super) fn as_refusal(edits: &mut Edits<'_>) -> Option<()> {
    let octets: &[u8] = edits.message().bytes();
    let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next()?;
    let failure = StatusCode::SERVER_INTERNAL_ERROR;
    let failed = format!("SIP/2.0 {} {}", failure.as_u16(), failure.reason_phrase());
    edits.replace(line, failed.as_bytes()).ok()?;
    for asks in [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate] {
        edits.remove(asks).ok()?;
    }
    Some(())
}

/// How many challenges the request of a response has answered: as its cookie has it sealed, and as the Via
/// says where there is none, which its peer may have changed.
fn answered(response: &Message, given: Option<&Cookie>) -> u32 {
    if let Some(cookie) = given {
        return cookie.answers.into();
    }
    let via = response.list(HeaderId::Via).next().and_then(|value| Via::parse(value).ok());
    let counted = via.and_then(|via| via.params.get(ANSWERS.as_bytes())?.value);
    let counted = counted.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
    counted.filter(|counted| *counted <= u32::from(ANSWERS_MAX)).unwrap_or_default()
}

/// The number of a response on its way to the sender of the request, where nothing is known of their dialog.
pub(in super::super) fn restore_unknown(edits: &mut Edits<'_>, given: Option<&Cookie>) -> Option<()> {
    let answers = answered(edits.message(), given);
    if answers == 0 {
        return Some(());
    }
    let cseq = CSeq::parse(edits.message().value(HeaderId::CSeq)?).ok()?;
    let number = cseq.number.saturating_sub(answers);
    edits.set(HeaderId::CSeq, &cseq_of(number, cseq.method)).ok()
}

/// The number of a response on its way to the sender of the request, as that has it: the request's own where
/// that is known.
pub(in super::super) fn restore_number(
    edits: &mut Edits<'_>,
    (dialog, from): (Option<&Dialog>, End),
    number: Option<u32>,
) -> Option<()> {
    let cseq = CSeq::parse(edits.message().value(HeaderId::CSeq)?).ok()?;
    let dialog = dialog.filter(|dialog| !dialog.asked.is_never() && dialog.vendor_end() != from);
    let number = number.or_else(|| Some(dialog?.asked.to_sender(cseq.number))).unwrap_or(cseq.number);
    if number == cseq.number {
        return Some(());
    }
    edits.set(HeaderId::CSeq, &cseq_of(number, cseq.method)).ok()
}
