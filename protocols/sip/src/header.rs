//! Header names (RFC 3261, 20, and later RFCs), found by length, first and last octet.

macro_rules! headers {
    ($($id:ident = $name:literal $(, $compact:literal)?;)*) => {
        /// A header that this crate knows by name; [`HeaderId::Unknown`] for every other, whose name stays in
        /// the message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderId {
            /// A header of another name.
            Unknown,
            $(#[doc = concat!("`", $name, "`.")] $id,)*
        }

        impl HeaderId {
            /// Every header with a name.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// The usual spelling of the name; empty for [`HeaderId::Unknown`].
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "",
                    $(Self::$id => $name,)*
                }
            }

            /// The compact form (RFC 3261, 7.3.3).
            pub const fn compact(self) -> Option<char> {
                match self {
                    $($(Self::$id => Some($compact),)?)*
                    _ => None,
                }
            }
        }
    };
}

headers! {
    Via = "Via", 'v';
    From = "From", 'f';
    To = "To", 't';
    CallId = "Call-ID", 'i';
    CSeq = "CSeq";
    Contact = "Contact", 'm';
    MaxForwards = "Max-Forwards";
    Route = "Route";
    RecordRoute = "Record-Route";
    ContentLength = "Content-Length", 'l';
    ContentType = "Content-Type", 'c';
    ContentEncoding = "Content-Encoding", 'e';
    ContentDisposition = "Content-Disposition";
    ContentLanguage = "Content-Language";
    MimeVersion = "MIME-Version";
    Require = "Require";
    ProxyRequire = "Proxy-Require";
    Supported = "Supported", 'k';
    Unsupported = "Unsupported";
    Allow = "Allow";
    AllowEvents = "Allow-Events", 'u';
    Expires = "Expires";
    MinExpires = "Min-Expires";
    MinSe = "Min-SE";
    SessionExpires = "Session-Expires", 'x';
    RAck = "RAck";
    RSeq = "RSeq";
    Reason = "Reason";
    PAssertedIdentity = "P-Asserted-Identity";
    PPreferredIdentity = "P-Preferred-Identity";
    PChargingVector = "P-Charging-Vector";
    PEarlyMedia = "P-Early-Media";
    RemotePartyId = "Remote-Party-ID";
    Privacy = "Privacy";
    Diversion = "Diversion";
    HistoryInfo = "History-Info";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    AuthenticationInfo = "Authentication-Info";
    UserAgent = "User-Agent";
    Server = "Server";
    Organization = "Organization";
    Warning = "Warning";
    RetryAfter = "Retry-After";
    Subject = "Subject", 's';
    Event = "Event", 'o';
    SubscriptionState = "Subscription-State";
    ReferTo = "Refer-To", 'r';
    ReferredBy = "Referred-By", 'b';
    Replaces = "Replaces";
    Join = "Join";
    TargetDialog = "Target-Dialog";
    Identity = "Identity", 'y';
    IdentityInfo = "Identity-Info", 'n';
    Date = "Date";
    Timestamp = "Timestamp";
    InReplyTo = "In-Reply-To";
    ReplyTo = "Reply-To";
    Priority = "Priority";
    AlertInfo = "Alert-Info";
    CallInfo = "Call-Info";
    ErrorInfo = "Error-Info";
    Accept = "Accept";
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AcceptContact = "Accept-Contact", 'a';
    RejectContact = "Reject-Contact", 'j';
    RequestDisposition = "Request-Disposition", 'd';
    Path = "Path";
    ServiceRoute = "Service-Route";
    MaxBreadth = "Max-Breadth";
    UserToUser = "User-to-User";
}

/// The number of ids, [`HeaderId::Unknown`] included.
pub(crate) const COUNT: usize = HeaderId::ALL.len() + 1;

/// Headers that come at most once, for their values are no comma lists (7.3.1, 20; RFC 3262, 3323, 3515, 3891, 3892,
/// 3911, 4028, 4538, 5393, 6665): which of two counts, each element would decide on its own.
pub(crate) const ONCE: [HeaderId; 21] = [
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::MaxForwards,
    HeaderId::ContentLength,
    HeaderId::ContentType,
    HeaderId::ContentDisposition,
    HeaderId::Expires,
    HeaderId::SessionExpires,
    HeaderId::MinSe,
    HeaderId::RAck,
    HeaderId::RSeq,
    HeaderId::Privacy,
    HeaderId::ReferTo,
    HeaderId::ReferredBy,
    HeaderId::Replaces,
    HeaderId::Join,
    HeaderId::TargetDialog,
    HeaderId::Event,
    HeaderId::MaxBreadth,
];

/// Some headers, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderSet(u128);

impl HeaderSet {
    /// None.
    pub(crate) const EMPTY: Self = Self(0);

    /// Adds one; [`HeaderId::Unknown`] stands for all of other names and is never in it.
    pub(crate) fn insert(&mut self, id: HeaderId) {
        if id != HeaderId::Unknown {
            self.0 |= 1 << id.index();
        }
    }

    /// Whether it is in it.
    pub(crate) const fn has(self, id: HeaderId) -> bool {
        self.0 & 1 << id.index() != 0
    }
}

const _: () = assert!(COUNT <= u128::BITS as usize, "a set has a bit for each id");

const LETTERS: usize = 26;
/// Slots of the table by name; with so many, no two usual headers share one.
const SLOTS: usize = 1 << 10;

/// The names by id.
static NAMES: [&str; COUNT] = names();
/// The first id of each slot; 0 where there is none.
static HEADS: [u8; SLOTS] = chains().0;
/// For each id the next of the same slot.
static NEXT: [u8; COUNT] = chains().1;
/// The id of each compact form, by letter.
static COMPACT: [u8; LETTERS] = compacts();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn names() -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let mut at = 0;
    while at < HeaderId::ALL.len() {
        names[HeaderId::ALL[at].index()] = HeaderId::ALL[at].name();
        at += 1;
    }
    names
}

/// Length, first and last octet, case left out.
const fn slot(len: usize, first: u8, last: u8) -> usize {
    ((first & 0x1F) as usize | ((last & 0x1F) as usize) << 5) ^ (len << 3) & (SLOTS - 1)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn chains() -> ([u8; SLOTS], [u8; COUNT]) {
    let mut heads = [0; SLOTS];
    let mut next = [0; COUNT];
    // The first of the list are the most usual: they come first in their slot.
    let mut at = HeaderId::ALL.len();
    while at > 0 {
        at -= 1;
        let id = HeaderId::ALL[at] as u8;
        let name = HeaderId::ALL[at].name().as_bytes();
        let slot = slot(name.len(), name[0], name[name.len() - 1]);
        next[id as usize] = heads[slot];
        heads[slot] = id;
    }
    (heads, next)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn compacts() -> [u8; LETTERS] {
    let mut table = [0; LETTERS];
    let mut at = 0;
    while at < HeaderId::ALL.len() {
        if let Some(letter) = HeaderId::ALL[at].compact() {
            table[(letter as u8 - b'a') as usize] = HeaderId::ALL[at] as u8;
        }
        at += 1;
    }
    table
}

impl HeaderId {
    /// The id of a name, full or compact, in any case.
    #[inline]
    pub fn from_name(name: &[u8]) -> Self {
        match name {
            [] => Self::Unknown,
            [letter] => Self::from_compact(*letter),
            [first, .., last] => {
                let mut id = HEADS.get(slot(name.len(), *first, *last)).copied().unwrap_or_default();
                while id != 0 {
                    let known = NAMES.get(usize::from(id)).map_or(&[][..], |name| name.as_bytes());
                    // Nearly all are in the usual spelling, which is compared many octets at a time.
                    if name == known || name.eq_ignore_ascii_case(known) {
                        return Self::from_index(id);
                    }
                    id = NEXT.get(usize::from(id)).copied().unwrap_or_default();
                }
                Self::Unknown
            }
        }
    }

    fn from_compact(letter: u8) -> Self {
        let place = letter.to_ascii_lowercase().wrapping_sub(b'a');
        COMPACT.get(usize::from(place)).map_or(Self::Unknown, |&id| Self::from_index(id))
    }

    /// Whether a message has it at most once.
    pub(crate) fn comes_once(self) -> bool {
        ONCE.contains(&self)
    }

    /// The place in tables by id.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    fn from_index(index: u8) -> Self {
        let known = usize::from(index).checked_sub(1).and_then(|at| Self::ALL.get(at));
        known.copied().unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_name_is_found() {
        for &id in HeaderId::ALL {
            let name = id.name();
            for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(HeaderId::from_name(spelling.as_bytes()), id);
            }
            if let Some(compact) = id.compact() {
                assert_eq!(HeaderId::from_name(&[compact as u8]), id);
                assert_eq!(HeaderId::from_name(&[compact.to_ascii_uppercase() as u8]), id);
            }
            for other in [format!("{name}x"), format!("x{name}"), name.replace(['a', 'e', 'o'], "_")] {
                let found = HeaderId::from_name(other.as_bytes());
                assert!(found == HeaderId::Unknown || other == name, "{other}");
            }
        }
    }

    #[test]
    fn other_names_are_unknown() {
        for name in
            ["", "z", "[ia", "C%6Fntact", "X-Custom", "V ", "Viaa", "Extremely-Long-Header-Name", "\u{e9}"]
        {
            assert_eq!(HeaderId::from_name(name.as_bytes()), HeaderId::Unknown, "{name}");
        }
    }
}
