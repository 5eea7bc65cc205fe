//! Descriptions that do not tell who made them: nothing of that is needed for a session (RFC 3323, 5.3).

use bytes::BytesMut;

use super::{Lines, Sdp};

impl Sdp<'_> {
    /// Appends the description to `out` without what tells of a person: no username in `o=` and no name in `s=`, for
    /// which `-` stands (RFC 8866, 5.2, 5.3), and none of the lines `i=`, `u=`, `e=` and `p=`. Every other octet is as
    /// it was. False where there is nothing of that; then nothing is written.
    #[must_use]
    pub fn write_nameless(&self, out: &mut BytesMut) -> bool {
        let before = out.len();
        for line in Lines::new(self.octets) {
            let end = line.whole.get(line.text.len()..).unwrap_or_default();
            match line.text {
                [b'i' | b'u' | b'e' | b'p', b'=', ..] => {}
                [b's', b'=', ..] => {
                    out.extend_from_slice(b"s=-");
                    out.extend_from_slice(end);
                }
                [b'o', b'=', origin @ ..] => {
                    out.extend_from_slice(b"o=-");
                    out.extend_from_slice(behind_first_word(origin));
                    out.extend_from_slice(end);
                }
                _ => out.extend_from_slice(line.whole),
            }
        }
        let changed = out.get(before..) != Some(self.octets);
        if !changed {
            out.truncate(before);
        }
        changed
    }
}

/// What follows the first word, with the white space before it.
fn behind_first_word(text: &[u8]) -> &[u8] {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let start = text.iter().position(|octet| !is_blank(octet)).unwrap_or(text.len());
    let word = text.get(start..).unwrap_or_default();
    let end = word.iter().position(is_blank).unwrap_or(word.len());
    word.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
