//! Writes the receipt text of Appendix B.

use super::date::Date;
use super::state::MessageState;

/// What a receipt of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptText<'a> {
    /// The message id that our submit_sm_resp gave.
    pub id: &'a [u8],
    /// Messages submitted, written with three digits.
    pub sub: u16,
    /// Messages delivered, written with three digits.
    pub dlvrd: u16,
    /// When the message was submitted.
    pub submit: Date,
    /// When it reached its state.
    pub done: Date,
    /// The state.
    pub stat: MessageState,
    /// The error code, usually three digits.
    pub err: &'a [u8],
    /// The first characters of the message; Appendix B has 20, the rest is cut.
    pub text: &'a [u8],
}

/// Octets of the message that a receipt repeats.
const TEXT_MAX: usize = 20;

/// Appends `id:.. sub:001 dlvrd:001 submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:..`,
/// with numbers cut to what their places hold.
pub fn write_text(receipt: &ReceiptText<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id:");
    out.extend_from_slice(receipt.id);
    out.extend_from_slice(b" sub:");
    digits::<3>(receipt.sub.min(999), out);
    out.extend_from_slice(b" dlvrd:");
    digits::<3>(receipt.dlvrd.min(999), out);
    out.extend_from_slice(b" submit date:");
    date(&receipt.submit, out);
    out.extend_from_slice(b" done date:");
    date(&receipt.done, out);
    out.extend_from_slice(b" stat:");
    out.extend_from_slice(receipt.stat.stat().as_bytes());
    out.extend_from_slice(b" err:");
    out.extend_from_slice(receipt.err);
    out.extend_from_slice(b" text:");
    out.extend_from_slice(receipt.text.get(..TEXT_MAX).unwrap_or(receipt.text));
}

fn date(date: &Date, out: &mut Vec<u8>) {
    digits::<2>(date.year % 100, out);
    for field in [date.month, date.day, date.hour, date.minute] {
        digits::<2>(field.into(), out);
    }
}

/// The last `PLACES` digits of a value.
fn digits<const PLACES: usize>(value: u16, out: &mut Vec<u8>) {
    let mut left = value;
    let mut octets = [b'0'; PLACES];
    for octet in octets.iter_mut().rev() {
        *octet = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    out.extend_from_slice(&octets);
}
