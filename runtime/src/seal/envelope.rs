//! The sealed form: what is encrypted with what, and where each part stands.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use uuid::Uuid;

use crate::random::secret_bytes;

/// Octets of a root key and of a data key.
pub(super) const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;
const ID_LEN: usize = 4;
/// Octets of a data key as it stands in a sealed value: nonce, key, tag.
const WRAPPED_LEN: usize = NONCE_LEN + KEY_LEN + TAG_LEN;

/// Sealed with the root key itself.
const DIRECT: u8 = 1;
/// Sealed with a data key, which is sealed with the root key.
const ENVELOPE: u8 = 2;

/// One root key.
pub(super) struct Key {
    octets: [u8; KEY_LEN],
    id: [u8; ID_LEN],
    cipher: LessSafeKey,
}

/// What [`rewrap`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Rewrapped {
    /// Sealed under the first key already.
    Same,
    /// The value to store instead.
    New(Vec<u8>),
    /// No key opens it.
    Closed,
}

impl Key {
    /// None only for octets that are no AES key, which no 32 are.
    pub(super) fn new(octets: [u8; KEY_LEN]) -> Option<Self> {
        let mut id = [0; ID_LEN];
        for (octet, digested) in id.iter_mut().zip(digest(&SHA256, &octets).as_ref()) {
            *octet = *digested;
        }
        Some(Self { octets, id, cipher: cipher(&octets)? })
    }

    pub(super) const fn octets(&self) -> &[u8; KEY_LEN] {
        &self.octets
    }

    /// HMAC-SHA256 of the parts, each behind its length, by a key that is made of this one for the purpose
    /// alone.
    pub(super) fn fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let root = hmac::Key::new(HMAC_SHA256, &self.octets);
        let own = hmac::sign(&root, format!("warp fingerprint {purpose}").as_bytes());
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, own.as_ref()));
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        for (octet, digested) in fingerprint.iter_mut().zip(context.sign().as_ref()) {
            *octet = *digested;
        }
        fingerprint
    }

    /// The data key and its wrapping belong to this row, this form and this root key: no part of another value fits,
    /// nor does a value of the older form.
    fn wrapping(&self, row: Uuid) -> Vec<u8> {
        [&[ENVELOPE], &self.id[..], row.as_bytes()].concat()
    }
}

/// A value of the newer form, taken apart.
struct Envelope<'a> {
    id: &'a [u8],
    wrapped: &'a [u8],
    secret: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn parse(rest: &'a [u8]) -> Option<Self> {
        let (id, rest) = rest.split_at_checked(ID_LEN)?;
        let (wrapped, secret) = rest.split_at_checked(WRAPPED_LEN)?;
        Some(Self { id, wrapped, secret })
    }

    /// The data key, and the place of the root key that it was wrapped with. Ids are short: two keys may share one.
    fn unwrap(&self, keys: &[Arc<Key>], row: Uuid) -> Option<(usize, Vec<u8>)> {
        let named = keys.iter().enumerate().filter(|(_, key)| key.id[..] == *self.id);
        let mut unwrapped =
            named.filter_map(|(at, key)| Some((at, decrypt(&key.cipher, self.wrapped, &key.wrapping(row))?)));
        unwrapped.next()
    }
}

/// Seals with a new data key under `root`.
pub(super) fn seal(root: &Key, row: Uuid, secret: &[u8]) -> Option<Vec<u8>> {
    let data_key = secret_bytes::<KEY_LEN>();
    let sealed = encrypt(&cipher(&data_key)?, secret, row.as_bytes())?;
    assemble(root, row, &data_key, &sealed)
}

/// Opens either form with whichever of the keys it was sealed with.
pub(super) fn open(keys: &[Arc<Key>], row: Uuid, sealed: &[u8]) -> Option<Vec<u8>> {
    match sealed.split_first()? {
        (&DIRECT, rest) => keys.iter().find_map(|key| decrypt(&key.cipher, rest, row.as_bytes())),
        (&ENVELOPE, rest) => {
            let envelope = Envelope::parse(rest)?;
            let (_, data_key) = envelope.unwrap(keys, row)?;
            decrypt(&cipher(&data_key)?, envelope.secret, row.as_bytes())
        }
        _ => None,
    }
}

/// The same secret under the first of the keys. Of an envelope only the data key is sealed anew.
pub(super) fn rewrap(keys: &[Arc<Key>], row: Uuid, sealed: &[u8]) -> Rewrapped {
    let Some(first) = keys.first() else { return Rewrapped::Closed };
    let Some(secret) = open(keys, row, sealed) else { return Rewrapped::Closed };
    let rewrapped = match sealed.split_first() {
        Some((&ENVELOPE, rest)) => Envelope::parse(rest).and_then(|envelope| {
            let (at, data_key) = envelope.unwrap(keys, row)?;
            if at == 0 {
                return Some(Rewrapped::Same);
            }
            assemble(first, row, &data_key, envelope.secret).map(Rewrapped::New)
        }),
        _ => seal(first, row, &secret).map(Rewrapped::New),
    };
    rewrapped.unwrap_or(Rewrapped::Closed)
}

fn assemble(root: &Key, row: Uuid, data_key: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let wrapped = encrypt(&root.cipher, data_key, &root.wrapping(row))?;
    Some([&[ENVELOPE], &root.id[..], &wrapped, secret].concat())
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// Nonce, ciphertext, tag. None for absurd lengths alone.
fn encrypt(cipher: &LessSafeKey, plain: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
    let nonce = secret_bytes::<NONCE_LEN>();
    let mut text = plain.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(unique, Aad::from(associated), &mut text).ok()?;
    Some([&nonce[..], &text].concat())
}

fn decrypt(cipher: &LessSafeKey, sealed: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = text.to_vec();
    let opened = cipher.open_in_place(nonce, Aad::from(associated), &mut text).ok()?;
    Some(opened.to_vec())
}

/// A value of the form before, as databases may have it.
#[cfg(test)]
pub(super) fn seal_direct(root: &Key, row: Uuid, secret: &[u8]) -> Vec<u8> {
    [&[DIRECT], encrypt(&root.cipher, secret, row.as_bytes()).unwrap().as_slice()].concat()
}
