//! Who is calling, and who was called before: values of P-Asserted-Identity, P-Preferred-Identity (RFC 3325),
//! Remote-Party-ID, Diversion (RFC 5806), History-Info (RFC 7044) and Privacy (RFC 3323).
//!
//! All but Privacy are [`NameAddr`]s in comma lists; what their parameters mean is here.

mod diversion;
mod verstat;

use crate::name_addr::NameAddr;
use crate::syntax::{is_token, trim};
use crate::uri::{Host, Uri};

pub use diversion::{Diverted, Targeted, diversions, history};
pub use verstat::without_verstat;

/// Values of one header that are looked at. Others stand behind them for no honest reason.
pub const VALUES_MAX: usize = 16;

/// The address of somebody who is not to be known (RFC 3323, 4.1.1.3).
pub const ANONYMOUS: &[u8] = b"sip:anonymous@anonymous.invalid";

/// The host of that address.
const NOWHERE: &[u8] = b"anonymous.invalid";

/// From of somebody who is not to be known, with the tag of the dialog.
pub fn anonymous(tag: Option<&[u8]>) -> Vec<u8> {
    let tag = tag.map(|tag| [b";tag=", tag].concat()).unwrap_or_default();
    [b"\"Anonymous\" <", ANONYMOUS, b">", &tag].concat()
}

/// Whether a name is that of somebody who is not to be known: by its host, or, as many write it, by its user.
pub fn is_anonymous(name: &NameAddr<'_>) -> bool {
    let Some(uri) = name.uri().ok().and_then(Uri::sip) else { return false };
    let nowhere = match uri.host {
        Host::Name(host) => host.eq_ignore_ascii_case(NOWHERE),
        Host::V4(_) | Host::V6(_) => false,
    };
    nowhere || uri.user.is_some_and(|user| user.eq_ignore_ascii_case(b"anonymous"))
}

/// What Privacy asks for. Unknown values are ignored, as RFC 3323 (4.2) leaves them to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// `id`: the asserted identity stays within the trust domain (RFC 3325, 9.3).
    pub id: bool,
    /// `header`.
    pub header: bool,
    /// `session`.
    pub session: bool,
    /// `user`.
    pub user: bool,
    /// `history` (RFC 7044, 10.1).
    pub history: bool,
    /// `critical`: refuse rather than serve without it.
    pub critical: bool,
    /// `none`: no privacy, not even the default of a service.
    pub none: bool,
}

impl Privacy {
    /// Reads a whole value: words between semicolons; some write commas.
    pub fn parse(value: &[u8]) -> Self {
        let mut privacy = Self::default();
        for word in words(value) {
            let flag = match word.to_ascii_lowercase().as_slice() {
                b"id" => &mut privacy.id,
                b"header" => &mut privacy.header,
                b"session" => &mut privacy.session,
                b"user" => &mut privacy.user,
                b"history" => &mut privacy.history,
                b"critical" => &mut privacy.critical,
                b"none" => &mut privacy.none,
                _ => continue,
            };
            *flag = true;
        }
        privacy
    }

    /// A value without a word that was done: nobody need do it again (RFC 3323, 5). Empty where nothing is
    /// asked for any more: the header goes.
    pub fn without(value: &[u8], done: &[u8]) -> Vec<u8> {
        let stays = |word: &&[u8]| is_token(word) && !word.eq_ignore_ascii_case(done);
        let left: Vec<&[u8]> = words(value).filter(stays).collect();
        let asks = |word: &&[u8]| !word.eq_ignore_ascii_case(b"critical");
        if left.iter().any(asks) { left.join(&b';') } else { Vec::new() }
    }

    /// A value with one more word. `none` goes, which would deny it.
    pub fn with(value: &[u8], word: &[u8]) -> Vec<u8> {
        let denied = |other: &&[u8]| other.eq_ignore_ascii_case(b"none") || other.eq_ignore_ascii_case(word);
        let others = words(value).filter(|other| is_token(other) && !denied(other));
        others.chain([word]).collect::<Vec<_>>().join(&b';')
    }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|octet| matches!(octet, b';' | b',')).map(trim)
}

/// What the parameters of a Remote-Party-ID value say (draft-ietf-sip-privacy-04, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteParty {
    /// It names who calls; without `party` it names who sent it.
    pub calling: bool,
    /// Whether somebody has verified it: `screen=yes`.
    pub screened: bool,
    /// Whether it is to be kept from the called side: `privacy` of another value than `off`.
    pub withheld: bool,
}

impl RemoteParty {
    /// The parameters of a value in a request.
    pub fn of(value: &NameAddr<'_>) -> Self {
        let is = |name: &[u8], word: &[u8]| {
            value.params.get(name).map(|param| param.unquoted().eq_ignore_ascii_case(word))
        };
        Self {
            calling: is(b"party", b"calling").unwrap_or(true),
            screened: is(b"screen", b"yes").unwrap_or(false),
            withheld: is(b"privacy", b"off").is_some_and(|off| !off),
        }
    }

    /// A value with these parameters for a URI.
    pub fn value(self, uri: &[u8]) -> Vec<u8> {
        let party: &[u8] = if self.calling { b"calling" } else { b"called" };
        let screen: &[u8] = if self.screened { b"yes" } else { b"no" };
        let privacy: &[u8] = if self.withheld { b"full" } else { b"off" };
        [b"<", uri, b">;party=", party, b";screen=", screen, b";privacy=", privacy].concat()
    }
}

#[cfg(test)]
mod tests;
