//! Status codes (RFC 3261 21 and the RFCs that add to it).

use std::fmt;

/// A response's status code, 100 to 699.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCode(u16);

macro_rules! statuses {
    ($($name:ident = $value:literal, $phrase:literal;)*) => {
        impl StatusCode {
            $(#[doc = concat!(stringify!($value), " ", $phrase, ".")] pub const $name: Self = Self($value);)*

            /// The recommended reason phrase; for a code without one, that of its class, x00 (8.1.3.2).
            pub const fn reason_phrase(self) -> &'static str {
                match self.0 {
                    $($value => $phrase,)*
                    code => class_phrase(code),
                }
            }
        }
    };
}

statuses! {
    TRYING = 100, "Trying";
    RINGING = 180, "Ringing";
    CALL_IS_BEING_FORWARDED = 181, "Call Is Being Forwarded";
    QUEUED = 182, "Queued";
    SESSION_PROGRESS = 183, "Session Progress";
    EARLY_DIALOG_TERMINATED = 199, "Early Dialog Terminated";
    OK = 200, "OK";
    ACCEPTED = 202, "Accepted";
    NO_NOTIFICATION = 204, "No Notification";
    MULTIPLE_CHOICES = 300, "Multiple Choices";
    MOVED_PERMANENTLY = 301, "Moved Permanently";
    MOVED_TEMPORARILY = 302, "Moved Temporarily";
    USE_PROXY = 305, "Use Proxy";
    ALTERNATIVE_SERVICE = 380, "Alternative Service";
    BAD_REQUEST = 400, "Bad Request";
    UNAUTHORIZED = 401, "Unauthorized";
    PAYMENT_REQUIRED = 402, "Payment Required";
    FORBIDDEN = 403, "Forbidden";
    NOT_FOUND = 404, "Not Found";
    METHOD_NOT_ALLOWED = 405, "Method Not Allowed";
    NOT_ACCEPTABLE = 406, "Not Acceptable";
    PROXY_AUTHENTICATION_REQUIRED = 407, "Proxy Authentication Required";
    REQUEST_TIMEOUT = 408, "Request Timeout";
    GONE = 410, "Gone";
    CONDITIONAL_REQUEST_FAILED = 412, "Conditional Request Failed";
    REQUEST_ENTITY_TOO_LARGE = 413, "Request Entity Too Large";
    REQUEST_URI_TOO_LONG = 414, "Request-URI Too Long";
    UNSUPPORTED_MEDIA_TYPE = 415, "Unsupported Media Type";
    UNSUPPORTED_URI_SCHEME = 416, "Unsupported URI Scheme";
    UNKNOWN_RESOURCE_PRIORITY = 417, "Unknown Resource-Priority";
    BAD_EXTENSION = 420, "Bad Extension";
    EXTENSION_REQUIRED = 421, "Extension Required";
    SESSION_INTERVAL_TOO_SMALL = 422, "Session Interval Too Small";
    INTERVAL_TOO_BRIEF = 423, "Interval Too Brief";
    USE_IDENTITY_HEADER = 428, "Use Identity Header";
    FLOW_FAILED = 430, "Flow Failed";
    ANONYMITY_DISALLOWED = 433, "Anonymity Disallowed";
    BAD_IDENTITY_INFO = 436, "Bad Identity Info";
    UNSUPPORTED_CREDENTIAL = 437, "Unsupported Credential";
    INVALID_IDENTITY_HEADER = 438, "Invalid Identity Header";
    MAX_BREADTH_EXCEEDED = 440, "Max-Breadth Exceeded";
    TEMPORARILY_UNAVAILABLE = 480, "Temporarily Unavailable";
    CALL_OR_TRANSACTION_DOES_NOT_EXIST = 481, "Call/Transaction Does Not Exist";
    LOOP_DETECTED = 482, "Loop Detected";
    TOO_MANY_HOPS = 483, "Too Many Hops";
    ADDRESS_INCOMPLETE = 484, "Address Incomplete";
    AMBIGUOUS = 485, "Ambiguous";
    BUSY_HERE = 486, "Busy Here";
    REQUEST_TERMINATED = 487, "Request Terminated";
    NOT_ACCEPTABLE_HERE = 488, "Not Acceptable Here";
    BAD_EVENT = 489, "Bad Event";
    REQUEST_PENDING = 491, "Request Pending";
    UNDECIPHERABLE = 493, "Undecipherable";
    SECURITY_AGREEMENT_REQUIRED = 494, "Security Agreement Required";
    SERVER_INTERNAL_ERROR = 500, "Server Internal Error";
    NOT_IMPLEMENTED = 501, "Not Implemented";
    BAD_GATEWAY = 502, "Bad Gateway";
    SERVICE_UNAVAILABLE = 503, "Service Unavailable";
    SERVER_TIMEOUT = 504, "Server Time-out";
    VERSION_NOT_SUPPORTED = 505, "Version Not Supported";
    MESSAGE_TOO_LARGE = 513, "Message Too Large";
    PRECONDITION_FAILURE = 580, "Precondition Failure";
    BUSY_EVERYWHERE = 600, "Busy Everywhere";
    DECLINE = 603, "Decline";
    DOES_NOT_EXIST_ANYWHERE = 604, "Does Not Exist Anywhere";
    NOT_ACCEPTABLE_ANYWHERE = 606, "Not Acceptable";
    UNWANTED = 607, "Unwanted";
    REJECTED = 608, "Rejected";
}

impl StatusCode {
    /// The code `code`, or `None` outside 100 to 699.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..=699 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Its first digit, 1 to 6.
    pub const fn class(self) -> u8 {
        match self.0 {
            ..=199 => 1,
            200..=299 => 2,
            300..=399 => 3,
            400..=499 => 4,
            500..=599 => 5,
            _ => 6,
        }
    }

    /// 1xx.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 2xx to 6xx.
    pub const fn is_final(self) -> bool {
        !self.is_provisional()
    }

    /// 2xx.
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An unknown code is treated as the x00 of its class; 183 stands in for an unknown 1xx.
const fn class_phrase(code: u16) -> &'static str {
    match code {
        ..=199 => "Session Progress",
        200..=299 => "OK",
        300..=399 => "Multiple Choices",
        400..=499 => "Bad Request",
        500..=599 => "Server Internal Error",
        _ => "Busy Everywhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_100_to_699_exist() {
        for code in 0..=u16::MAX {
            assert_eq!(
                StatusCode::new(code).map(StatusCode::as_u16),
                (100..700).contains(&code).then_some(code)
            );
        }
    }

    #[test]
    fn classes() {
        for code in (100..700).filter_map(StatusCode::new) {
            assert_eq!(u16::from(code.class()), code.as_u16() / 100);
            assert_eq!(code.is_provisional(), code.class() == 1);
            assert_eq!(code.is_final(), code.class() > 1);
            assert_eq!(code.is_success(), code.class() == 2);
            assert!(!code.reason_phrase().is_empty());
        }
    }

    #[test]
    fn phrases() {
        for (code, phrase) in [(100, "Trying"), (487, "Request Terminated"), (199, "Early Dialog Terminated")]
        {
            assert_eq!(StatusCode::new(code).unwrap().reason_phrase(), phrase);
        }
        for (code, phrase) in
            [(177, "Session Progress"), (299, "OK"), (499, "Bad Request"), (699, "Busy Everywhere")]
        {
            assert_eq!(StatusCode::new(code).unwrap().reason_phrase(), phrase, "of its class");
        }
        assert_eq!(format!("{0} {0:?}", StatusCode::BUSY_HERE), "486 486");
    }
}
