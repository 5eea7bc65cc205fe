//! Values with a form: parsed once, at the edge.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a text is not a value of the type asked for; made for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct Invalid {
    text: String,
    what: &'static str,
}

impl Invalid {
    pub(crate) fn new(text: &str, what: &'static str) -> Self {
        Self { text: text.to_owned(), what }
    }
}

macro_rules! text_value {
    ($name:ident, $doc:literal, $what:literal, $valid:expr) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(Invalid::new(text, $what)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_value!(
    Ban,
    "Billing account number of a customer, as `TB-071161708`; older and shorter ones as `DEMO-002` are valid.",
    "a BAN: 3 to 20 capital letters, digits and dashes, such as TB-071161708",
    |text| (3..=20).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'-')
);

text_value!(
    SystemId,
    "system_id of an SMPP account: at most 15 octets (SMPP 3.4 section 5.2.1).",
    "a system_id: 1 to 15 printable ASCII characters without spaces",
    |text| (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
);

macro_rules! word_value {
    ($name:ident, $doc:literal, $what:literal, { $($variant:ident = $word:literal, $variant_doc:literal;)+ }) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            // utoipa does not see serde's word where a macro hands it on.
            $(#[doc = $variant_doc] #[serde(rename = $word)] #[schema(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word in files, JSON and the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(Invalid::new(text, $what)) }
            }
        }
    };
}

word_value!(Alphabet, "What data_coding 0 means to a peer.", "an alphabet: gsm7, ascii or latin1", {
    Gsm7 = "gsm7", "GSM 03.38, one septet per octet.";
    Ascii = "ascii", "IA5.";
    Latin1 = "latin1", "ISO 8859-1.";
});

word_value!(MessageIdFormat, "How our message ids look to a customer.", "a message id format: hex or decimal", {
    Hex = "hex", "16 lowercase hexadecimal digits.";
    Decimal = "decimal", "19 decimal digits.";
});

word_value!(BindType, "How we bind to a vendor.", "a bind type: transceiver, transmitter or receiver", {
    Transceiver = "transceiver", "Both ways on one session.";
    Transmitter = "transmitter", "We only submit.";
    Receiver = "receiver", "We only receive.";
});

word_value!(AuthType, "How a trunk's calls are authenticated.", "an auth_type: IP_ACL, DIGEST or BOTH", {
    IpAcl = "IP_ACL", "The source must be in the trunk's ACL.";
    Digest = "DIGEST", "Challenged, whatever the source.";
    Both = "BOTH", "Source and digest.";
});

word_value!(VendorStatus, "Whether a SIP vendor gets calls.", "a vendor status: ACTIVE, DRAINED or DISABLED", {
    Active = "ACTIVE", "New calls, both ways.";
    Drained = "DRAINED", "No new calls to it; what is up goes on, its own calls are taken, it is probed.";
    Disabled = "DISABLED", "No new calls either way, not probed; what is up goes on.";
});

word_value!(Oversize, "How a request goes over UDP that is larger than 1,300 octets (RFC 3261 section 18.1.1).",
    "an oversize policy: tcp or fragment", {
    Tcp = "tcp", "By TCP where the next hop has it, else fragmented.";
    Fragment = "fragment", "As IP fragments.";
});

word_value!(VerifyIdentity, "What is done with the Identity that calls come with (RFC 8224).",
    "a verify_identity: off, note or refuse", {
    Off = "off", "It is not looked at.";
    Note = "note", "It is checked, and what came of it is noted.";
    Refuse = "refuse", "Calls without one, and those whose one is not right, are refused.";
});

word_value!(Fork, "How a call goes to what a trunk has registered.", "a fork: serial or parallel", {
    Serial = "serial", "To one contact after the other.";
    Parallel = "parallel", "To all contacts at once.";
});

word_value!(Attestation, "How much is said of a caller when its call is signed (RFC 8588); the weaker one is the greater.",
    "an attestation: A, B or C", {
    A = "A", "Full: the number is the customer's.";
    B = "B", "Partial: the customer is known.";
    C = "C", "Gateway: where the call came from is known.";
});

word_value!(MediaNodeState, "Whether a media node gets calls.",
    "the state of a media node: ACTIVE, DRAINING or DISABLED", {
    Active = "ACTIVE", "New calls.";
    Draining = "DRAINING", "No new calls; those that it has go on.";
    Disabled = "DISABLED", "Nothing is sent to it.";
});

word_value!(MediaPath, "Where media goes.", "a media path: anchored or direct", {
    Anchored = "anchored", "Through a media node.";
    Direct = "direct", "From peer to peer.";
});

word_value!(EndpointLearning, "Whether media may come from elsewhere than the SDP says.",
    "an endpoint learning: off, immediate, delayed or heuristic", {
    Off = "off", "The SDP alone says it.";
    Immediate = "immediate", "The source of the first packet.";
    Delayed = "delayed", "The source of what comes after three seconds.";
    Heuristic = "heuristic", "Of the sources of three seconds the one that is most like the SDP's.";
});

word_value!(MediaSecurity, "Whether media is encrypted.", "a media security: rtp, srtp or as_offered", {
    Rtp = "rtp", "In the clear.";
    Srtp = "srtp", "SRTP.";
    AsOffered = "as_offered", "As the other side offers it.";
});

word_value!(Dtmf, "How digits that are pressed are carried.", "a dtmf: as_offered, telephone_event or inband", {
    AsOffered = "as_offered", "As the other side does it.";
    TelephoneEvent = "telephone_event", "As events (RFC 4733).";
    Inband = "inband", "As tones.";
});

word_value!(T38, "What becomes of an offer of fax over IP.", "a t38: pass or refuse", {
    Pass = "pass", "It goes on.";
    Refuse = "refuse", "It is refused.";
});

word_value!(CallerSource, "Where the number of a caller stands.",
    "a caller source: from, p_asserted_identity, p_preferred_identity or remote_party_id", {
    From = "from", "From.";
    PAssertedIdentity = "p_asserted_identity", "P-Asserted-Identity (RFC 3325).";
    PPreferredIdentity = "p_preferred_identity", "P-Preferred-Identity (RFC 3325).";
    RemotePartyId = "remote_party_id", "Remote-Party-ID.";
});

word_value!(ForeignNumbers, "What becomes of calls from numbers that are none of the customer's.",
    "a policy for foreign numbers: pass, replace or refuse", {
    Pass = "pass", "They go on.";
    Replace = "replace", "They go on with the default number.";
    Refuse = "refuse", "They are refused with 403.";
});

word_value!(IdentityHeaders, "The identity headers that a peer is given.",
    "identity headers: as_received, none, p_asserted_identity, remote_party_id or both", {
    AsReceived = "as_received", "Those that came, where both sides are trusted.";
    Nothing = "none", "None.";
    PAssertedIdentity = "p_asserted_identity", "P-Asserted-Identity (RFC 3325).";
    RemotePartyId = "remote_party_id", "Remote-Party-ID.";
    Both = "both", "P-Asserted-Identity and Remote-Party-ID.";
});

word_value!(Diversions, "How a peer is told who was called before.",
    "how diversions are told: as_received, diversion or history_info", {
    AsReceived = "as_received", "As it came.";
    Diversion = "diversion", "By Diversion (RFC 5806).";
    HistoryInfo = "history_info", "By History-Info (RFC 7044).";
});

word_value!(HeaderAction, "What a header rule does.", "a header action: set, add or remove", {
    Set = "set", "The header with this value and no other of its name.";
    Add = "add", "One more header.";
    Remove = "remove", "Every header of the name goes.";
});

word_value!(Transport, "How SIP messages travel.", "a transport: udp, tcp or tls", {
    Udp = "udp", "Datagrams.";
    Tcp = "tcp", "A stream.";
    Tls = "tls", "A stream under TLS.";
});

/// Which binds an ESME account may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct BindModes {
    /// bind_transmitter.
    pub tx: bool,
    /// bind_receiver.
    pub rx: bool,
    /// bind_transceiver.
    pub trx: bool,
}

impl Default for BindModes {
    fn default() -> Self {
        Self { tx: true, rx: true, trx: true }
    }
}

impl TryFrom<Vec<String>> for BindModes {
    type Error = Invalid;

    fn try_from(words: Vec<String>) -> Result<Self, Invalid> {
        words.join(",").parse()
    }
}

impl From<BindModes> for Vec<String> {
    fn from(modes: BindModes) -> Self {
        modes.to_string().split(',').map(str::to_owned).collect()
    }
}

impl FromStr for BindModes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut modes = Self { tx: false, rx: false, trx: false };
        for word in text.split(',') {
            match word.trim() {
                "TX" => modes.tx = true,
                "RX" => modes.rx = true,
                "TRX" => modes.trx = true,
                _ => return Err(Invalid::new(text, "a list of bind modes out of TX, RX and TRX")),
            }
        }
        Ok(modes)
    }
}

impl fmt::Display for BindModes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.tx, "TX"), (self.rx, "RX"), (self.trx, "TRX")];
        let chosen: Vec<&str> =
            words.into_iter().filter_map(|(chosen, word)| chosen.then_some(word)).collect();
        f.write_str(&chosen.join(","))
    }
}

/// A network in CIDR form; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The address as written, which may have bits outside of the prefix.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.network
    }

    /// Length of the prefix.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// The lowest address in the network.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        match self.network {
            IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits() & self.mask_v4()).into(),
            IpAddr::V6(network) => Ipv6Addr::from_bits(network.to_bits() & self.mask_v6()).into(),
        }
    }

    /// The highest address in the network.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        match self.network {
            IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits() | !self.mask_v4()).into(),
            IpAddr::V6(network) => Ipv6Addr::from_bits(network.to_bits() | !self.mask_v6()).into(),
        }
    }

    /// The networks around this one, the widest first.
    pub fn around(&self) -> impl Iterator<Item = Self> + use<> {
        let network = self.network;
        (0..self.bits).map(move |bits| Self { network, bits })
    }

    fn mask_v4(&self) -> u32 {
        u32::MAX.checked_shl(32_u32.saturating_sub(self.bits.into())).unwrap_or(0)
    }

    fn mask_v6(&self) -> u128 {
        u128::MAX.checked_shl(128_u32.saturating_sub(self.bits.into())).unwrap_or(0)
    }

    /// True when the address lies in the network; an IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) & self.mask_v4() == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) & self.mask_v6() == 0
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Cidr {
    /// The network of this address alone.
    fn from(address: IpAddr) -> Self {
        Self { network: address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Cidr {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(text, "a network such as 192.0.2.0/24 or 2001:db8::/32");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| invalid())?;
        let widest = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(widest);
        if bits > widest { Err(invalid()) } else { Ok(Self { network, bits }) }
    }
}

impl TryFrom<String> for Cidr {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

/// Money in nano-units (10^-9), a decimal string at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money(i64);

impl Money {
    const UNIT: i64 = 1_000_000_000;

    /// An amount of nano-units.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-units.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

impl FromStr for Money {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(text, "an amount such as 0.0035 (at most nine decimals)");
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
            return Err(invalid());
        }
        let whole: i64 = whole.parse().map_err(|_| invalid())?;
        let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| invalid())?;
        let nanos = whole.checked_mul(Self::UNIT).and_then(|nanos| nanos.checked_add(fraction));
        let nanos = nanos.ok_or_else(invalid)?;
        Ok(Self(if negative { -nanos } else { nanos }))
    }
}

impl TryFrom<String> for Money {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (whole, fraction) = (nanos / Self::UNIT.unsigned_abs(), nanos % Self::UNIT.unsigned_abs());
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:09}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_parse_or_say_why_not() {
        assert!("TB-071161708".parse::<Ban>().is_ok());
        assert!("DEMO-002".parse::<Ban>().is_ok());
        assert!("tb-1".parse::<Ban>().is_err());
        assert!("sixteen-letters!".parse::<SystemId>().is_err());
        assert!("".parse::<SystemId>().is_err());
        assert_eq!(
            "gsm8".parse::<Alphabet>().unwrap_err().to_string(),
            "\"gsm8\" is not an alphabet: gsm7, ascii or latin1"
        );
        assert_eq!("RX,TX".parse::<BindModes>().unwrap().to_string(), "TX,RX");
    }

    #[test]
    fn networks_contain_their_addresses() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
        ] {
            let network: Cidr = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
        for bad in ["", "192.0.2.0/33", "192.0.2/24", "::/129", "1.2.3.4/x"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_lie_in_those_around_them() {
        let around = |text: &str| text.parse::<Cidr>().unwrap().around();
        let first: Vec<String> = around("192.0.2.128/3").map(|network| network.first().to_string()).collect();
        assert_eq!(first, ["0.0.0.0", "128.0.0.0", "192.0.0.0"]);
        assert_eq!((around("192.0.2.1").count(), around("2001:db8::/32").count()), (32, 32));
        assert_eq!(around("::/0").count(), 0);
    }

    #[test]
    fn money_is_exact() {
        for (text, nanos, printed) in [
            ("0.0035", 3_500_000, "0.0035"),
            ("12", 12_000_000_000, "12"),
            ("-1.000000001", -1_000_000_001, "-1.000000001"),
            ("7.50", 7_500_000_000, "7.5"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.nanos(), money.to_string().as_str()), (nanos, printed));
        }
        for bad in ["", ".5", "1.", "1.0000000001", "1e3", "9999999999999", "--1"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }
}
