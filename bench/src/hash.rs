//! A 64-bit hash that is the same at both ends of a run and fast on short strings. Not for hostile input:
//! everything hashed here was made by the generator or by the node under test.

const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of some octets; never 0, so that 0 may mean "none".
pub(crate) fn hash64(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<8>();
    let start = PRIME ^ (octets.len() as u64);
    let mut hash = words.iter().fold(start, |hash, word| mix(hash ^ u64::from_le_bytes(*word)));
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    hash = mix(hash ^ u64::from_le_bytes(last));
    hash.max(1)
}

/// One bijective scrambling step.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 32)).wrapping_mul(PRIME);
    value ^ (value >> 29)
}
