//! The Identity header (RFC 8224, 4).

use crate::failure::Failure;

/// Octets of one value that is read: a PASSporT of `shaken` has about 500, and what is far longer is nobody's.
pub const VALUE_MAX: usize = 4096;
/// Parameters of one value that are read.
const PARAMS_MAX: usize = 8;

/// One Identity value: `PASSporT;info=<URI>;alg=ES256;ppt=shaken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The PASSporT: base64 and full stops.
    pub token: &'a str,
    /// Where its certificate is.
    pub info: &'a str,
    /// How it is signed; `ES256` where it does not say.
    pub alg: &'a str,
    /// What kind of PASSporT it is; none is one of RFC 8225 alone.
    pub ppt: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Reads one value, without commas around it.
    ///
    /// # Errors
    /// [`Failure::Malformed`], also for one that is too long.
    pub fn parse(value: &'a [u8]) -> Result<Self, Failure> {
        if value.len() > VALUE_MAX {
            return Err(Failure::Malformed);
        }
        let text = str::from_utf8(value).map_err(|_| Failure::Malformed)?.trim_ascii();
        let (token, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let token = token.trim_ascii_end();
        if token.is_empty() || !token.bytes().all(is_token) {
            return Err(Failure::Malformed);
        }
        let (mut info, mut alg, mut ppt) = (None, None, None);
        let mut rest = params;
        for _ in 0..PARAMS_MAX {
            let Some(param) = rest.strip_prefix(';') else { break };
            let (name, value, after) = param_of(param)?;
            rest = after;
            let place = match name.to_ascii_lowercase().as_str() {
                "info" => &mut info,
                "alg" => &mut alg,
                "ppt" => &mut ppt,
                _ => continue,
            };
            // Which of two would count?
            if place.replace(value).is_some() {
                return Err(Failure::Malformed);
            }
        }
        let info = info.filter(|info| !info.is_empty());
        match info {
            Some(info) if rest.is_empty() => Ok(Self { token, info, alg: alg.unwrap_or("ES256"), ppt }),
            _ => Err(Failure::Malformed),
        }
    }

    /// Whether it is of a kind that is read here; others are passed over (RFC 8224, 6.2, step 1).
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.ppt.is_none_or(|ppt| ppt.eq_ignore_ascii_case("shaken"))
    }
}

/// Writes a value.
#[must_use]
pub fn write(token: &str, info: &str, ppt: Option<&str>) -> String {
    match ppt {
        Some(ppt) => format!("{token};info=<{info}>;alg=ES256;ppt={ppt}"),
        None => format!("{token};info=<{info}>;alg=ES256"),
    }
}

const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')
}

/// Name and value of the first parameter, and what comes behind it. A value may stand in quotes or angle brackets,
/// where a semicolon ends nothing.
fn param_of(text: &str) -> Result<(&str, &str, &str), Failure> {
    let text = text.trim_ascii_start();
    let name_end = text.find([';', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let Some(rest) = rest.strip_prefix('=') else { return Ok((name.trim_ascii_end(), "", rest)) };
    let rest = rest.trim_ascii_start();
    let (value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
        quoted.split_once('"').ok_or(Failure::Malformed)?
    } else if let Some(bracketed) = rest.strip_prefix('<') {
        bracketed.split_once('>').ok_or(Failure::Malformed)?
    } else {
        let (value, rest) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        (value.trim_ascii_end(), rest)
    };
    let rest = rest.trim_ascii_start();
    if rest.is_empty() || rest.starts_with(';') {
        Ok((name.trim_ascii_end(), value, rest))
    } else {
        Err(Failure::Malformed)
    }
}

#[cfg(test)]
mod tests;
