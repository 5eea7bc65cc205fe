//! One function per parser, taking any octets and asserting what must hold of them. The fuzz targets, the
//! corpus test and property tests call these.

use crate::bencode;
use crate::command::{Command, Leg, MediaOptions, WithSdp};
use crate::reply::write;
use crate::{Reply, Request, Writer, cookie};

/// Bodies up to this length stay within the limits when they are written again with all that was left out.
const SHORT: usize = 300;

/// A datagram to one that asked.
pub fn reply(octets: &[u8]) {
    let body = body(octets);
    same_when_written(body);
    let Ok(reply) = Reply::parse(body) else { return };
    let _ = reply.is_unknown_call();
    let Some(done) = reply.done() else { return };
    let _ = (done.sdp(), done.calls(), done.duration_ms(), done.interval_millionths("avgofferdelay"));
    if let Some(statistics) = done.statistics() {
        let mut out = Vec::new();
        write::statistics(&mut out, &statistics);
        let again = Reply::parse(&out).ok().and_then(|reply| reply.done()?.statistics());
        assert!(again.is_some_and(|again| again.current == statistics.current), "other figures");
        assert!(again.is_some_and(|again| again.totals == statistics.totals), "other totals");
    }
    if let Some(call) = done.call() {
        assert_eq!(call.statistics().sides.len(), call.sides.len(), "a side without figures");
        let mut out = Vec::new();
        write::call(&mut out, &call);
        let again = Reply::parse(&out);
        let again = again.as_ref().ok().and_then(|reply| reply.done()?.call());
        assert!(again.is_some() || body.len() > SHORT, "a call that cannot be read again");
        assert!(again.is_none_or(|again| again == call), "another call");
    }
}

/// A datagram to a node.
pub fn request(octets: &[u8]) {
    let body = body(octets);
    same_when_written(body);
    let request = match Request::parse(body) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.reason().is_empty(), "an error without a reason");
            return;
        }
    };
    assert_eq!(request.name.map(|name| name.word().as_bytes()), request.name.map(|_| request.command));
    let _ = (request.limit(), request.lists("flags", "strict-source"));
    let (Some(call_id), Some(from_tag), Some(sdp)) = (request.call_id(), request.from_tag(), request.sdp())
    else {
        return;
    };
    let leg = Leg { call_id, from_tag, to_tag: request.to_tag(), via_branch: request.via_branch() };
    let mut out = Vec::new();
    Command::Offer(WithSdp { leg, sdp, options: &MediaOptions::default() }).encode(&mut out);
    let again = Request::parse(&out).ok();
    let same = again.is_some_and(|again| {
        let tags = again.from_tag() == Some(from_tag) && again.to_tag() == request.to_tag();
        let call = again.call_id() == Some(call_id) && again.via_branch() == request.via_branch();
        tags && call && again.sdp() == Some(sdp)
    });
    assert!(same || out.len() > bencode::OCTETS_MAX, "another command");
}

/// What stands behind the cookie, or all of it.
fn body(octets: &[u8]) -> &[u8] {
    let Ok((cookie, body)) = cookie::split(octets) else { return octets };
    let parsed = cookie::Cookie::new(cookie);
    assert!(parsed.is_ok_and(|parsed| parsed.as_bytes() == cookie), "a cookie that is none");
    body
}

/// There is one way to write a value.
fn same_when_written(body: &[u8]) {
    let Ok(value) = bencode::parse(body) else { return };
    let mut out = Vec::new();
    Writer::new(&mut out).value(&value);
    assert_eq!(out, body, "written in another way");
}

#[cfg(test)]
mod tests;
