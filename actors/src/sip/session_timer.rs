//! Session timers as a proxy asks for them (RFC 4028 8).
//!
//! Pure. What is asked of a call is put into the requests that refresh it, and into the answer of a callee that does
//! not know of timers where the caller does: then the caller refreshes.

use std::time::Duration;

use sip::{Edits, HeaderId, Message, SessionExpires};

use super::dialog::session_of;

/// The shortest session that there may be, seconds, and the least that we take (RFC 4028 4).
pub const LEAST: u32 = 90;

/// Its text, for Min-SE.
pub const LEAST_TEXT: &[u8] = b"90";

/// The option tag.
const TIMER: &[u8] = b"timer";

/// Seconds that are asked of a call: the shorter of what its trunk and its vendor want; `None` where neither does.
pub fn wanted(trunk: Duration, vendor: Duration) -> Option<u32> {
    let shorter = [trunk, vendor].into_iter().filter(|time| !time.is_zero()).min()?;
    Some(u32::try_from(shorter.as_secs()).unwrap_or(u32::MAX).max(LEAST))
}

/// Whether a request asks for less than may be, and its sender is one that will ask for more when it is told.
pub fn is_too_small(request: &Message) -> bool {
    seconds(request, HeaderId::SessionExpires).is_some_and(|asked| asked < LEAST) && supports_timer(request)
}

/// Asks for `wanted` seconds, and no more, in a request that is passed on. Gives the seconds to be put into an answer
/// that has none, where the sender supports timers; the outer `None` is a request that cannot be changed.
pub fn ask(edits: &mut Edits<'_>, wanted: u32) -> Option<Option<u32>> {
    let request = edits.message();
    let supported = supports_timer(request);
    let asked = seconds(request, HeaderId::SessionExpires);
    let stated = seconds(request, HeaderId::MinSe);
    let least = stated.unwrap_or_default().max(LEAST);
    // Nobody can be told to ask for more; those behind us are told not to ask for less.
    if !supported && asked.is_some_and(|asked| asked < LEAST) && stated.is_none_or(|stated| stated < LEAST) {
        edits.set(HeaderId::MinSe, LEAST_TEXT).ok()?;
    }
    let most = wanted.max(least);
    let settled = asked.map_or(most, |asked| asked.clamp(least, most));
    let text = settled.to_string();
    match asked {
        Some(asked) if asked == settled => {}
        // Who refreshes is not ours to say in a request.
        Some(_) => edits.replace(digits(request.value(HeaderId::SessionExpires)?), text.as_bytes()).ok()?,
        None => edits.set(HeaderId::SessionExpires, text.as_bytes()).ok()?,
    }
    Some(supported.then_some(settled))
}

/// Tells the sender of the request, in a 2xx of somebody who knows of no timer, that it is to refresh the call;
/// `None` where the answer cannot be changed.
pub fn answer(edits: &mut Edits<'_>, asked: u32) -> Option<()> {
    let response = edits.message();
    if response.has(HeaderId::SessionExpires) {
        return Some(());
    }
    edits.append(HeaderId::SessionExpires.name(), format!("{asked};refresher=uac").as_bytes()).ok()?;
    if !lists_timer(response, HeaderId::Require) {
        edits.append(HeaderId::Require.name(), TIMER).ok()?;
    }
    Some(())
}

/// The session that a 2xx agrees to, with what [`answer`] put into it.
pub fn agreed(response: &Message, asked: Option<u32>) -> Option<u32> {
    if response.has(HeaderId::SessionExpires) { session_of(response) } else { asked }
}

fn supports_timer(request: &Message) -> bool {
    [HeaderId::Supported, HeaderId::Require].iter().any(|id| lists_timer(request, *id))
}

fn lists_timer(message: &Message, id: HeaderId) -> bool {
    message.list(id).any(|option| option.eq_ignore_ascii_case(TIMER))
}

fn seconds(message: &Message, id: HeaderId) -> Option<u32> {
    SessionExpires::parse(message.value(id)?).ok().map(|session| session.seconds)
}

/// The number at the front of a value.
fn digits(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let end = value.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(value.len());
    value.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sip::Limits;

    use super::*;

    fn changed(headers: &str, edit: impl FnOnce(&mut Edits<'_>)) -> String {
        let text = format!("INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n{headers}\r\n");
        let message = Message::parse_datagram(text.into_bytes().into(), &Limits::default()).unwrap();
        let mut edits = Edits::new(&message);
        edit(&mut edits);
        let mut out = bytes::BytesMut::new();
        edits.write(&mut out);
        let text = String::from_utf8(out.to_vec()).unwrap();
        text.lines().skip(2).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_is_asked() {
        let timer = "Supported: 100rel, timer\r\n";
        // Headers of a request, what they become, and what is put into an answer without any.
        let table = [
            ("", "Session-Expires: 600", None),
            (timer, "Supported: 100rel, timer|Session-Expires: 600", Some(600)),
            ("Session-Expires: x\r\n", "Session-Expires: 600", None),
            ("x: 1800;refresher=uas;a=b\r\n", "x: 600;refresher=uas;a=b", None),
            ("Session-Expires: 300\r\n", "Session-Expires: 300", None),
            ("Require: timer\r\nx: 300\r\n", "Require: timer|x: 300", Some(300)),
            ("x: 1800\r\nMin-SE: 900\r\n", "x: 900|Min-SE: 900", None),
            ("x: 1800\r\nMin-SE: 100;x=y\r\n", "x: 600|Min-SE: 100;x=y", None),
            ("Min-SE: 900\r\n", "Min-SE: 900|Session-Expires: 900", None),
            ("x: 100\r\nMin-SE: 900\r\n", "x: 900|Min-SE: 900", None),
            ("x: 60\r\n", "x: 90|Min-SE: 90", None),
            ("x: 60\r\nMin-SE: 30\r\n", "x: 90|Min-SE: 90", None),
            ("x: 60\r\nMin-SE: 120\r\n", "x: 120|Min-SE: 120", None),
        ];
        for (headers, expected, answered) in table {
            let text = changed(headers, |edits| assert_eq!(ask(edits, 600), Some(answered), "{headers}"));
            assert_eq!(text, expected, "{headers}");
        }
    }

    #[test]
    fn what_is_answered() {
        let table = [
            ("", "Session-Expires: 600;refresher=uac|Require: timer"),
            ("Require: TIMER, x\r\n", "Require: TIMER, x|Session-Expires: 600;refresher=uac"),
            ("Require: x\r\n", "Require: x|Session-Expires: 600;refresher=uac|Require: timer"),
            ("x: 90;refresher=uas\r\n", "x: 90;refresher=uas"),
        ];
        for (headers, expected) in table {
            assert_eq!(changed(headers, |edits| answer(edits, 600).unwrap()), expected, "{headers}");
        }
    }

    #[test]
    fn who_is_told_to_ask_for_more() {
        let table = [("x: 89\r\nk: timer\r\n", true), ("x: 89\r\n", false), ("x: 90\r\nk: timer\r\n", false)];
        for (headers, expected) in table {
            changed(headers, |edits| assert_eq!(is_too_small(edits.message()), expected, "{headers}"));
        }
    }

    #[test]
    fn the_shorter_of_two() {
        let seconds = Duration::from_secs;
        let table = [(0, 0, None), (600, 0, Some(600)), (0, 600, Some(600)), (600, 300, Some(300))];
        for (trunk, vendor, expected) in table {
            assert_eq!(wanted(seconds(trunk), seconds(vendor)), expected);
        }
    }
}
