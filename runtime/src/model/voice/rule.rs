//! Rules that rewrite numbers and headers: plain data, applied by pure functions.

use serde::{Deserialize, Serialize};

use crate::model::HeaderAction;

/// Longest prefix, longest addition and most characters stripped; an E.164 number with a tech prefix has fewer.
const NUMBER_MAX: usize = 32;
const VALUE_MAX: usize = 1024;

/// Rewrites numbers that begin with `prefix`: takes `strip` characters off the front, then puts `add` there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NumberRuleForm")]
pub struct NumberRule {
    /// What the number begins with; empty is any number. May begin with `+`.
    pub prefix: String,
    /// Characters taken off the front; a shorter number loses them all.
    pub strip: u8,
    /// Characters put in front.
    pub add: String,
}

impl NumberRule {
    /// The number as the first rule rewrites it whose prefix it has; None when it has none of them and stays as
    /// it is.
    #[must_use]
    pub fn rewrite(rules: &[Self], number: &str) -> Option<String> {
        let rule = rules.iter().find(|rule| number.starts_with(&rule.prefix))?;
        let kept = number.chars().skip(rule.strip.into());
        Some(rule.add.chars().chain(kept).collect())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberRuleForm {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    strip: u8,
    #[serde(default)]
    add: String,
}

impl TryFrom<NumberRuleForm> for NumberRule {
    type Error = String;

    fn try_from(form: NumberRuleForm) -> Result<Self, String> {
        let dialable = |octet: u8| octet.is_ascii_digit() || octet == b'*' || octet == b'#';
        for (name, text) in [("prefix", &form.prefix), ("add", &form.add)] {
            let digits = text.strip_prefix('+').unwrap_or(text);
            if digits.len() > NUMBER_MAX || !digits.bytes().all(dialable) {
                return Err(format!(
                    "{name} {text:?} is not at most {NUMBER_MAX} of 0-9, * and # after a plus or none"
                ));
            }
        }
        if usize::from(form.strip) > NUMBER_MAX {
            return Err(format!("strip {} is over {NUMBER_MAX}", form.strip));
        }
        Ok(Self { prefix: form.prefix, strip: form.strip, add: form.add })
    }
}

/// Headers that the proxy writes itself, with their compact forms (RFC 3261 section 20): no rule changes them.
const OWNED: [&str; 18] = [
    "Via",
    "v",
    "Route",
    "Record-Route",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Contact",
    "m",
    "Max-Forwards",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
];

/// Changes a header of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HeaderRuleForm")]
pub struct HeaderRule {
    /// What is done.
    pub action: HeaderAction,
    /// Name of the header, a token (RFC 3261 section 25.1), none that the proxy owns.
    pub name: String,
    /// Its value, without control characters; empty for `remove`.
    pub value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRuleForm {
    action: HeaderAction,
    name: String,
    #[serde(default)]
    value: String,
}

impl TryFrom<HeaderRuleForm> for HeaderRule {
    type Error = String;

    fn try_from(form: HeaderRuleForm) -> Result<Self, String> {
        let HeaderRuleForm { action, name, value } = form;
        let token = |octet: u8| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(token) {
            return Err(format!("{name:?} is not the name of a header: a token of at most 64 characters"));
        }
        if OWNED.iter().any(|owned| name.eq_ignore_ascii_case(owned)) {
            return Err(format!("the header {name} is the proxy's own, no rule can change it"));
        }
        if value.len() > VALUE_MAX || value.chars().any(char::is_control) {
            return Err(format!(
                "the value of {name} has control characters or more than {VALUE_MAX} octets"
            ));
        }
        if action == HeaderAction::Remove && !value.is_empty() {
            return Err(format!(
                "the rule that removes {name} has a value: every {name} goes, whatever its value"
            ));
        }
        Ok(Self { action, name, value })
    }
}

#[cfg(test)]
mod tests;
