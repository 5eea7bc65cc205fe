//! Why a call's Identity is not taken, and what its sender is answered (RFC 8224, 6.2.2).

/// Why an Identity is not taken. Each has the answer that RFC 8224 gives it, for who refuses calls by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// There is none.
    #[error("it has no Identity")]
    Missing,
    /// It cannot be read.
    #[error("its Identity is malformed")]
    Malformed,
    /// It was made more than a minute before or after now.
    #[error("its Identity is not of this minute")]
    Stale,
    /// Its certificate could not be had.
    #[error("the certificate of its Identity cannot be had")]
    Unavailable,
    /// Its certificate is not trusted, has expired, or is none for this number.
    #[error("the certificate of its Identity is not acceptable")]
    Credential,
    /// It is about another call.
    #[error("its Identity is about other numbers")]
    Numbers,
    /// Its signature is wrong.
    #[error("the signature of its Identity is wrong")]
    Signature,
    /// It was used for other calls before.
    #[error("its Identity was used for other calls")]
    Replayed,
}

impl Failure {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing => 428,
            Self::Stale => 403,
            Self::Unavailable => 436,
            Self::Credential => 437,
            Self::Malformed | Self::Numbers | Self::Signature | Self::Replayed => 438,
        }
    }

    /// The reason phrase of the answer.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Missing => "Use Identity Header",
            Self::Stale => "Stale Date",
            Self::Unavailable => "Bad Identity Info",
            Self::Credential => "Unsupported Credential",
            Self::Malformed | Self::Numbers | Self::Signature | Self::Replayed => "Invalid Identity Header",
        }
    }

    /// Whether it says something against the call: where nothing is signed, or the certificate is away, nothing is
    /// known.
    #[must_use]
    pub const fn is_against(self) -> bool {
        !matches!(self, Self::Missing | Self::Unavailable)
    }
}
