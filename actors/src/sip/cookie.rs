//! The routing truth of a call, sealed into the Record-Route that we insert.
//!
//! Pure. Every in-dialog request brings the cookie back, so whichever worker or restarted node receives it knows the
//! dialog, its trunk and its vendor without a table. AES-128-GCM-SIV (RFC 8452) hides the vendor, which is a
//! commercial secret, and binds the cookie to the call: nonce and associated data are made of the A-leg's Call-ID and
//! the caller's tag. A cookie is not permission: its opener still asks whether the source may speak in this dialog.

mod text;

use std::fmt;
use std::sync::Arc;

use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{Aes128GcmSiv, KeyInit, Nonce, Tag};
use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::hiding::Hides;

pub use self::text::{Kind, key_number, sealed_len};

/// The layout of the plaintext; other versions are refused. Those above are [`Kind`]s of text.
const VERSION: u8 = 1;
const PLAIN_LEN: usize = 27;
const TAG_LEN: usize = 16;
/// Version and key number, in clear.
const HEADER_LEN: usize = 1;
const SEALED_LEN: usize = HEADER_LEN + PLAIN_LEN + TAG_LEN;
/// Characters of a sealed cookie: every octet in a Record-Route is one nearer to fragmentation.
pub const TEXT_LEN: usize = (SEALED_LEN * 4).div_ceil(3);
/// Keys are numbered by four bits.
const KEY_NUMBER_MAX: u8 = 15;

/// What a node must know to serve a request inside a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// The dialog; unique for ever.
    pub dialog: Uuid,
    /// The number of the trunk that the call came from, as the store gives it.
    pub trunk: u32,
    /// The number of the vendor that it went to.
    pub vendor: u32,
    /// The media node that anchors it; 0 is none.
    pub media: u8,
    /// The node that owns the dialog's actor, as far as was known when it was sealed; below [`CALLER_HIDDEN`].
    pub owner: u16,
    /// Whether the vendor called the trunk, and not the other way round.
    pub inbound: bool,
    /// Whether the callee is not to know who calls.
    pub withheld: bool,
    /// How many challenges the INVITE has answered that it went with, up to [`ANSWERS_MAX`]: its number is so much more
    /// than its sender's.
    pub answers: u8,
    /// Which sides are not shown the other one. A callee that is not has a Call-ID of ours.
    pub hides: Hides,
}

/// The bit beside the owner that says which way the call goes.
const INBOUND: u16 = 1 << 15;
/// The bit beside the owner that says that the callee is not to know who calls.
const WITHHELD: u16 = 1 << 14;
/// The bits beside the owner that count challenges.
const ANSWERS: u16 = 0b11 << ANSWERS_SHIFT;
const ANSWERS_SHIFT: u32 = 12;
/// As many challenges as can be counted.
pub const ANSWERS_MAX: u8 = 3;
/// The bit beside the owner that says that the callee is not shown the caller.
const CALLEE_HIDDEN: u16 = 1 << 11;
/// The bit beside the owner that says that the caller is not shown the callee.
const CALLER_HIDDEN: u16 = 1 << 10;
/// What is beside the owner: nodes have numbers below all of it.
const FLAGS: u16 = INBOUND | WITHHELD | ANSWERS | CALLEE_HIDDEN | CALLER_HIDDEN;

/// The call that a cookie belongs to. When the callee sends, the caller's tag stands in To.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Call-ID of the leg towards the caller.
    pub call_id: &'a [u8],
    /// The tag of the caller.
    pub caller_tag: &'a [u8],
}

/// Why a cookie tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a cookie of this version.
    #[error("not a cookie of ours")]
    Malformed,
    /// Sealed by a key that is no longer live, or never was ours.
    #[error("sealed by a key that is not live")]
    UnknownKey,
    /// Made by somebody else, or for another call.
    #[error("not sealed by us for this call")]
    Forged,
}

/// A key and its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    /// 0 to 15; goes in clear with every cookie.
    pub number: u8,
    /// The key.
    pub key: [u8; 16],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Secret {
    /// What a node's branches and tags are made with: the next process of the node knows those of the last by it.
    #[must_use]
    pub fn seed(&self, node: u16) -> (u64, u64) {
        let mut context = Context::new(&SHA256);
        context.update(b"branches");
        context.update(&node.to_be_bytes());
        context.update(&self.key);
        let mut octets = context.finish().as_ref().to_vec().into_iter();
        let mut number =
            || (0..8).fold(0_u64, |number, _| number << 8 | u64::from(octets.next().unwrap_or(0)));
        (number(), number())
    }
}

/// The live keys: one seals, both open. They may be replaced while they are used.
pub struct Keys(ArcSwap<Live>);

struct Live {
    sealing: (Secret, Aes128GcmSiv),
    other: Option<(Secret, Aes128GcmSiv)>,
}

impl Live {
    fn new(sealing: Secret, other: Option<Secret>) -> Self {
        let cipher = |secret: Secret| {
            let secret = Secret { number: secret.number & KEY_NUMBER_MAX, ..secret };
            (secret, Aes128GcmSiv::new(&secret.key.into()))
        };
        Self { sealing: cipher(sealing), other: other.map(cipher) }
    }

    /// The key of this number, else the one that seals.
    fn key_of(&self, by: Option<u8>) -> &(Secret, Aes128GcmSiv) {
        let mut keys = std::iter::once(&self.sealing).chain(&self.other);
        by.and_then(|by| keys.find(|(secret, _)| secret.number == by)).unwrap_or(&self.sealing)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sealing, other) = self.secrets();
        let other = other.map(|secret| secret.number);
        f.debug_struct("Keys").field("sealing", &sealing.number).field("other", &other).finish()
    }
}

impl Keys {
    /// Keys of which `sealing` seals. The other one opens what it has sealed: it is retired, until its last call has
    /// ended, or so young that not all nodes have it.
    #[must_use]
    pub fn new(sealing: Secret, other: Option<Secret>) -> Self {
        Self(ArcSwap::from_pointee(Live::new(sealing, other)))
    }

    /// These from now on.
    pub fn replace(&self, sealing: Secret, other: Option<Secret>) {
        self.0.store(Arc::new(Live::new(sealing, other)));
    }

    /// The key that seals and the other one. Numbers come again, so that they do not tell whether keys are the same.
    #[must_use]
    pub fn secrets(&self) -> (Secret, Option<Secret>) {
        let live = self.0.load();
        (live.sealing.0, live.other.as_ref().map(|(secret, _)| *secret))
    }

    /// Seals a cookie for a call: [`TEXT_LEN`] characters that need no escaping in a URI parameter.
    #[must_use]
    pub fn seal(&self, cookie: &Cookie, call: &Call<'_>) -> [u8; TEXT_LEN] {
        self.seal_by(cookie, call, None)
    }

    /// The same by the live key of this number, without such a one by that which seals.
    #[must_use]
    pub fn seal_by(&self, cookie: &Cookie, call: &Call<'_>, by: Option<u8>) -> [u8; TEXT_LEN] {
        let live = self.0.load();
        let (secret, cipher) = live.key_of(by);
        let header = VERSION << 4 | secret.number;
        let bound = Bound::to(header, call);
        let mut plain = cookie.to_octets();
        let mut text = [0; TEXT_LEN];
        // A plaintext of 27 octets is far below the cipher's limit, and the text has the length that it takes.
        let Ok(tag) = cipher.encrypt_inout_detached(&bound.nonce(), &bound.0, plain.as_mut_slice().into())
        else {
            return text;
        };
        let mut sealed = [0; SEALED_LEN];
        let parts = std::iter::once(header).chain(plain).chain(tag);
        sealed.iter_mut().zip(parts).for_each(|(place, octet)| *place = octet);
        let _ = URL_SAFE_NO_PAD.encode_slice(sealed, &mut text);
        text
    }

    /// Opens a cookie that came back.
    ///
    /// # Errors
    /// [`Refused`]; an old cookie, or one copied from another call, is nothing.
    pub fn open(&self, text: &[u8], call: &Call<'_>) -> Result<Cookie, Refused> {
        let mut sealed = [0; SEALED_LEN];
        if text.len() != TEXT_LEN || URL_SAFE_NO_PAD.decode_slice(text, &mut sealed) != Ok(SEALED_LEN) {
            return Err(Refused::Malformed);
        }
        let [header, rest @ ..] = sealed;
        let (plain, tag) = rest.split_first_chunk::<PLAIN_LEN>().ok_or(Refused::Malformed)?;
        let tag = Tag::try_from(tag).map_err(|_| Refused::Malformed)?;
        if header >> 4 != VERSION {
            return Err(Refused::Malformed);
        }
        let live = self.0.load();
        let keys = std::iter::once(&live.sealing).chain(&live.other);
        let mut keys = keys.filter(|(secret, _)| secret.number == header & KEY_NUMBER_MAX);
        let (_, cipher) = keys.next().ok_or(Refused::UnknownKey)?;
        let bound = Bound::to(header, call);
        let mut plain = *plain;
        cipher
            .decrypt_inout_detached(&bound.nonce(), &bound.0, plain.as_mut_slice().into(), &tag)
            .map_err(|_| Refused::Forged)?;
        Ok(Cookie::from_octets(plain))
    }
}

/// What a cookie is bound to: a digest of header, Call-ID and tag. The same call gives the same nonce, which
/// GCM-SIV forgives.
struct Bound([u8; 32]);

impl Bound {
    fn to(header: u8, call: &Call<'_>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[header]);
        // The length in front, so that no octet moves from one to the other unseen.
        context.update(&(call.call_id.len() as u64).to_be_bytes());
        context.update(call.call_id);
        context.update(call.caller_tag);
        let mut digest = [0; 32];
        digest.iter_mut().zip(context.finish().as_ref()).for_each(|(place, octet)| *place = *octet);
        Self(digest)
    }

    fn nonce(&self) -> Nonce {
        let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = self.0;
        [a, b, c, d, e, f, g, h, i, j, k, l].into()
    }
}

impl Cookie {
    fn to_octets(self) -> [u8; PLAIN_LEN] {
        let mut octets = [0; PLAIN_LEN];
        let fields = self.dialog.into_bytes().into_iter();
        let fields = fields.chain(self.trunk.to_be_bytes()).chain(self.vendor.to_be_bytes());
        let flags = [
            (self.inbound, INBOUND),
            (self.withheld, WITHHELD),
            (self.hides.callee, CALLEE_HIDDEN),
            (self.hides.caller, CALLER_HIDDEN),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
        let answers = u16::from(self.answers.min(ANSWERS_MAX)) << ANSWERS_SHIFT;
        let owner = flags.fold(self.owner & !FLAGS | answers, |owner, (_, flag)| owner | flag);
        let fields = fields.chain([self.media]).chain(owner.to_be_bytes());
        octets.iter_mut().zip(fields).for_each(|(place, octet)| *place = octet);
        octets
    }

    fn from_octets(octets: [u8; PLAIN_LEN]) -> Self {
        let mut octets = octets.into_iter();
        let mut next = || octets.next().unwrap_or(0);
        let dialog = Uuid::from_bytes(std::array::from_fn(|_| next()));
        let trunk = u32::from_be_bytes(std::array::from_fn(|_| next()));
        let vendor = u32::from_be_bytes(std::array::from_fn(|_| next()));
        let media = next();
        let owner = u16::from_be_bytes(std::array::from_fn(|_| next()));
        let has = |flag| owner & flag != 0;
        let hides = Hides { caller: has(CALLER_HIDDEN), callee: has(CALLEE_HIDDEN) };
        let (inbound, withheld) = (has(INBOUND), has(WITHHELD));
        let answers = u8::try_from((owner & ANSWERS) >> ANSWERS_SHIFT).unwrap_or_default();
        Self { dialog, trunk, vendor, media, owner: owner & !FLAGS, inbound, withheld, answers, hides }
    }
}

#[cfg(test)]
mod tests;
