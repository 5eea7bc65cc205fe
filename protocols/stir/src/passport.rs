//! PASSporTs (RFC 8225, RFC 8588): what is signed, in the one form that it is signed in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::attestation::Attestation;
use crate::failure::Failure;

/// Numbers and URIs of those who are called that are read.
const DESTINATIONS_MAX: usize = 16;
/// Octets of a signature by ES256.
pub const SIGNATURE_LEN: usize = 64;

/// What a PASSporT says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where its certificate is.
    pub x5u: String,
    /// What kind it is; none is one of RFC 8225 alone.
    pub ppt: Option<String>,
}

/// Somebody who calls or is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// A telephone number in its canonical form.
    Number(String),
    /// A URI.
    Uri(String),
}

/// What `shaken` adds (RFC 8588, 4 and 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaken {
    /// How much the signer knows.
    pub attest: Attestation,
    /// Where in the signer's network the call came from, so that it is found again: a UUID.
    pub origid: String,
}

/// What a PASSporT says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who calls.
    pub orig: Party,
    /// Numbers called.
    pub dest_tn: Vec<String>,
    /// URIs called.
    pub dest_uri: Vec<String>,
    /// When it was made: seconds since 1970.
    pub iat: u64,
    /// What `shaken` adds; none of another kind.
    pub shaken: Option<Shaken>,
}

impl Header {
    /// In its one form: keys in their order, nothing between them (RFC 8225, 9).
    #[must_use]
    pub fn json(&self) -> String {
        let ppt = self.ppt.as_ref().map(|ppt| format!("\"ppt\":{},", quoted(ppt))).unwrap_or_default();
        format!("{{\"alg\":\"ES256\",{ppt}\"typ\":\"passport\",\"x5u\":{}}}", quoted(&self.x5u))
    }

    /// Reads what stands before the first full stop.
    ///
    /// # Errors
    /// [`Failure::Malformed`]; [`Failure::Credential`] where it is signed otherwise than by ES256.
    pub fn decode(text: &str) -> Result<Self, Failure> {
        let object = object(text)?;
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        if !text("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("passport")) {
            return Err(Failure::Malformed);
        }
        match text("alg") {
            Some("ES256") => {}
            Some(_) => return Err(Failure::Credential),
            None => return Err(Failure::Malformed),
        }
        let ppt = match object.get("ppt") {
            None => None,
            Some(ppt) => Some(ppt.as_str().ok_or(Failure::Malformed)?.to_owned()),
        };
        let x5u = text("x5u").ok_or(Failure::Malformed)?.to_owned();
        Ok(Self { x5u, ppt })
    }
}

impl Claims {
    /// In its one form.
    #[must_use]
    pub fn json(&self) -> String {
        let (attest, origid) = match &self.shaken {
            Some(Shaken { attest, origid }) => {
                (format!("\"attest\":\"{}\",", attest.as_str()), format!(",\"origid\":{}", quoted(origid)))
            }
            None => (String::new(), String::new()),
        };
        let lists = [("tn", &self.dest_tn), ("uri", &self.dest_uri)].into_iter();
        let lists = lists.filter(|(_, list)| !list.is_empty()).map(|(key, list)| {
            let items: Vec<_> = list.iter().map(|item| quoted(item)).collect();
            format!("\"{key}\":[{}]", items.join(","))
        });
        let dest = lists.collect::<Vec<_>>().join(",");
        let (key, orig) = match &self.orig {
            Party::Number(number) => ("tn", quoted(number)),
            Party::Uri(uri) => ("uri", quoted(uri)),
        };
        let iat = self.iat;
        format!("{{{attest}\"dest\":{{{dest}}},\"iat\":{iat},\"orig\":{{\"{key}\":{orig}}}{origid}}}")
    }

    /// Reads what stands between the full stops. What it says beside is left out.
    ///
    /// # Errors
    /// [`Failure::Malformed`], also where it has one of what `shaken` adds and not the other.
    pub fn decode(text: &str) -> Result<Self, Failure> {
        read_claims(&object(text)?).ok_or(Failure::Malformed)
    }
}

/// What the signature is of: header and claims.
#[must_use]
pub fn signing_input(header: &Header, claims: &Claims) -> String {
    let mut input = URL_SAFE_NO_PAD.encode(header.json());
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.json(), &mut input);
    input
}

/// A signature, from what stands behind the last full stop.
///
/// # Errors
/// [`Failure::Malformed`].
pub fn signature(text: &str) -> Result<[u8; SIGNATURE_LEN], Failure> {
    decode(text)?.try_into().map_err(|_| Failure::Malformed)
}

fn read_claims(object: &Map<String, Value>) -> Option<Claims> {
    let orig = object.get("orig")?.as_object()?;
    let orig = match (orig.get("tn"), orig.get("uri")) {
        (Some(number), None) => Party::Number(number.as_str()?.to_owned()),
        (None, Some(uri)) => Party::Uri(uri.as_str()?.to_owned()),
        // One originator (RFC 8225, 5.2.1).
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let dest = object.get("dest")?.as_object()?;
    let (dest_tn, dest_uri) = (texts(dest.get("tn"))?, texts(dest.get("uri"))?);
    if dest_tn.is_empty() && dest_uri.is_empty() {
        return None;
    }
    let iat = object.get("iat")?.as_u64()?;
    let shaken = match (object.get("attest"), object.get("origid")) {
        (Some(attest), Some(origid)) => Some(Shaken {
            attest: Attestation::from_letter(attest.as_str()?)?,
            origid: origid.as_str()?.to_owned(),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return None,
    };
    Some(Claims { orig, dest_tn, dest_uri, iat, shaken })
}

/// Texts of a list that may be missing.
fn texts(list: Option<&Value>) -> Option<Vec<String>> {
    let Some(list) = list else { return Some(Vec::new()) };
    let list = list.as_array().filter(|list| list.len() <= DESTINATIONS_MAX)?;
    list.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(&decode(text)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(Failure::Malformed),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Failure::Malformed)
}

/// A text of JSON, with its quotes.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
