//! What can be wrong with a message before any header is read.

use crate::status::StatusCode;

/// Why octets are no SIP message at all. Nothing can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSip {
    /// Line ends or NUL octets only: somebody keeps a NAT binding open.
    #[error("a keep-alive")]
    KeepAlive,
    /// A request or response of HTTP.
    #[error("HTTP")]
    Http,
    /// The first octets of a TLS connection.
    #[error("TLS")]
    Tls,
    /// The first line is neither a request line nor a status line.
    #[error("no start line of SIP")]
    StartLine,
}

/// What is wrong with a message as a whole. [`Defect::status`] is the answer to a request; a response with a
/// defect, and an ACK, are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Other white space in the request line than one space at either side of the URI.
    #[error("Malformed Start Line")]
    StartLine,
    /// The method is no token.
    #[error("Malformed Method")]
    Method,
    /// A version other than SIP/2.0.
    #[error("Version Not Supported")]
    Version,
    /// A status code outside 100 to 699.
    #[error("Malformed Status Code")]
    StatusCode,
    /// A header line without a colon, or with a name that is no token.
    #[error("Malformed Header Line")]
    HeaderLine,
    /// CR without LF: others may take it for the end of a line.
    #[error("Stray Carriage Return")]
    StrayCr,
    /// LF without CR where that is not allowed.
    #[error("Line Without Carriage Return")]
    LineEnd,
    /// The empty line after the headers is missing.
    #[error("No End of Headers")]
    HeadEnd,
    /// Start line and headers go beyond [`crate::Limits::head`].
    #[error("Headers Too Large")]
    HeadTooLarge,
    /// More headers than [`crate::Limits::headers`].
    #[error("Too Many Headers")]
    TooManyHeaders,
    /// A line longer than [`crate::Limits::line`].
    #[error("Header Too Long")]
    LineTooLong,
    /// More Via values than [`crate::Limits::vias`].
    #[error("Too Many Hops")]
    TooManyVias,
    /// A stream needs Content-Length to find the next message.
    #[error("Missing Content-Length")]
    ContentLengthMissing,
    /// Content-Length is no number, or comes twice with two values.
    #[error("Malformed Content-Length")]
    ContentLength,
    /// Content-Length is larger than the datagram.
    #[error("Content-Length Beyond Datagram")]
    ContentLengthBeyond,
    /// Larger than [`crate::Limits::message`].
    #[error("Message Too Large")]
    MessageTooLarge,
}

impl Defect {
    /// Whether a limit was exceeded: the rest of the message is not worth repeating.
    pub(crate) const fn is_limit(self) -> bool {
        matches!(
            self,
            Self::HeadTooLarge
                | Self::TooManyHeaders
                | Self::LineTooLong
                | Self::TooManyVias
                | Self::MessageTooLarge
        )
    }

    /// What a request with this defect is answered.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::VERSION_NOT_SUPPORTED,
            Self::MessageTooLarge | Self::HeadTooLarge => StatusCode::MESSAGE_TOO_LARGE,
            Self::TooManyVias => StatusCode::TOO_MANY_HOPS,
            Self::StartLine
            | Self::Method
            | Self::StatusCode
            | Self::HeaderLine
            | Self::StrayCr
            | Self::LineEnd
            | Self::HeadEnd
            | Self::TooManyHeaders
            | Self::LineTooLong
            | Self::ContentLengthMissing
            | Self::ContentLength
            | Self::ContentLengthBeyond => StatusCode::BAD_REQUEST,
        }
    }
}
