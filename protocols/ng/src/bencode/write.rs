//! Values to octets.

use std::io::Write;

use super::Value;

/// Appends values to octets. Lists and dictionaries are closed when what fills them returns, keys stay in
/// the order they are given in.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Writes at the end of `out`.
    #[must_use]
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        // Writing to a vector does not fail.
        let _ = write!(self.out, "i{value}e");
    }

    /// A number that is never negative; one above what an integer holds is written as the highest.
    pub fn count(&mut self, value: u64) {
        self.int(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A text.
    pub fn str(&mut self, octets: &[u8]) {
        length(octets.len(), self.out);
        self.out.push(b':');
        self.out.extend_from_slice(octets);
    }

    /// A list of what `fill` writes.
    pub fn list(&mut self, fill: impl FnOnce(&mut Self)) {
        self.out.push(b'l');
        fill(self);
        self.out.push(b'e');
    }

    /// A dictionary of what `fill` writes: every value after its [`Writer::key`].
    pub fn dict(&mut self, fill: impl FnOnce(&mut Self)) {
        self.out.push(b'd');
        fill(self);
        self.out.push(b'e');
    }

    /// A key; its value comes next.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.str(key.as_bytes());
        self
    }

    /// A value as it was read.
    pub fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Int(value) => self.int(*value),
            Value::Str(octets) => self.str(octets),
            Value::List(values) => self.list(|list| values.iter().for_each(|value| list.value(value))),
            Value::Dict(pairs) => self.dict(|dict| {
                for (key, value) in pairs {
                    dict.str(key);
                    dict.value(value);
                }
            }),
        }
    }
}

/// Appends a length in decimal digits: a command has some dozens of them, and the formatter costs more than their texts.
fn length(length: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut left = length;
    let mut first = DIGITS_MAX;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        first -= 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Decimal digits of the greatest length.
const DIGITS_MAX: usize = 20;

/// A text under `key`, if there is one.
pub(crate) fn text(dict: &mut Writer<'_>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        dict.key(key).str(value);
    }
}

/// A number under `key`, if there is one.
pub(crate) fn count(dict: &mut Writer<'_>, key: &str, value: Option<impl Into<u64>>) {
    if let Some(value) = value {
        dict.key(key).count(value.into());
    }
}
