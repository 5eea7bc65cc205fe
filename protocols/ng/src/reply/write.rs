//! Replies as a node writes them: for what plays a node. Bodies, without a cookie, appended to `out`.

use std::net::{IpAddr, SocketAddr};

use super::{Call, Counters, Media, Side, Statistics, Stream, Subscription};
use crate::bencode::{Writer, count, text};

/// Nothing but that it is done.
pub fn ok(out: &mut Vec<u8>) {
    done(out, |_| {});
}

/// To a ping.
pub fn pong(out: &mut Vec<u8>) {
    Writer::new(out).dict(|dict| dict.key("result").str(b"pong"));
}

/// The SDP that an offer or an answer became.
pub fn sdp(out: &mut Vec<u8>, sdp: &[u8]) {
    done(out, |dict| dict.key("sdp").str(sdp));
}

/// The calls of a list.
pub fn calls<'a>(out: &mut Vec<u8>, call_ids: impl IntoIterator<Item = &'a [u8]>) {
    done(out, |dict| {
        dict.key("calls").list(|list| call_ids.into_iter().for_each(|call_id| list.str(call_id)));
    });
}

/// The figures of the node.
pub fn statistics(out: &mut Vec<u8>, statistics: &Statistics) {
    done(out, |dict| dict.key("statistics").dict(|dict| statistics.write(dict)));
}

/// The call of a query or of a delete.
pub fn call(out: &mut Vec<u8>, call: &Call<'_>) {
    done(out, |dict| write_call(dict, call));
}

/// To a delete of a call that is not known.
pub fn warning(out: &mut Vec<u8>, warning: &str) {
    done(out, |dict| dict.key("warning").str(warning.as_bytes()));
}

/// What was asked for is not done.
pub fn error(out: &mut Vec<u8>, reason: &str) {
    Writer::new(out).dict(|dict| {
        dict.key("result").str(b"error");
        dict.key("error-reason").str(reason.as_bytes());
    });
}

/// There is no room, to one that said it understands this.
pub fn load_limit(out: &mut Vec<u8>, reason: &str) {
    Writer::new(out).dict(|dict| {
        dict.key("result").str(b"load limit");
        dict.key("message").str(reason.as_bytes());
    });
}

/// The result comes last, as a node has it.
fn done(out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer<'_>)) {
    Writer::new(out).dict(|dict| {
        fill(dict);
        dict.key("result").str(b"ok");
    });
}

fn write_call(dict: &mut Writer<'_>, call: &Call<'_>) {
    count(dict, "created", call.created);
    count(dict, "created_us", call.created_us);
    count(dict, "last signal", call.last_signal);
    dict.key("SSRC").dict(|table| call.ssrcs.iter().for_each(|ssrc| ssrc.write(table)));
    dict.key("tags").dict(|tags| {
        for side in &call.sides {
            tags.str(side.tag);
            tags.dict(|dict| write_side(dict, side));
        }
    });
    dict.key("totals").dict(|totals| {
        totals.key("RTP").dict(|dict| counters(dict, call.rtp));
        totals.key("RTCP").dict(|dict| counters(dict, call.rtcp));
    });
}

fn write_side(dict: &mut Writer<'_>, side: &Side<'_>) {
    dict.key("tag").str(side.tag);
    text(dict, "via-branch", side.via_branch);
    text(dict, "label", side.label);
    count(dict, "created", side.created);
    for (key, others) in [("subscriptions", &side.subscriptions), ("subscribers", &side.subscribers)] {
        dict.key(key)
            .list(|list| others.iter().for_each(|other| list.dict(|dict| subscription(dict, other))));
    }
    dict.key("medias").list(|list| {
        side.medias.iter().for_each(|media| list.dict(|dict| write_media(dict, media)));
    });
}

fn subscription(dict: &mut Writer<'_>, other: &Subscription<'_>) {
    dict.key("tag").str(other.tag);
    text(dict, "type", other.kind);
}

fn write_media(dict: &mut Writer<'_>, media: &Media<'_>) {
    count(dict, "index", media.index);
    text(dict, "type", media.kind);
    text(dict, "protocol", media.protocol);
    text(dict, "codec", media.codec);
    dict.key("streams").list(|list| {
        media.streams.iter().for_each(|stream| list.dict(|dict| write_stream(dict, stream)));
    });
    texts(dict, "flags", &media.flags);
    if !media.ingress_ssrcs.is_empty() {
        dict.key("ingress SSRCs").list(|list| {
            for ssrc in &media.ingress_ssrcs {
                list.dict(|dict| dict.key("SSRC").count((*ssrc).into()));
            }
        });
    }
}

fn write_stream(dict: &mut Writer<'_>, stream: &Stream<'_>) {
    count(dict, "local port", stream.local_port);
    if let Some(address) = stream.local_address {
        dict.key("local address").str(address.to_string().as_bytes());
        dict.key("family").str(family(address));
    }
    dict.key("endpoint").dict(|dict| endpoint(dict, stream.endpoint));
    dict.key("advertised endpoint").dict(|dict| endpoint(dict, stream.advertised_endpoint));
    text(dict, "crypto suite", stream.crypto_suite);
    count(dict, "last packet", stream.last_packet);
    texts(dict, "flags", &stream.flags);
    count(dict, "SSRC", stream.ssrc);
    dict.key("stats").dict(|dict| counters(dict, stream.stats));
    if let Some(sent) = stream.stats_out {
        dict.key("stats_out").dict(|dict| counters(dict, sent));
    }
}

fn endpoint(dict: &mut Writer<'_>, endpoint: Option<SocketAddr>) {
    if let Some(endpoint) = endpoint {
        dict.key("family").str(family(endpoint.ip()));
        dict.key("address").str(endpoint.ip().to_string().as_bytes());
        dict.key("port").count(endpoint.port().into());
    }
}

const fn family(address: IpAddr) -> &'static [u8] {
    if address.is_ipv4() { b"IPv4" } else { b"IPv6" }
}

fn counters(dict: &mut Writer<'_>, counters: Counters) {
    dict.key("packets").count(counters.packets);
    dict.key("bytes").count(counters.bytes);
    dict.key("errors").count(counters.errors);
}

fn texts(dict: &mut Writer<'_>, key: &str, values: &[&[u8]]) {
    dict.key(key).list(|list| values.iter().for_each(|value| list.str(value)));
}
