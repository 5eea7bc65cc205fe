//! Digest challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization
//! (RFC 3261, 20.7, 20.27, 20.28, 20.44; RFC 7616; RFC 8760).
//!
//! Each header holds one of them, although it has commas: they are read from
//! [`Message::values`](crate::Message::values), not from a list (RFC 3261, 7.3.1).

mod hash;
mod new_challenge;
mod new_credentials;

pub use self::hash::{Hash, HexDigest};
pub use self::new_challenge::NewChallenge;
pub use self::new_credentials::{NewCredentials, NewProtection};
use crate::list::List;
use crate::params::{Param, param_of};
use crate::syntax::{SyntaxError, is_token, split, trim};

/// Parameters of one value at most: more are no challenge of anybody.
const PARAMS_MAX: usize = 32;

/// How a digest is made (RFC 7616, 3.3; RFC 8760, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm<'a> {
    /// `MD5`, also where none is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512Trunc256,
    /// `SHA-512-256-sess`.
    Sha512Trunc256Sess,
    /// Another one. A challenge with it is to be ignored (RFC 8760, 2.4).
    Other(&'a [u8]),
}

impl<'a> Algorithm<'a> {
    fn of(name: Option<&'a [u8]>) -> Self {
        let known: [(&[u8], Self); 6] = [
            (b"MD5", Self::Md5),
            (b"MD5-sess", Self::Md5Sess),
            (b"SHA-256", Self::Sha256),
            (b"SHA-256-sess", Self::Sha256Sess),
            (b"SHA-512-256", Self::Sha512Trunc256),
            (b"SHA-512-256-sess", Self::Sha512Trunc256Sess),
        ];
        let Some(name) = name else { return Self::Md5 };
        let found = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other(name), |(_, algorithm)| algorithm)
    }

    /// Hexadecimal digits of its digests; `None` of an unknown one.
    pub const fn digits(self) -> Option<usize> {
        match self {
            Self::Md5 | Self::Md5Sess => Some(32),
            Self::Sha256 | Self::Sha256Sess | Self::Sha512Trunc256 | Self::Sha512Trunc256Sess => Some(64),
            Self::Other(_) => None,
        }
    }

    /// Whether the nonces are part of the secret (`-sess`).
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512Trunc256Sess)
    }
}

/// Which protections a challenge offers, or credentials have chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qop {
    /// `auth`: the request line.
    pub auth: bool,
    /// `auth-int`: the body too.
    pub auth_int: bool,
}

impl Qop {
    /// Words that are unknown are ignored (RFC 7616, 3.3).
    fn of(words: &[u8]) -> Self {
        let has = |word: &[u8]| List::new(words).any(|found| found.eq_ignore_ascii_case(word));
        Self { auth: has(b"auth"), auth_int: has(b"auth-int") }
    }
}

/// One value of WWW-Authenticate or Proxy-Authenticate. Texts come without their quotes, escapes left as they are: that
/// is how digests are made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Whose users are asked.
    pub realm: &'a [u8],
    /// To be part of the digest.
    pub nonce: &'a [u8],
    /// To be given back.
    pub opaque: Option<&'a [u8]>,
    /// URIs between spaces that the credentials are good for.
    pub domain: Option<&'a [u8]>,
    /// The nonce was too old, and nothing else wrong.
    pub stale: bool,
    /// How the digest is made.
    pub algorithm: Algorithm<'a>,
    /// `None` where it is missing, as before RFC 2617.
    pub qop: Option<Qop>,
    /// User names may come as digests (RFC 7616, 3.4.4).
    pub userhash: bool,
    /// All parameters.
    pub params: AuthParams<'a>,
}

impl<'a> Challenge<'a> {
    /// Reads a whole value.
    ///
    /// Errors: [`SyntaxError::Scheme`] for another scheme than Digest, [`SyntaxError::Parameter`] where a parameter is
    /// malformed, there twice, or one that has to be there is not.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let params = AuthParams::digest(value)?;
        Ok(Self {
            realm: params.needed(b"realm")?,
            nonce: params.needed(b"nonce")?,
            opaque: params.unquoted(b"opaque"),
            domain: params.unquoted(b"domain"),
            stale: params.is_true(b"stale"),
            algorithm: Algorithm::of(params.unquoted(b"algorithm")),
            qop: params.unquoted(b"qop").map(Qop::of),
            userhash: params.is_true(b"userhash"),
            params,
        })
    }
}

/// One value of Authorization or Proxy-Authorization, its texts as those of a [`Challenge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Who it is, as it is written.
    pub username: Username<'a>,
    /// The realm of the challenge.
    pub realm: &'a [u8],
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The Request-URI as it was when the digest was made.
    pub uri: &'a [u8],
    /// The digest: hexadecimal digits, as many as the algorithm has.
    pub response: &'a [u8],
    /// How it was made.
    pub algorithm: Algorithm<'a>,
    /// The opaque text of the challenge.
    pub opaque: Option<&'a [u8]>,
    /// The protection that was chosen; `None` where the challenge offered none.
    pub protection: Option<Protection<'a>>,
    /// All parameters.
    pub params: AuthParams<'a>,
}

/// How credentials name their user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Username<'a> {
    /// `username`.
    Plain(&'a [u8]),
    /// `username` with `userhash=true`: a digest of it.
    Hashed(&'a [u8]),
    /// `username*`: with a character set and percent signs (RFC 8187).
    Encoded(&'a [u8]),
}

/// What comes with a qop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection<'a> {
    /// `auth` or `auth-int`; another word is neither.
    pub qop: Qop,
    /// The client's own nonce.
    pub cnonce: &'a [u8],
    /// How often the nonce was used.
    pub count: u32,
}

impl<'a> Credentials<'a> {
    /// Reads a whole value.
    ///
    /// Errors: as [`Challenge::parse`]; [`SyntaxError::Number`] for a count or a digest that is not of its digits.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let params = AuthParams::digest(value)?;
        let algorithm = Algorithm::of(params.unquoted(b"algorithm"));
        let response = params.needed(b"response")?;
        let is_whole = algorithm.digits().is_none_or(|digits| response.len() == digits);
        if !is_whole || !response.iter().all(u8::is_ascii_hexdigit) {
            return Err(SyntaxError::Number);
        }
        let qop = params.unquoted(b"qop");
        let protection = qop.map(|qop| {
            let count = params.needed(b"nc").and_then(count)?;
            Ok(Protection { qop: Qop::of(qop), cnonce: params.needed(b"cnonce")?, count })
        });
        Ok(Self {
            username: username(params)?,
            realm: params.needed(b"realm")?,
            nonce: params.needed(b"nonce")?,
            uri: params.needed(b"uri")?,
            response,
            algorithm,
            opaque: params.unquoted(b"opaque"),
            protection: protection.transpose()?,
            params,
        })
    }
}

/// One of the two spellings, and not both (RFC 7616, 3.4).
fn username(params: AuthParams<'_>) -> Result<Username<'_>, SyntaxError> {
    let hashed = params.is_true(b"userhash");
    match (params.unquoted(b"username"), params.unquoted(b"username*")) {
        (Some(name), None) if hashed => Ok(Username::Hashed(name)),
        (Some(name), None) => Ok(Username::Plain(name)),
        (None, Some(name)) if !hashed => Ok(Username::Encoded(name)),
        _ => Err(SyntaxError::Parameter),
    }
}

/// Eight hexadecimal digits.
fn count(digits: &[u8]) -> Result<u32, SyntaxError> {
    if digits.len() != 8 {
        return Err(SyntaxError::Number);
    }
    let digit = |octet: &u8| char::from(*octet).to_digit(16).ok_or(SyntaxError::Number);
    digits.iter().try_fold(0_u32, |count, octet| Ok(count << 4 | digit(octet)?))
}

/// `name=value` between commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthParams<'a>(&'a [u8]);

impl<'a> AuthParams<'a> {
    /// What follows `Digest`, every parameter well formed and there once: of two, each reader would take its own.
    fn digest(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let value = trim(value);
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, params) = split(value, end);
        if !is_token(scheme) {
            return Err(if scheme.is_empty() { SyntaxError::Empty } else { SyntaxError::Octet });
        }
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(SyntaxError::Scheme);
        }
        let params = Self(params);
        for (at, param) in params.iter().enumerate() {
            let param = param?;
            let twice = params.iter().take(at).flatten().any(|other| other.is(param.name));
            if twice || at >= PARAMS_MAX {
                return Err(SyntaxError::Parameter);
            }
        }
        Ok(params)
    }

    /// All parameters in their order; empty elements are none.
    pub fn iter(self) -> impl Iterator<Item = Result<Param<'a>, SyntaxError>> {
        let read = |element| match param_of(element) {
            Ok(param) if param.value.is_some() => Ok(param),
            Ok(_) => Err(SyntaxError::Parameter),
            Err(error) => Err(error),
        };
        List::new(self.0).filter(|element| !element.is_empty()).map(read)
    }

    /// The parameter `name`.
    pub fn get(self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().flatten().find(|param| param.is(name))
    }

    fn unquoted(self, name: &[u8]) -> Option<&'a [u8]> {
        self.get(name).map(|param| param.unquoted())
    }

    fn needed(self, name: &[u8]) -> Result<&'a [u8], SyntaxError> {
        self.unquoted(name).ok_or(SyntaxError::Parameter)
    }

    fn is_true(self, name: &[u8]) -> bool {
        self.unquoted(name).is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
    }
}

#[cfg(test)]
mod tests;
