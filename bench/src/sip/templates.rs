//! The texts of a customer's requests, for one of its sockets.

use std::net::SocketAddr;

use bytes::BytesMut;
use sip::{Method, Request};

use super::dialog::Dialog;
use super::numbered::{MARK, Numbered, number};

/// CSeq of the INVITE and its ACK.
const CSEQ_INVITE: u32 = 1;
/// CSeq of BYE.
const CSEQ_BYE: u32 = 2;

/// Tells the messages of this run from those of an earlier one: the start of every Call-ID.
#[derive(Clone, Debug)]
pub(crate) struct RunMark(String);

impl RunMark {
    pub(crate) fn new() -> Self {
        Self(format!("bench{:08x}", fastrand::u32(..)))
    }

    /// The call whose Call-ID this is; `None` for another's.
    pub(crate) fn call(&self, call_id: &[u8]) -> Option<u32> {
        number(call_id.strip_prefix(self.0.as_bytes())?.strip_prefix(b"-")?)
    }
}

/// Requests of one socket.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    invite: Numbered,
    options: Numbered,
    /// The INVITE's Via: an ACK to a refusal has the same.
    via_invite: Numbered,
    via_ack: Numbered,
    via_bye: Numbered,
    uri: Numbered,
    from: Numbered,
    call_id: Numbered,
}

/// A request in a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InDialog {
    Ack,
    Bye,
}

impl Templates {
    /// For a customer at `local` that calls through `target`.
    pub(crate) fn new(run: &RunMark, local: SocketAddr, target: SocketAddr) -> Self {
        let RunMark(run) = run;
        let via = |kind| format!("SIP/2.0/UDP {local};rport;branch=z9hG4bK{kind}{run}{MARK}");
        // Eleven digits behind +44: a number of London, so that nobody who checks numbers objects.
        let uri = format!("sip:+4420{MARK}@{target};user=phone");
        let from = format!("\"Bench\" <sip:+442079460000@{local};user=phone>;tag=c{run}{MARK}");
        let call_id = format!("{run}-{MARK}@{}", local.ip());
        let invite = invite(&Texts { uri: &uri, via: &via('i'), from: &from, call_id: &call_id, local });
        let options = format!(
            "OPTIONS sip:{target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\n\
             To: <sip:{target}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:bench@{local}>\r\n\
             Accept: application/sdp\r\nUser-Agent: bench\r\nContent-Length: 0\r\n\r\n",
            via = via('o')
        );
        Self {
            invite: Numbered::new(&invite),
            options: Numbered::new(&options),
            via_invite: Numbered::new(&via('i')),
            via_ack: Numbered::new(&via('a')),
            via_bye: Numbered::new(&via('b')),
            uri: Numbered::new(&uri),
            from: Numbered::new(&from),
            call_id: Numbered::new(&call_id),
        }
    }

    /// The INVITE of call `id`: always the same octets.
    pub(crate) fn invite(&mut self, id: u32) -> &[u8] {
        self.invite.of(id)
    }

    /// The OPTIONS of number `id`.
    pub(crate) fn options(&mut self, id: u32) -> &[u8] {
        self.options.of(id)
    }

    /// The ACK to a final response other than 2xx, which had this To (RFC 3261 17.1.1.3).
    pub(crate) fn refusal_ack(&mut self, id: u32, to: &[u8], out: &mut BytesMut) -> Option<()> {
        let request = Request {
            method: Method::Ack,
            uri: self.uri.of(id),
            via: self.via_invite.of(id),
            from: self.from.of(id),
            to,
            call_id: self.call_id.of(id),
            cseq: CSEQ_INVITE,
            routes: &[],
            headers: &[],
            body: None,
        };
        request.write(out).ok()
    }

    /// A request in the dialog of call `id`; `None` when the dialog's texts cannot be written.
    pub(crate) fn in_dialog(
        &mut self,
        kind: InDialog,
        id: u32,
        dialog: &Dialog,
        out: &mut BytesMut,
    ) -> Option<()> {
        let (method, via, cseq) = match kind {
            InDialog::Ack => (Method::Ack, &mut self.via_ack, CSEQ_INVITE),
            InDialog::Bye => (Method::Bye, &mut self.via_bye, CSEQ_BYE),
        };
        let routes: Vec<&[u8]> = dialog.routes.iter().map(Vec::as_slice).collect();
        let request = Request {
            method,
            uri: &dialog.uri,
            via: via.of(id),
            from: self.from.of(id),
            to: &dialog.to,
            call_id: self.call_id.of(id),
            cseq,
            routes: &routes,
            headers: &[],
            body: None,
        };
        request.write(out).ok()
    }
}

struct Texts<'a> {
    uri: &'a str,
    via: &'a str,
    from: &'a str,
    call_id: &'a str,
    local: SocketAddr,
}

/// About 1.3 KB, as carriers' INVITEs are.
fn invite(texts: &Texts<'_>) -> String {
    let Texts { uri, via, from, call_id, local } = texts;
    let body = sdp(*local, 20_000);
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: <{uri}>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:bench@{local};transport=udp>\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r\n\
         Supported: 100rel, replaces, norefersub\r\nAccept: application/sdp, application/dtmf-relay\r\n\
         P-Asserted-Identity: \"Bench\" <sip:+442079460000@{local};user=phone>\r\nPrivacy: none\r\n\
         P-Charging-Vector: icid-value=bench{MARK};icid-generated-at={ip};orig-ioi=bench.example\r\n\
         Session-ID: 5f2d6b1c0a9e4d3788c1{MARK}ab12;remote=00000000000000000000000000000000\r\n\
         Allow-Events: talk, hold, conference, refer, check-sync\r\nAccept-Language: en\r\n\
         User-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}",
        ip = local.ip(),
        length = body.len(),
    )
}

/// An offer or answer with the codecs that gateways list.
pub(crate) fn sdp(local: SocketAddr, port: u16) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let ip = local.ip();
    format!(
        "v=0\r\no=bench {MARK} {MARK} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 18 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n"
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sip::{Limits, Message, validate};

    use super::*;

    #[test]
    fn requests_are_well_formed() {
        let run = RunMark::new();
        let local = SocketAddr::from(([127, 0, 0, 1], 5070));
        let mut templates = Templates::new(&run, local, SocketAddr::from(([127, 0, 0, 1], 5060)));
        let dialog = Dialog {
            uri: b"sip:v@127.0.0.1:9".to_vec(),
            routes: vec![b"<sip:127.0.0.1;lr>".to_vec()],
            to: b"<sip:c@d>;tag=2".to_vec(),
            tag: b"2".to_vec(),
            next_hop: local,
        };
        let mut written = vec![templates.invite(42).to_vec(), templates.options(42).to_vec()];
        assert!((1_200..1_400).contains(&written[0].len()), "{} octets", written[0].len());
        let mut add = |write: &mut dyn FnMut(&mut BytesMut) -> Option<()>| {
            let mut out = BytesMut::new();
            write(&mut out).unwrap();
            written.push(out.to_vec());
        };
        add(&mut |out| templates.refusal_ack(42, b"<sip:c@d>;tag=2", out));
        add(&mut |out| templates.in_dialog(InDialog::Ack, 42, &dialog, out));
        add(&mut |out| templates.in_dialog(InDialog::Bye, 42, &dialog, out));
        for octets in written {
            let message = Message::parse_datagram(Bytes::from(octets), &Limits::default()).unwrap();
            assert_eq!(message.defect(), None, "{message:?}");
            assert_eq!(message.value(sip::HeaderId::CallId).and_then(|value| run.call(value)), Some(42));
            assert_eq!(validate::check(&message, &[]).map(drop), Ok(()), "{message:?}");
        }
    }
}
