//! Session descriptions: read, filtered and read again, and replaced in a message.

use bytes::BytesMut;

use crate::sdp::{CodecRule, Filtered, Sdp};
use crate::syntax::offset_in;
use crate::{Edits, HeaderId, Limits, Message};

/// What another description is replaced by.
const NEW: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

const HEAD: &[u8] = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nSubject: a\r\n\tb\r\n";

const RULES: [CodecRule<'static, &'static str>; 5] = [
    CodecRule { allowed: &[], denied: &[], order: &[] },
    CodecRule { allowed: &["pcma"], denied: &[], order: &[] },
    CodecRule { allowed: &[], denied: &["PCMU", "telephone-event", "CN"], order: &["G729", "iLBC"] },
    CodecRule { allowed: &["G729", "PCMA", "opus"], denied: &["G729"], order: &["PCMA"] },
    CodecRule { allowed: &[], denied: &[], order: &["telephone-event", "PCMU", "X", "Z"] },
];

/// A description: what is read is a part of it, what is filtered differs where it should and nowhere else,
/// and in a message it gives way to another one.
pub fn sdp(octets: &[u8]) {
    if let Ok(read) = Sdp::parse(octets) {
        parts(&read);
        RULES.iter().for_each(|rule| filter(&read, rule));
        nameless(&read);
    }
    let bodies: [&[u8]; 2] = [b"c: application/sdp\r\n\r\n", b"c: multipart/mixed;boundary=\"b\"\r\n\r\n"];
    for content_type in bodies {
        let message = [HEAD, content_type, octets].concat();
        let Ok(message) = Message::parse_datagram(message.into(), &Limits::default()) else {
            panic!("no message")
        };
        replace(&message);
    }
}

fn parts(read: &Sdp<'_>) {
    let within = |part: &[u8]| offset_in(read.octets(), part).is_some();
    let _ = format!("{read:?}");
    if let Some(origin) = read.origin() {
        let parts = [origin.username, origin.session_id, origin.version, origin.address];
        assert!(parts.into_iter().all(within), "an origin of elsewhere");
        assert!(read.is_same_version(read), "another version than itself");
    }
    assert!(read.connection().is_none_or(|connection| within(connection.address)));
    for media in read.media() {
        assert!(within(media.protocol) && media.formats().all(within), "a media line of elsewhere");
        assert!(media.connection().is_none_or(|connection| within(connection.address)));
        let named = |format: &[u8]| media.codec(format).is_none_or(|codec| !codec.name.is_empty());
        assert!(media.formats().all(named), "a codec without a name");
        let _ = (media.ptime(), media.rtcp(), media.is_hold(), media.is_t38(), media.is_secure());
    }
}

fn filter(read: &Sdp<'_>, rule: &CodecRule<'_, &str>) {
    let mut out = BytesMut::from(&b"before"[..]);
    let filtered = read.filter_codecs(rule, &mut out);
    let written = out.strip_prefix(b"before").unwrap_or_default();
    if filtered != Filtered::Changed {
        assert!(written.is_empty(), "it wrote what it did not change");
        return;
    }
    let Ok(after) = Sdp::parse(written) else { panic!("no description any more") };
    let other = |line: &&[u8]| !line.starts_with(b"m=");
    let is_end = |octet: &u8| *octet == b'\n';
    let mut came = read.octets().split_inclusive(is_end).filter(other);
    let mut stayed = written.split_inclusive(is_end).filter(other);
    assert!(stayed.all(|line| came.any(|one| one == line)), "a line that did not come");
    assert_eq!(after.media().len(), read.media().len(), "another number of sections");
    for (after, before) in after.media().iter().zip(read.media()) {
        assert_eq!((after.port, after.protocol), (before.port, before.protocol));
        let same = |format: &[u8]| after.codec(format) == before.codec(format);
        let came = |format: &[u8]| before.formats().any(|one| one == format);
        assert!(after.formats().all(|format| came(format) && same(format)), "a format that did not come");
    }
    let again = after.filter_codecs(rule, &mut BytesMut::new());
    assert_eq!(again, Filtered::Unchanged, "a filter that passes not what it left");
}

/// Without what tells of a person it is a description still, and tells nothing more.
fn nameless(read: &Sdp<'_>) {
    let mut out = BytesMut::from(&b"before"[..]);
    let changed = read.write_nameless(&mut out);
    let written = out.strip_prefix(b"before").unwrap_or_default();
    if !changed {
        assert!(written.is_empty(), "it wrote what it did not change");
        return;
    }
    let Ok(after) = Sdp::parse(written) else { panic!("no description any more") };
    assert!(after.origin().is_none_or(|origin| origin.username == b"-"), "a name");
    assert_eq!(after.media().len(), read.media().len(), "another number of sections");
    assert!(!after.write_nameless(&mut BytesMut::new()), "a name that was left");
}

/// The description of a message, where it has one, gives way to another; all else stays.
pub(super) fn replace(message: &Message) {
    let Some(found) = message.sdp() else { return };
    let Some(range) = message.range_of(found.octets) else { panic!("a description of elsewhere") };
    let mut edits = Edits::new(message);
    assert_eq!(edits.ensure_content_length(), Ok(()));
    assert_eq!(edits.replace_sdp(&found, NEW), Ok(()));
    let mut out = BytesMut::new();
    edits.write(&mut out);
    assert_eq!(out.len(), edits.len(), "another length");
    let behind = message.bytes().get(range.end..).unwrap_or_default();
    assert!(out.ends_with(&[NEW, behind].concat()), "another body behind it");
    let wide = Limits { message: usize::MAX, headers: 300, lf_line_ends: true, ..Limits::default() };
    let Ok(read) = Message::parse_datagram(out.freeze(), &wide) else { panic!("no message any more") };
    assert_eq!(read.sdp().map(|found| found.octets), Some(NEW), "another description");
    let length = message.body().len() - found.octets.len() + NEW.len();
    assert_eq!((read.defect(), read.body().len()), (None, length));
    assert!(headers(&read).eq(headers(message)), "another header");
}

/// All but Content-Length; a fold may have got its CR.
fn headers(message: &Message) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    let others = message.headers().filter(|header| header.id != HeaderId::ContentLength);
    others.map(|header| {
        let value: Vec<u8> = header.value.iter().copied().filter(|octet| *octet != b'\r').collect();
        (header.name, value)
    })
}
