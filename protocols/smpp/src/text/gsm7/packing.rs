//! Packed septets (3GPP TS 23.038, 6.1.2.1), for the peers that put them on SMPP.

/// Appends `septets` packed, low bits first, after `fill_bits` zero bits (0-6: what brings the text to a
/// septet boundary behind a user data header). The eighth bit of each input octet is dropped.
pub fn pack(septets: &[u8], fill_bits: u8, out: &mut Vec<u8>) {
    let mut bits = u32::from(fill_bits % 7);
    let mut pending = 0_u32;
    for &septet in septets {
        pending |= u32::from(septet & 0x7F) << bits;
        bits += 7;
        if bits >= 8 {
            out.push(low_octet(pending));
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(low_octet(pending));
    }
}

/// Appends up to `count` septets unpacked from `octets` after `fill_bits` bits, fewer when they run out. The
/// count must come from elsewhere: seven bits of padding look like `@`.
pub fn unpack(octets: &[u8], fill_bits: u8, count: usize, out: &mut Vec<u8>) {
    let mut skip = u32::from(fill_bits % 7);
    let mut bits = 0_u32;
    let mut pending = 0_u32;
    let mut left = count;
    for &octet in octets {
        pending |= (u32::from(octet) >> skip) << bits;
        bits += 8 - skip;
        skip = 0;
        while bits >= 7 && left > 0 {
            out.push(low_octet(pending & 0x7F));
            pending >>= 7;
            bits -= 7;
            left -= 1;
        }
        if left == 0 {
            return;
        }
    }
}

const fn low_octet(bits: u32) -> u8 {
    bits.to_le_bytes()[0]
}
