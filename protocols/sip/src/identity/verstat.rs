//! What a network says of the number that calls: `verstat` (3GPP TS 24.229, 7.2A.20). It is as good as who says it.

use crate::name_addr::NameAddr;
use crate::params::Params;
use crate::syntax::offset_in;
use crate::uri::{Uri, same_nocase};

/// The parameter.
const VERSTAT: &[u8] = b"verstat";

/// A name without that parameter, wherever it stands: with the number, with the URI or behind it. `None` where it does
/// not stand there.
pub fn without_verstat(value: &[u8]) -> Option<Vec<u8>> {
    let name = NameAddr::parse(value).ok()?;
    let (user, params) = match name.uri() {
        Ok(Uri::Sip(uri)) => (uri.user, uri.params),
        Ok(Uri::Tel(uri)) => (None, uri.params),
        Ok(Uri::Other { .. }) | Err(_) => (None, Params::default()),
    };
    // What stands with a number in a SIP URI was not read as parameters, and need not be well formed.
    let of_user = user.into_iter().flat_map(|user| user.split(|octet| *octet == b';').skip(1));
    let of_user = of_user.map(|param| {
        let end = param.iter().position(|octet| *octet == b'=').unwrap_or(param.len());
        (param.get(..end).unwrap_or_default(), param)
    });
    let of_others = params.iter().chain(name.params.iter()).flatten();
    let of_others = of_others.map(|param| (param.name, param.value.unwrap_or(param.name)));
    let mut left = Vec::new();
    let mut cursor = 0;
    for (name, last) in of_user.chain(of_others).filter(|(name, _)| same_nocase(name, VERSTAT)) {
        let (start, end) = (offset_in(value, name)?, offset_in(value, last)? + last.len());
        let before = value.get(cursor..start)?;
        let semicolon = before.iter().rposition(|octet| *octet == b';')?;
        left.extend_from_slice(before.get(..semicolon)?);
        cursor = end;
    }
    if cursor == 0 {
        return None;
    }
    left.extend_from_slice(value.get(cursor..)?);
    Some(left)
}
