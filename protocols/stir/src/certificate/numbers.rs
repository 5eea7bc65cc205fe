//! What a certificate may speak for (RFC 8226, 9).

use super::der::{Elements, IA5_STRING, INTEGER, SEQUENCE, context};

/// Entries of a list that are read; one of a carrier has one.
const ENTRIES_MAX: usize = 1024;
/// Digits of a number (RFC 8226, 9).
const DIGITS_MAX: usize = 15;

/// A TNAuthList.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// A carrier, by its code: all its numbers.
    Carrier(String),
    /// So many numbers from this one on.
    Range(String, u64),
    /// One number.
    One(String),
}

impl Numbers {
    /// Reads the entries of a list; `None` where there is none, or one cannot be read.
    pub(super) fn read(list: &[u8]) -> Option<Self> {
        let mut entries = Vec::new();
        let mut elements = Elements::of(list);
        while !elements.is_empty() {
            if entries.len() >= ENTRIES_MAX {
                return None;
            }
            entries.push(entry(elements.any()?)?);
        }
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// Whether a number is among them.
    pub(super) fn has(&self, number: &str) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Carrier(_) => true,
            Entry::One(one) => one == number,
            Entry::Range(first, count) => is_within(number, first, *count),
        })
    }

    /// Whether who may speak for these may have it from who may for others: a carrier gives its own code and any number,
    /// who has numbers gives no more than those.
    pub(super) fn is_within(&self, others: &Self) -> bool {
        let is_carrier = others.0.iter().any(|entry| matches!(entry, Entry::Carrier(_)));
        self.0.iter().all(|entry| match entry {
            Entry::Carrier(_) => others.0.contains(entry),
            Entry::One(number) => others.has(number),
            Entry::Range(first, count) => {
                is_carrier || others.0.iter().any(|other| other.has_range(first, *count))
            }
        })
    }
}

impl Entry {
    /// Whether all numbers of a range are in this one entry.
    fn has_range(&self, first: &str, count: u64) -> bool {
        match self {
            Self::Carrier(_) => true,
            Self::One(one) => one == first && count <= 1,
            Self::Range(own, own_count) => {
                let value = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() == own.len());
                let offset = value(first).zip(value(own)).and_then(|(first, own)| first.checked_sub(own));
                offset.is_some_and(|offset| offset.saturating_add(count) <= *own_count)
            }
        }
    }
}

/// Numbers of a range are as long as its first one.
fn is_within(number: &str, first: &str, count: u64) -> bool {
    let value = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() == first.len());
    let Some((number, first)) = value(number).zip(value(first)) else { return false };
    number.checked_sub(first).is_some_and(|offset| offset < count)
}

fn entry((tag, content): (u8, &[u8])) -> Option<Entry> {
    if tag == context(0) {
        let code = str::from_utf8(Elements::of(content).take(IA5_STRING)?).ok()?;
        Some(Entry::Carrier(code.to_owned()))
    } else if tag == context(1) {
        let mut range = Elements::of(Elements::of(content).take(SEQUENCE)?);
        let first = number(range.take(IA5_STRING)?)?;
        let count = range.take(INTEGER)?;
        let count = count
            .iter()
            .try_fold(0_u64, |sum, octet| Some(sum.checked_mul(256)?.saturating_add(u64::from(*octet))))?;
        Some(Entry::Range(first, count))
    } else if tag == context(2) {
        Some(Entry::One(number(Elements::of(content).take(IA5_STRING)?)?))
    } else {
        None
    }
}

fn number(octets: &[u8]) -> Option<String> {
    let is_number = (1..=DIGITS_MAX).contains(&octets.len())
        && octets.iter().all(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'#'));
    let text = str::from_utf8(octets).ok()?;
    is_number.then(|| text.to_owned())
}
