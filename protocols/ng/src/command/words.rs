//! Words of the options, spelled as RTPEngine takes them since release 10.5.

/// An enumeration whose variants are words of the protocol.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The one that is written so.
            #[must_use]
            pub fn from_word(word: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word().as_bytes() == word)
            }
        }
    };
}
pub(super) use words;

words! {
    /// The transport protocol of all media.
    Transport {
        /// RTP in clear.
        RtpAvp => "RTP/AVP",
        /// SRTP with keys in the SDP.
        RtpSavp => "RTP/SAVP",
        /// RTP in clear with feedback.
        RtpAvpf => "RTP/AVPF",
        /// SRTP with keys in the SDP, and feedback.
        RtpSavpf => "RTP/SAVPF",
        /// SRTP with keys by DTLS.
        UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
        /// SRTP with keys by DTLS, and feedback.
        UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
        /// Whatever was offered, even where the other side would have to be another.
        Accept => "accept",
    }
}

words! {
    /// What becomes of ICE.
    Ice {
        /// Taken out.
        Remove => "remove",
        /// Replaced, or put in where there was none.
        Force => "force",
        /// Passed on with the node added as a relay.
        ForceRelay => "force-relay",
        /// As if there were no option: kept where it is offered.
        Default => "default",
        /// Replaced where it is offered.
        Optional => "optional",
    }
}

words! {
    /// The part in DTLS.
    Dtls {
        /// Neither offered nor accepted.
        Off => "off",
        /// The node waits for the other side.
        Passive => "passive",
        /// The node begins.
        Active => "active",
    }
}

words! {
    /// SRTP that is offered as RTP.
    Osrtp {
        /// Offered to the other side.
        Offer => "offer",
        /// Accepted from the side that offers it.
        Accept => "accept",
    }
}

words! {
    /// What becomes of RTCP on the port of RTP.
    RtcpMux {
        /// Offered whatever came.
        Offer => "offer",
        /// Offered without a way back.
        Require => "require",
        /// Two ports to the other side, one to the side that offered it.
        Demux => "demux",
        /// Accepted from the side that offers it, where the other side does not.
        Accept => "accept",
        /// Rejected to the side that offers it.
        Reject => "reject",
    }
}

words! {
    /// Parts of the SDP that are replaced, next to the addresses and ports of media.
    Replace {
        /// The address of the origin.
        Origin => "origin",
        /// The address of the connection of the whole SDP. Releases above 10.5 do it always and say that
        /// they do not know the word.
        SessionConnection => "session-connection",
        /// The name of the SDP.
        SessionName => "session-name",
        /// The user of the origin.
        Username => "username",
        /// The version of the origin, where the SDP changes.
        SdpVersion => "SDP-version",
        /// The version of the origin, always. Not known to release 10.5.
        ForceIncrementSdpVersion => "force-increment-sdp-ver",
        /// The address of all zeros that old equipment holds a call with.
        ZeroAddress => "zero-address",
    }
}

words! {
    /// Whether and when the address of media is learnt from the packets that come.
    EndpointLearning {
        /// Never: the address of the SDP counts.
        Off => "off",
        /// With the first packet.
        Immediate => "immediate",
        /// With the first packet after three seconds.
        Delayed => "delayed",
        /// Within three seconds, the best match of addresses and ports.
        Heuristic => "heuristic",
    }
}

words! {
    /// Addresses in the SDP that is written.
    AddressFamily {
        /// IPv4.
        Ip4 => "IP4",
        /// IPv6.
        Ip6 => "IP6",
    }
}

words! {
    /// Fax over T.38.
    T38 {
        /// T.38 that comes is turned into audio.
        Decode => "decode",
        /// Audio that comes is turned into T.38.
        Force => "force",
        /// Ends what was begun.
        Stop => "stop",
        /// Without error correction.
        NoEcm => "no-ECM",
        /// Without V.17.
        NoV17 => "no-V.17",
        /// Without V.27ter.
        NoV27ter => "no-V.27ter",
        /// Without V.29.
        NoV29 => "no-V.29",
        /// Without V.34.
        NoV34 => "no-V.34",
        /// Without a device that knows of the Internet.
        NoIaf => "no-IAF",
        /// With forward error correction in place of redundancy.
        Fec => "FEC",
    }
}

words! {
    /// What comes in place of digits that are blocked.
    DtmfSecurity {
        /// Digits pass.
        Off => "off",
        /// Nothing.
        Drop => "drop",
        /// Silence.
        Silence => "silence",
        /// A tone.
        Tone => "tone",
        /// Digits at random.
        Random => "random",
        /// The digit zero.
        Zero => "zero",
        /// Digits in place of tones.
        Dtmf => "DTMF",
    }
}

words! {
    /// Options that are set or not.
    Flag {
        /// Addresses of the SDP are trusted even when `received from` says another.
        TrustAddress => "trust-address",
        /// The address that the signalling came from is trusted in place of those of the SDP.
        SipSourceAddress => "SIP-source-address",
        /// Media is not sent to where it comes from: no learning. Without it nodes are symmetric.
        Asymmetric => "asymmetric",
        /// Media from any other address than the one learnt is dropped.
        StrictSource => "strict-source",
        /// Media from another address moves the way back at any time.
        MediaHandover => "media-handover",
        /// A port stays as it was in another offer, whatever changed.
        PortLatching => "port-latching",
        /// The other way round.
        NoPortLatching => "no-port-latching",
        /// The call is recorded from its start.
        RecordCall => "record-call",
        /// An SDP that passed a node before passes as it is.
        LoopProtect => "loop-protect",
        /// RTCP comes from the node itself.
        GenerateRtcp => "generate-RTCP",
        /// No attribute of the port of RTCP.
        NoRtcpAttribute => "no-rtcp-attribute",
        /// The attribute of the port of RTCP has an address.
        FullRtcpAttribute => "full-rtcp-attribute",
        /// Digits can be sent by [`super::Command::PlayDtmf`] as a tone too.
        InjectDtmf => "inject-DTMF",
        /// Tones of digits are found in audio.
        DetectDtmf => "detect-DTMF",
        /// Attributes of the direction stay as they came.
        OriginalSendrecv => "original-sendrecv",
        /// Audio is transcoded to the first codec that was offered. Releases above 10.5 say force instead
        /// of always and take both.
        AlwaysTranscode => "always-transcode",
        /// Codecs that the answer does not know may be transcoded to.
        AllowTranscoding => "allow-transcoding",
        /// Sides may send other codecs than they receive.
        AsymmetricCodecs => "asymmetric-codecs",
        /// The answer has one codec.
        SingleCodec => "single-codec",
        /// Codecs stay those of the first offer.
        ReuseCodecs => "reuse-codecs",
        /// The answer has its codecs in the order of the offer.
        ReorderCodecs => "reorder-codecs",
        /// The response that the SDP came in is not taken as final. Not known to release 10.5.
        Provisional => "provisional",
        /// A tag that was not seen is another side, not another name of one. Not known to release 10.5.
        NewBranch => "new-branch",
        /// The other side begins, for a side behind a NAT that does not send first.
        PierceNat => "pierce-NAT",
        /// Nothing is sent before something came.
        NatWait => "NAT-wait",
        /// Learnt addresses and keys are forgotten.
        Reset => "reset",
        /// Nothing comes back from the side.
        Unidirectional => "unidirectional",
        /// No buffer against jitter.
        NoJitterBuffer => "no-jitter-buffer",
    }
}

/// Keys of SRTP in the SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdes<'a> {
    /// Neither offered nor accepted.
    Off,
    /// SRTP without encryption.
    UnencryptedSrtp,
    /// SRTCP without encryption.
    UnencryptedSrtcp,
    /// SRTP without authentication.
    UnauthenticatedSrtp,
    /// A lifetime with every key.
    Lifetime,
    /// Keys are padded in base64.
    Pad,
    /// Suites stay as they were in another answer.
    Static,
    /// Not this suite.
    Without(&'a str),
    /// This suite, and others named so. Not known to release 10.5.
    Only(&'a str),
}

impl Sdes<'_> {
    /// As it is written: what stands before a suite, and the suite.
    pub(super) const fn parts(&self) -> [&str; 2] {
        match *self {
            Self::Off => ["off", ""],
            Self::UnencryptedSrtp => ["unencrypted_srtp", ""],
            Self::UnencryptedSrtcp => ["unencrypted_srtcp", ""],
            Self::UnauthenticatedSrtp => ["unauthenticated_srtp", ""],
            Self::Lifetime => ["lifetime", ""],
            Self::Pad => ["pad", ""],
            Self::Static => ["static", ""],
            Self::Without(suite) => ["no-", suite],
            Self::Only(suite) => ["only-", suite],
        }
    }
}
