//! The process environment: what of it is configuration, and secrets that the configuration names.

use std::ffi::OsString;

use super::Error;
use crate::password::SecretString;

/// Variables of the environment that begin so are configuration.
pub(super) const PREFIX: &str = "WARP_";

pub(super) fn utf8((name, value): (OsString, OsString)) -> Result<(String, String), Error> {
    match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (Ok(name), Err(_)) => Err(Error::Environment { name, text: "the value is not UTF-8".to_owned() }),
        (Err(name), _) => {
            let name = name.to_string_lossy().into_owned();
            Err(Error::Environment { name, text: "the name is not UTF-8".to_owned() })
        }
    }
}

/// A value as TOML has it; what is not TOML is text, so that quotes are not needed.
pub(super) fn environment_value(value: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()))
}

/// The value of a variable that the configuration names. It is read when it is needed and is never configuration.
///
/// # Errors
/// When it is not set, or is no text.
pub(crate) fn secret(name: &str) -> Result<SecretString, String> {
    match std::env::var_os(name).map(OsString::into_string) {
        Some(Ok(value)) => Ok(SecretString::new(value)),
        Some(Err(_)) => Err("the value is not UTF-8".to_owned()),
        None => Err("it is not set".to_owned()),
    }
}

/// Why this cannot be the name of a variable that holds a root key. Never shows it: it may be the key.
pub(crate) fn name_refusal(name: &str) -> Option<&'static str> {
    let is_word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    if name.len() >= 64 && name.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Some(
            "the key itself stands there; it is to be the name of an environment variable that holds it",
        );
    }
    if name.starts_with(PREFIX) {
        return Some("variables that begin with WARP_ are configuration; give the key another name");
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) || !name.bytes().all(is_word) {
        return Some("not the name of an environment variable: letters, digits and _");
    }
    None
}
