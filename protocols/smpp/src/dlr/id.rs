//! The forms in which an SMSC may name one message: hexadecimal in the response and decimal in the receipt,
//! upper case, padded, and so on.

/// How a form came from the id as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As received.
    Exact,
    /// Trimmed, lower case, without leading zeros.
    Plain,
    /// The id read as decimal, written as hexadecimal.
    Hex,
    /// The id read as hexadecimal, written as decimal.
    Decimal,
}

/// The distinct forms of an id, most trustworthy first, to be looked up in this order. Numbers are converted
/// up to 128 bits; a form that equals an earlier one is left out. An id of digits alone has both a
/// [`Form::Hex`] and a [`Form::Decimal`]: any form but the exact one needs a second sign, such as the
/// destination, before it may be believed.
pub fn id_forms(id: &[u8]) -> impl Iterator<Item = (Form, Vec<u8>)> + use<> {
    let plain = plain(id);
    let hex = number(&plain, 10).map(|value| format!("{value:x}").into_bytes());
    let decimal = number(&plain, 16).map(|value| value.to_string().into_bytes());
    let candidates = [
        Some((Form::Exact, id.to_vec())),
        Some((Form::Plain, plain)),
        hex.map(|hex| (Form::Hex, hex)),
        decimal.map(|decimal| (Form::Decimal, decimal)),
    ];
    let mut forms: Vec<(Form, Vec<u8>)> = Vec::with_capacity(candidates.len());
    for (form, value) in candidates.into_iter().flatten() {
        if forms.iter().all(|(_, earlier)| *earlier != value) {
            forms.push((form, value));
        }
    }
    forms.into_iter()
}

fn plain(id: &[u8]) -> Vec<u8> {
    let id = id.trim_ascii();
    let zeros = id.iter().take_while(|&&octet| octet == b'0').count();
    // An id of zeros alone keeps one.
    let kept = id.get(zeros.min(id.len().saturating_sub(1))..).unwrap_or_default();
    kept.to_ascii_lowercase()
}

fn number(plain: &[u8], radix: u32) -> Option<u128> {
    // from_str_radix takes a sign; an id has none.
    let text = std::str::from_utf8(plain).ok().filter(|text| !text.starts_with(['+', '-']))?;
    u128::from_str_radix(text, radix).ok()
}
