//! The first NUL of octets, eight at a time: strings are short, and a PDU has five of them.

/// The offset of the first NUL.
#[inline]
pub(super) fn find(octets: &[u8]) -> Option<usize> {
    // Most strings of a PDU are empty.
    if octets.first() == Some(&0) {
        return Some(0);
    }
    let (words, tail) = octets.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let zeros = zero_octets(u64::from_le_bytes(*word));
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    tail.iter().position(|&octet| octet == 0).map(|at| words.len() * 8 + at)
}

/// Whether there is a NUL; where none is expected, looking at everything beats stopping early.
#[inline]
pub(super) fn is_in(octets: &[u8]) -> bool {
    let (words, tail) = octets.as_chunks::<8>();
    let zeros = words.iter().fold(0, |zeros, word| zeros | zero_octets(u64::from_le_bytes(*word)));
    zeros != 0 || tail.contains(&0)
}

/// The top bit of every zero octet, exact up to and including the lowest of them.
const fn zero_octets(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    word.wrapping_sub(ONES) & !word & TOPS
}
