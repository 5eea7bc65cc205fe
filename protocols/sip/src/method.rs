//! Methods (RFC 3261 7.1 and the RFCs that add to it).

use std::fmt;

macro_rules! methods {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// A request's method. Names are case-sensitive (7.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $doc] $variant,)*
            /// Any other; only the message knows its name.
            Other,
        }

        impl Method {
            /// The method of this name; [`Method::Other`] for one that is not listed, whatever its octets.
            pub const fn from_bytes(name: &[u8]) -> Self {
                $(
                    if equal(name, $name.as_bytes()) {
                        return Self::$variant;
                    }
                )*
                Self::Other
            }

            /// The name as it stands in a request; empty for [`Method::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// Every method with a name, for Allow.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

// In the order in which traffic brings them.
methods! {
    Invite = "INVITE", "RFC 3261 13.";
    Ack = "ACK", "RFC 3261 13, 17.";
    Bye = "BYE", "RFC 3261 15.";
    Cancel = "CANCEL", "RFC 3261 9.";
    Options = "OPTIONS", "RFC 3261 11.";
    Register = "REGISTER", "RFC 3261 10.";
    Prack = "PRACK", "RFC 3262.";
    Update = "UPDATE", "RFC 3311.";
    Info = "INFO", "RFC 6086.";
    Subscribe = "SUBSCRIBE", "RFC 6665.";
    Notify = "NOTIFY", "RFC 6665.";
    Refer = "REFER", "RFC 3515.";
    Message = "MESSAGE", "RFC 3428.";
    Publish = "PUBLISH", "RFC 3903.";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Other { "other" } else { self.as_str() })
    }
}

/// `==` of slices is not const.
const fn equal(mut left: &[u8], mut right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        if *a != *b {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(Method::KNOWN.len(), 14);
        for method in Method::KNOWN {
            assert_eq!(Method::from_bytes(method.as_str().as_bytes()), *method);
            assert_eq!(method.to_string(), method.as_str());
        }
    }

    #[test]
    fn anything_else_is_other() {
        let names: [&[u8]; 7] = [b"", b"invite", b"INVITE ", b"INVIT", b"INVITEE", b"\xff", b"NEWMETHOD"];
        for name in names {
            assert_eq!(Method::from_bytes(name), Method::Other, "{name:?}");
        }
        assert_eq!((Method::Other.as_str(), Method::Other.to_string()), ("", "other".to_owned()));
    }
}
