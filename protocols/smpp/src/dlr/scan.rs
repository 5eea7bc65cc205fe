//! Finds the fields of a receipt text. One pass; every step moves forward.

use super::date;
use super::state::MessageState;

/// What was found; the first of a repeated key counts.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) id: Option<&'a [u8]>,
    pub(super) sub: Option<u16>,
    pub(super) dlvrd: Option<u16>,
    pub(super) submit_date: Option<&'a [u8]>,
    pub(super) done_date: Option<&'a [u8]>,
    pub(super) stat: Option<&'a [u8]>,
    pub(super) err: Option<&'a [u8]>,
    pub(super) text: Option<&'a [u8]>,
}

impl Fields<'_> {
    /// From `stat`, where an unknown word is a state too; else from `text`, where only a known one is.
    pub(super) fn state(&self) -> Option<MessageState> {
        if let Some(word) = self.stat {
            return Some(MessageState::parse_stat(word).unwrap_or(MessageState::Unknown));
        }
        self.text.and_then(|text| MessageState::parse_stat(word(text).0))
    }
}

#[derive(Clone, Copy)]
enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// Keys in lower case without the separator inside them.
const KEYS: [(&[u8], Key); 10] = [
    (b"id", Key::Id),
    (b"sub", Key::Sub),
    (b"dlvrd", Key::Dlvrd),
    (b"submitdate", Key::SubmitDate),
    (b"donedate", Key::DoneDate),
    (b"stat", Key::Stat),
    (b"status", Key::Stat),
    (b"err", Key::Err),
    (b"error", Key::Err),
    (b"text", Key::Text),
];

pub(super) fn scan(octets: &[u8]) -> Fields<'_> {
    let mut fields = Fields::default();
    let mut rest = octets;
    while !rest.is_empty() {
        rest = match key(rest) {
            Some((key, value)) => take(&mut fields, key, value),
            None => word(rest).1,
        };
    }
    fields
}

/// Stores the value of `key` at the front of `value` and returns what follows it.
fn take<'a>(fields: &mut Fields<'a>, key: Key, value: &'a [u8]) -> &'a [u8] {
    if matches!(key, Key::Text) {
        return take_text(fields, value);
    }
    // The next key right here means that this field is empty.
    let (value, rest) = if self::key(value).is_some() { (&[][..], value) } else { word(value) };
    if value.is_empty() {
        return rest;
    }
    match key {
        Key::Id => _ = fields.id.get_or_insert(value),
        Key::Sub => fields.sub = fields.sub.or_else(|| number(value)),
        Key::Dlvrd => fields.dlvrd = fields.dlvrd.or_else(|| number(value)),
        Key::SubmitDate => fields.submit_date = fields.submit_date.or_else(|| digits(value)),
        Key::DoneDate => fields.done_date = fields.done_date.or_else(|| digits(value)),
        Key::Stat => _ = fields.stat.get_or_insert(value),
        Key::Err => _ = fields.err.get_or_insert(value),
        Key::Text => {}
    }
    rest
}

/// The text runs to the end once id and stat are known, for it may hold anything; before that, to the next
/// key.
fn take_text<'a>(fields: &mut Fields<'a>, value: &'a [u8]) -> &'a [u8] {
    let mut rest = value;
    if fields.id.is_some() && fields.stat.is_some() {
        rest = &[];
    }
    while !rest.is_empty() && key(rest).is_none() {
        rest = word(rest).1;
    }
    let text = value.get(..value.len().saturating_sub(rest.len())).unwrap_or_default();
    let end = text.iter().rposition(|octet| !separates(octet)).map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    fields.text.get_or_insert(text);
    rest
}

/// The key at the front and what follows its colon and the spaces after it.
fn key(octets: &[u8]) -> Option<(Key, &[u8])> {
    KEYS.iter().find_map(|(name, key)| after_key(octets, name).map(|rest| (*key, rest)))
}

fn after_key<'a>(octets: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = octets;
    for (place, expected) in name.iter().enumerate() {
        if place > 0 && name.ends_with(b"date") && place == name.len() - 4 {
            rest = rest.trim_ascii_start();
            rest = rest.strip_prefix(b"_").unwrap_or(rest);
        }
        let (octet, after) = rest.split_first()?;
        if !octet.eq_ignore_ascii_case(expected) {
            return None;
        }
        rest = after;
    }
    rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

/// The octets up to white space or NUL, and what follows those.
fn word(octets: &[u8]) -> (&[u8], &[u8]) {
    let length = octets.iter().position(separates).unwrap_or(octets.len());
    let (word, rest) = octets.split_at_checked(length).unwrap_or((octets, &[]));
    let next = rest.iter().position(|octet| !separates(octet)).unwrap_or(rest.len());
    (word, rest.get(next..).unwrap_or_default())
}

/// NUL too: some SMSCs fill their fields with it, or end the text with one.
const fn separates(octet: &u8) -> bool {
    octet.is_ascii_whitespace() || *octet == 0
}

fn number(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn digits(value: &[u8]) -> Option<&[u8]> {
    date::is_digits(value).then_some(value)
}
