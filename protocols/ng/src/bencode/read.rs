//! Octets to a value.

use super::{DEPTH_MAX, ITEMS_MAX, OCTETS_MAX, Value};

/// Characters of an integer: those of the smallest one, and of every length.
const DIGITS_MAX: usize = 20;

/// Keys that a dictionary has room for from its first one on: most of a call that has ended have five to eight. One
/// without a key has no room, so that what is read bounds the memory.
const PAIRS_USUAL: usize = 8;

/// Why octets are not one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More octets than [`OCTETS_MAX`].
    #[error("longer than {OCTETS_MAX} octets")]
    TooLong,
    /// Deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// More values than [`ITEMS_MAX`].
    #[error("more than {ITEMS_MAX} values")]
    TooManyItems,
    /// The octets end before the value does.
    #[error("cut short")]
    Truncated,
    /// Something that no value begins with, or an integer that is not written as one.
    #[error("malformed")]
    Malformed,
    /// There is more behind the value.
    #[error("octets behind the value")]
    Trailing,
}

/// Reads one value, which is all of `octets`. Integers and lengths with leading zeros, and a negative zero,
/// are refused as BEP 3 says.
///
/// # Errors
/// [`Error`].
pub fn parse(octets: &[u8]) -> Result<Value<'_>, Error> {
    if octets.len() > OCTETS_MAX {
        return Err(Error::TooLong);
    }
    let mut reader = Reader { rest: octets, items: 0 };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(Error::Trailing) }
}

struct Reader<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        self.items += 1;
        if self.items > ITEMS_MAX {
            return Err(Error::TooManyItems);
        }
        match self.rest.first() {
            None => Err(Error::Truncated),
            Some(b'i') => self.int(),
            Some(b'l') => self.list(depth + 1),
            Some(b'd') => self.dict(depth + 1),
            Some(b'0'..=b'9') => self.str().map(Value::Str),
            Some(_) => Err(Error::Malformed),
        }
    }

    fn int(&mut self) -> Result<Value<'a>, Error> {
        self.skip(1);
        let digits = self.until(b'e')?;
        decimal(digits).map(Value::Int).ok_or(Error::Malformed)
    }

    fn str(&mut self) -> Result<&'a [u8], Error> {
        let digits = self.until(b':')?;
        let length = decimal(digits).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or(Error::Malformed)?;
        let (octets, rest) = self.rest.split_at_checked(length).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(octets)
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        self.open(depth)?;
        let mut values = Vec::new();
        while !self.close() {
            values.push(self.value(depth)?);
        }
        Ok(Value::List(values))
    }

    fn dict(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        self.open(depth)?;
        let mut pairs = Vec::new();
        while !self.close() {
            let key = match self.rest.first() {
                None => return Err(Error::Truncated),
                Some(b'0'..=b'9') => self.str()?,
                Some(_) => return Err(Error::Malformed),
            };
            let value = self.value(depth)?;
            if pairs.is_empty() {
                pairs.reserve(PAIRS_USUAL);
            }
            pairs.push((key, value));
        }
        Ok(Value::Dict(pairs))
    }

    fn open(&mut self, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        self.skip(1);
        Ok(())
    }

    /// Whether the list or dictionary ends here; its end is taken then.
    fn close(&mut self) -> bool {
        let ends = self.rest.first() == Some(&b'e');
        if ends {
            self.skip(1);
        }
        ends
    }

    fn skip(&mut self, octets: usize) {
        self.rest = self.rest.get(octets..).unwrap_or_default();
    }

    /// What stands before `end`, which is taken too.
    fn until(&mut self, end: u8) -> Result<&'a [u8], Error> {
        let Some(at) = self.rest.iter().take(DIGITS_MAX + 1).position(|&octet| octet == end) else {
            let cut_short = self.rest.len() <= DIGITS_MAX && self.rest.iter().all(is_of_number);
            return Err(if cut_short { Error::Truncated } else { Error::Malformed });
        };
        let before = self.rest.get(..at).unwrap_or_default();
        self.skip(at + 1);
        Ok(before)
    }
}

fn is_of_number(octet: &u8) -> bool {
    octet.is_ascii_digit() || *octet == b'-'
}

/// An integer in the one way it may be written.
fn decimal(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let negative = digits.len() < text.len();
    let (first, others) = digits.split_first()?;
    if *first == b'0' && (negative || !others.is_empty()) {
        return None;
    }
    // By hand, since each text has a length.
    digits.iter().try_fold(0_i64, |value, octet| {
        let digit = char::from(*octet).to_digit(10).map(i64::from)?;
        let tens = value.checked_mul(10)?;
        // Below zero there is one more than above.
        if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) }
    })
}
