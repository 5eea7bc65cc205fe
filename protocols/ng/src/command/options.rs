//! What becomes of an offer or an answer.

use std::net::IpAddr;

use super::words::{
    AddressFamily, Dtls, DtmfSecurity, EndpointLearning, Flag, Ice, Osrtp, Replace, RtcpMux, Sdes, T38,
    Transport,
};
use super::{count, list, text};
use crate::bencode::Writer;

/// The options of an offer or an answer. None is written that is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaOptions<'a> {
    /// The protocol towards the other side.
    pub transport_protocol: Option<Transport>,
    /// ICE towards the other side.
    pub ice: Option<Ice>,
    /// DTLS towards the other side.
    pub dtls: Option<Dtls>,
    /// Keys in the SDP towards the other side.
    pub sdes: &'a [Sdes<'a>],
    /// SRTP offered as RTP.
    pub osrtp: &'a [Osrtp],
    /// RTCP on the port of RTP.
    pub rtcp_mux: &'a [RtcpMux],
    /// Parts of the SDP to replace.
    pub replace: &'a [Replace],
    /// What is set or not.
    pub flags: &'a [Flag],
    /// When addresses are learnt.
    pub endpoint_learning: Option<EndpointLearning>,
    /// Which codecs there are.
    pub codec: Codecs<'a>,
    /// Milliseconds of a packet towards the other side; of an offer only.
    pub ptime: Option<u16>,
    /// Milliseconds of a packet towards the side that offers; of an offer only.
    pub ptime_reverse: Option<u16>,
    /// Names of the node's interfaces: of the side that this is of, and of the other one.
    pub direction: Option<[&'a str; 2]>,
    /// A name of the side that this is of, by which it can be chosen.
    pub label: Option<&'a [u8]>,
    /// What the node keeps with the recording and gives back.
    pub metadata: Option<&'a [u8]>,
    /// Where the signalling came from.
    pub received_from: Option<IpAddr>,
    /// The address to write in the SDP, in place of the node's own.
    pub media_address: Option<IpAddr>,
    /// The family of the addresses to write.
    pub address_family: Option<AddressFamily>,
    /// The type of service of the packets that are sent.
    pub tos: Option<u8>,
    /// Whether RTCP comes from the node itself, which can be said of an answer as well.
    pub generate_rtcp: Option<bool>,
    /// Fax.
    pub t38: &'a [T38],
    /// What comes in place of digits that are blocked.
    pub dtmf_security: Option<DtmfSecurity>,
    /// Milliseconds that audio is held back for, so that a digit can be taken out.
    pub delay_buffer_ms: Option<u32>,
    /// The message that this came in. Not known to release 10.5.
    pub sip_message: Option<SipMessage>,
    /// Whether the call is recorded.
    pub record_call: Option<bool>,
    /// The file of the recording, with its whole path. Release 10.5 knows it in [`super::Recording`] only.
    pub recording_file: Option<&'a [u8]>,
    /// The folder of the recording. Not known to release 10.5.
    pub recording_dir: Option<&'a [u8]>,
    /// The pattern of the names of recordings. Not known to release 10.5.
    pub recording_pattern: Option<&'a [u8]>,
    /// A node that has no room says which limit it is at, not only that there is one.
    pub supports_load_limit: bool,
}

/// Codecs by name, all of them by `all`, each with `/rate/channels/bitrate` or without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codecs<'a> {
    /// Taken out.
    pub strip: &'a [&'a str],
    /// Kept, in this order and before all others, though taken out.
    pub offer: &'a [&'a str],
    /// Taken out, and transcoded to for the side that offered it.
    pub mask: &'a [&'a str],
    /// Kept, though taken out.
    pub except: &'a [&'a str],
    /// Put in, and transcoded to.
    pub transcode: &'a [&'a str],
    /// Accepted from the side that offers it, whatever the other one says.
    pub accept: &'a [&'a str],
    /// Accepted and transcoded from, even where the other side knows it.
    pub consume: &'a [&'a str],
    /// Neither transcoded to nor from. Not known to release 10.5.
    pub ignore: &'a [&'a str],
    /// Settings of codecs that are transcoded to.
    pub set: &'a [&'a str],
}

/// The message that an offer or an answer came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipMessage {
    /// A request.
    Request,
    /// A response with its status code.
    Response(u16),
}

impl MediaOptions<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        self.write_protocols(dict);
        list(dict, "replace", self.replace.iter().map(|part| part.word()));
        list(dict, "flags", self.flags.iter().map(|flag| flag.word()));
        self.write_addresses(dict);
        self.codec.write(dict);
        count(dict, "ptime", self.ptime);
        count(dict, "ptime-reverse", self.ptime_reverse);
        list(dict, "T.38", self.t38.iter().map(|option| option.word()));
        word(dict, "DTMF-security", self.dtmf_security.map(DtmfSecurity::word));
        count(dict, "delay-buffer", self.delay_buffer_ms);
        text(dict, "label", self.label);
        text(dict, "metadata", self.metadata);
        self.write_message(dict);
        self.write_recording(dict);
        if self.supports_load_limit {
            list(dict, "supports", ["load limit"]);
        }
    }

    fn write_protocols(&self, dict: &mut Writer<'_>) {
        word(dict, "transport protocol", self.transport_protocol.map(Transport::word));
        word(dict, "ICE", self.ice.map(Ice::word));
        word(dict, "DTLS", self.dtls.map(Dtls::word));
        list(dict, "SDES", self.sdes.iter().map(|option| option.parts().concat()));
        list(dict, "OSRTP", self.osrtp.iter().map(|option| option.word()));
        list(dict, "rtcp-mux", self.rtcp_mux.iter().map(|option| option.word()));
        word(dict, "generate RTCP", self.generate_rtcp.map(|on| if on { "on" } else { "off" }));
    }

    fn write_addresses(&self, dict: &mut Writer<'_>) {
        // Every release takes a list here.
        list(dict, "endpoint-learning", self.endpoint_learning.map(EndpointLearning::word));
        list(dict, "direction", self.direction.into_iter().flatten());
        if let Some(address) = self.received_from {
            let family = if address.is_ipv4() { AddressFamily::Ip4 } else { AddressFamily::Ip6 };
            list(dict, "received from", [family.word(), &address.to_string()]);
        }
        if let Some(address) = self.media_address {
            dict.key("media address").str(address.to_string().as_bytes());
        }
        word(dict, "address family", self.address_family.map(AddressFamily::word));
        count(dict, "TOS", self.tos);
    }

    fn write_message(&self, dict: &mut Writer<'_>) {
        match self.sip_message {
            Some(SipMessage::Request) => word(dict, "SIP message type", Some("SIP request")),
            Some(SipMessage::Response(code)) => {
                word(dict, "SIP message type", Some("SIP response"));
                count(dict, "SIP code", Some(code));
            }
            None => {}
        }
    }

    fn write_recording(&self, dict: &mut Writer<'_>) {
        word(dict, "record call", self.record_call.map(|on| if on { "yes" } else { "no" }));
        text(dict, "recording-file", self.recording_file);
        text(dict, "recording-dir", self.recording_dir);
        text(dict, "recording-pattern", self.recording_pattern);
    }
}

impl Codecs<'_> {
    fn write(&self, dict: &mut Writer<'_>) {
        let lists = [
            ("strip", self.strip),
            ("offer", self.offer),
            ("mask", self.mask),
            ("except", self.except),
            ("transcode", self.transcode),
            ("accept", self.accept),
            ("consume", self.consume),
            ("ignore", self.ignore),
            ("set", self.set),
        ];
        if lists.iter().all(|(_, codecs)| codecs.is_empty()) {
            return;
        }
        dict.key("codec").dict(|dict| {
            for (key, codecs) in lists {
                list(dict, key, codecs);
            }
        });
    }
}

/// A word, if there is one.
fn word(dict: &mut Writer<'_>, key: &str, word: Option<&str>) {
    text(dict, key, word.map(str::as_bytes));
}
