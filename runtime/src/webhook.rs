//! The signature of what is posted to webhooks.

use ring::hmac;

use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::seal::to_hex;

/// `t=UNIX_SECONDS,v1=HEX`: HMAC-SHA256 (RFC 2104) of the seconds, a dot and the body under the webhook's secret.
/// Whoever checks it refuses old times, so that nobody posts the same again.
#[must_use]
pub fn signature(secret: &SecretString, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.micros() / 1_000_000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut signed = hmac::Context::with_key(&key);
    signed.update(seconds.to_string().as_bytes());
    signed.update(b".");
    signed.update(body);
    format!("t={seconds},v1={}", to_hex(signed.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value is that of `printf '1790000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn a_signature_is_over_time_and_body() {
        let at = Timestamp::from_micros(1_790_000_000_999_999);
        let signed = signature(&SecretString::new("secret"), at, br#"{"a":1}"#);
        assert_eq!(
            signed,
            "t=1790000000,v1=da8fe498621aaab99d5b11c51346b13d1a2bf2914b865b8d3edd3531cab25a3e"
        );
        let other = signature(&SecretString::new("secret"), at, br#"{"a":2}"#);
        assert_ne!(signed, other);
    }
}
