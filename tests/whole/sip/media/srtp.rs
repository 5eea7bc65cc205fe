//! Media that is sealed on the vendor's side and plain on its customer's (SDES, RFC 4568). The packets of SRTP are made and
//! read here (RFC 3711), with the cipher and the hash alone from elsewhere.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;

use super::rtp::{body, new_source, words};
use super::side::hang_up;
use super::{CALLED, Stage, Up};

/// A suite that every implementation has (RFC 4568 6.2), and a key for it.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
/// Octets of the front of a packet, which stays readable, and of the seal at its end.
const HEAD: usize = 12;
const SEAL: usize = 10;

/// The keys of one direction (RFC 3711 4.3).
struct Keys {
    cipher: [u8; 16],
    salt: [u8; 14],
    seal: hmac::Key,
}

impl Keys {
    /// Of the key and salt that stand in a description.
    #[track_caller]
    fn of(inline: &str) -> Self {
        let octets = STANDARD_NO_PAD.decode(inline).unwrap();
        let (key, salt) = octets.split_at(16);
        Self::derived(key.try_into().unwrap(), salt.try_into().unwrap())
    }

    fn derived(key: [u8; 16], salt: [u8; 14]) -> Self {
        let derive = |label: u8, octets: usize| {
            let mut counter = [0; 16];
            counter[..14].copy_from_slice(&salt);
            counter[7] ^= label;
            stream(key, counter, octets)
        };
        Self {
            cipher: derive(0, 16).try_into().unwrap(),
            salt: derive(2, 14).try_into().unwrap(),
            seal: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &derive(1, 20)),
        }
    }

    /// The packet as it goes over the network.
    fn sealed(&self, packet: &[u8]) -> Vec<u8> {
        let hidden = self.hidden(packet);
        let seal = self.seal_of(&hidden);
        [hidden, seal].concat()
    }

    /// The packet as it was; `None` where the seal is another one.
    fn opened(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (hidden, seal) = sealed.split_at(sealed.len().checked_sub(SEAL)?);
        (self.seal_of(hidden) == seal).then(|| self.hidden(hidden))
    }

    /// What is behind the head becomes unreadable, or readable again (4.1.1).
    fn hidden(&self, packet: &[u8]) -> Vec<u8> {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt);
        // Source and number of the packet; the numbers here begin anew nowhere.
        let marks = [(4, &packet[8..12]), (12, &packet[2..4])];
        for (at, octets) in marks {
            counter[at..].iter_mut().zip(octets).for_each(|(into, octet)| *into ^= octet);
        }
        let stream = stream(self.cipher, counter, packet.len() - HEAD);
        let payload = packet[HEAD..].iter().zip(stream).map(|(octet, with)| octet ^ with);
        packet[..HEAD].iter().copied().chain(payload).collect()
    }

    /// Of a packet whose number has not begun anew (4.2).
    fn seal_of(&self, hidden: &[u8]) -> Vec<u8> {
        let signed = hmac::sign(&self.seal, &[hidden, &[0; 4]].concat());
        signed.as_ref()[..SEAL].to_vec()
    }
}

/// So many octets of AES in counter mode; the counter is in the last two.
fn stream(key: [u8; 16], mut counter: [u8; 16], octets: usize) -> Vec<u8> {
    let cipher = Aes128::new(&key.into());
    let mut stream = Vec::new();
    for number in (0..=u16::MAX).take(octets.div_ceil(16)) {
        counter[14..].copy_from_slice(&number.to_be_bytes());
        let mut block = aes::Block::from(counter);
        cipher.encrypt_block(&mut block);
        stream.extend_from_slice(&block);
    }
    stream.truncate(octets);
    stream
}

#[test]
fn a_vendor_has_srtp_while_its_customer_has_rtp() {
    // With all its keys the offer is longer than what goes by UDP unasked.
    let vendor = "oversize = \"fragment\"\nmedia = { security = \"srtp\" }";
    let Some(stage) = Stage::new("", vendor) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    let of_callee = stage.leads(&invite);
    assert_eq!(of_callee.protocol, "RTP/SAVP");
    let offered = body(&invite).lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    let suites: Vec<Vec<&str>> = offered.map(|line| line.split(' ').collect()).collect();
    let chosen = suites.iter().find(|words| words[1] == SUITE);
    let chosen = chosen.unwrap_or_else(|| panic!("no {SUITE} in {suites:?}"));
    let offered = chosen[2].trim_start_matches("inline:").split('|').next().unwrap();
    let answer = format!("a=crypto:{} {SUITE} inline:{KEY}\r\n", chosen[0]);
    callee.reply(&invite, "200 OK", "", &callee.media.describe("RTP/SAVP 0 101", &answer));
    let answered = caller.expect("200 INVITE");
    let of_caller = stage.leads(&answered);
    assert_eq!(of_caller.protocol, "RTP/AVP");
    assert!(!body(&answered).contains("a=crypto"), "{}", answered.text);
    caller.request("ACK", "");
    callee.expect("ACK");

    // Who offers seals with what it has offered, who answers with what it has answered.
    let (of_node, of_vendor) = (Keys::of(offered), Keys::of(KEY));
    let up = Up { of_caller, of_callee };
    let said = words(new_source());
    caller.media.send(&said, up.of_caller.at);
    let heard = callee.media.hear_next(said.len(), up.of_callee.at);
    let opened: Option<Vec<_>> = heard.iter().map(|packet| of_node.opened(packet)).collect();
    assert!(opened.as_ref() == Some(&said), "the vendor hears what its customer says");
    assert!(heard.iter().zip(&said).all(|(packet, said)| packet[HEAD..said.len()] != said[HEAD..]));

    // Plain, and sealed with another key: of that its customer hears nothing.
    let strange = words(new_source());
    let sealed: Vec<_> = strange.iter().map(|packet| of_node.sealed(packet)).collect();
    callee.media.send(&strange, up.of_callee.at);
    callee.media.send(&sealed, up.of_callee.at);
    let said = words(new_source());
    let sealed: Vec<_> = said.iter().map(|packet| of_vendor.sealed(packet)).collect();
    callee.media.send(&sealed, up.of_callee.at);
    let heard = caller.media.hear_next(said.len(), up.of_caller.at);
    assert!(heard == said, "its customer hears what the vendor says, and nothing else");
    assert!(caller.media.heard_nothing());
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// The keys of RFC 3711 B.3.
#[test]
fn keys_are_derived_as_in_the_rfc() {
    let key = 0xe1f9_7a0d_3e01_8be0_d64f_a32c_06de_4139_u128.to_be_bytes();
    let salt = 0x0ec6_75ad_498a_feeb_b696_0b3a_abe6_u128.to_be_bytes();
    let keys = Keys::derived(key, salt[2..].try_into().unwrap());
    assert_eq!(keys.cipher, 0xc61e_7a93_744f_39ee_1073_4afe_3ff7_a087_u128.to_be_bytes());
    assert_eq!(keys.salt, 0x30cb_bc08_863d_8c85_d49d_b34a_9ae1_u128.to_be_bytes()[2..]);
}

/// The packet that other implementations test with.
#[test]
fn packets_are_sealed_and_opened() {
    let key = 0xe1f9_7a0d_3e01_8be0_d64f_a32c_06de_4139_u128.to_be_bytes();
    let salt = 0x0ec6_75ad_498a_feeb_b696_0b3a_abe6_u128.to_be_bytes();
    let keys = Keys::derived(key, salt[2..].try_into().unwrap());
    let head = 0x800f_1234_deca_fbad_cafe_babe_u128.to_be_bytes();
    let packet = [&head[4..], &[0xab; 16]].concat();
    let sealed = keys.sealed(&packet);
    let hidden = 0x4e55_dc4c_e799_78d8_8ca4_d215_949d_2402_u128.to_be_bytes();
    let seal = 0xb78d_6acc_99ea_179b_8dbb_u128.to_be_bytes();
    assert_eq!(sealed, [&head[4..], &hidden, &seal[6..]].concat());
    assert_eq!(keys.opened(&sealed), Some(packet));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(keys.opened(&changed), None, "octet {at}");
    }
    assert_eq!(keys.opened(&[0; SEAL - 1]), None);
}
