//! Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3).
//!
//! A key is a keyed hash of 128 bits over the parts that the RFC compares: it has one size, is made without
//! allocation, and two transactions share one with a chance that no operator will live to see. The seed keeps
//! strangers from choosing branches that meet in one bucket of a table.
//!
//! A branch is only as unique as the peer makes it. The key of a request that we received is therefore also over
//! what every request of its transaction has alike, Call-ID, CSeq number and origin: a branch that is used again
//! for a re-INVITE, or that two customers share behind the same private sent-by, is not taken for a
//! retransmission, and a CANCEL of one trunk ends no call of another.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::method::Method;

pub use crate::via::{MAGIC_COOKIE, has_magic_cookie};

/// Identifies one transaction among all of its node, client and server ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    high: u64,
    low: u64,
}

impl Hash for Key {
    /// One half is enough: it is a hash already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low);
    }
}

/// A table by key that does not hash again.
pub type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<KeyHasher>>;

/// Takes the hash that a [`Key`] is.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, octets: &[u8]) {
        // Not used by Key; correct for whatever else is hashed with it.
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The parts of a request that a server transaction is found by, all as they stand in the message.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// Of the request line and CSeq.
    pub method: Method,
    /// The branch of the top Via; empty where it has none.
    pub branch: &'a [u8],
    /// The sent-by of the top Via, host and port.
    pub sent_by: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The number in CSeq.
    pub cseq: u32,
    /// Whom the request is from, as the caller knows its peers apart: the number of the trunk. The same for a
    /// retransmission, an ACK and a CANCEL, so no address or port that may change between them.
    pub origin: u64,
    /// What RFC 2543 elements are found by; read only where the branch lacks the magic cookie.
    pub fallback: Fallback<'a>,
}

/// What identifies a request whose branch does not (17.2.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Fallback<'a> {
    /// The Request-URI.
    pub request_uri: &'a [u8],
    /// The tag of To; empty where it has none.
    pub to_tag: &'a [u8],
    /// The tag of From; empty where it has none.
    pub from_tag: &'a [u8],
    /// The value of the top Via, whole.
    pub top_via: &'a [u8],
}

/// Makes keys.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    seed: (u64, u64),
}

/// What a key is of; keeps one kind from ever equalling another.
#[derive(Clone, Copy)]
enum Kind {
    Client = 1,
    Server = 2,
    Fallback = 3,
}

impl Keys {
    /// Keys under a secret seed. Tables of different seeds do not match.
    pub const fn new(seed: (u64, u64)) -> Self {
        Self { seed }
    }

    /// Of a request that we sent with this branch, and of the responses to it: `method` is that of the request,
    /// and the one in CSeq of a response. A CANCEL has the branch of its INVITE and a key of its own.
    pub fn client(&self, branch: &[u8], method: Method) -> Key {
        self.digest(Kind::Client).field(branch).method(method).key()
    }

    /// Of a request that we received. An ACK has the key of its INVITE; a CANCEL has its own.
    pub fn server(&self, parts: &RequestParts<'_>) -> Key {
        self.server_of(parts, transaction_method(parts.method))
    }

    /// Of the INVITE that this CANCEL is for (9.2).
    pub fn cancelled(&self, cancel: &RequestParts<'_>) -> Key {
        self.server_of(cancel, Method::Invite)
    }

    fn server_of(&self, parts: &RequestParts<'_>, method: Method) -> Key {
        let cookie = has_magic_cookie(parts.branch);
        let digest = self.digest(if cookie { Kind::Server } else { Kind::Fallback });
        let digest = digest.number(parts.origin).field(parts.call_id).number(u64::from(parts.cseq));
        let digest = if cookie {
            digest.field(parts.branch).host(parts.sent_by)
        } else {
            digest.fallback(&parts.fallback, method)
        };
        digest.method(method).key()
    }

    fn digest(&self, kind: Kind) -> Digest {
        Digest(SipHasher13::new_with_keys(self.seed.0, self.seed.1)).number(kind as u64)
    }
}

const fn transaction_method(method: Method) -> Method {
    if matches!(method, Method::Ack) { Method::Invite } else { method }
}

struct Digest(SipHasher13);

impl Digest {
    /// With its length, so that octets cannot move from one field to the next.
    fn field(self, octets: &[u8]) -> Self {
        let mut digest = self.number(octets.len() as u64);
        digest.0.write(octets);
        digest
    }

    /// Hosts are compared regardless of case.
    fn host(self, octets: &[u8]) -> Self {
        let mut digest = self.number(octets.len() as u64);
        for chunk in octets.chunks(HOST_CHUNK) {
            let mut lower = [0; HOST_CHUNK];
            for (to, from) in lower.iter_mut().zip(chunk) {
                *to = from.to_ascii_lowercase();
            }
            digest.0.write(lower.get(..chunk.len()).unwrap_or_default());
        }
        digest
    }

    fn fallback(self, parts: &Fallback<'_>, method: Method) -> Self {
        // The ACK of a non-2xx carries the To tag of our response, which the INVITE had not. What else is compared
        // tells INVITEs apart: a later one of the same call has another CSeq.
        let to_tag = if method == Method::Invite { &[] } else { parts.to_tag };
        self.field(parts.request_uri).field(to_tag).field(parts.from_tag).field(parts.top_via)
    }

    fn number(mut self, number: u64) -> Self {
        self.0.write_u64(number);
        self
    }

    fn method(self, method: Method) -> Self {
        self.field(method.as_str().as_bytes())
    }

    fn key(self) -> Key {
        let hash = self.0.finish128();
        Key { high: hash.h1, low: hash.h2 }
    }
}

const HOST_CHUNK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys = Keys::new((1, 2));

    fn parts(method: Method) -> RequestParts<'static> {
        RequestParts {
            method,
            branch: b"z9hG4bK776asdhds",
            sent_by: b"pc33.atlanta.com:5066",
            call_id: b"a84b4c76e66710",
            cseq: 314_159,
            origin: 7,
            fallback: Fallback::default(),
        }
    }

    fn old(method: Method) -> RequestParts<'static> {
        let fallback = Fallback {
            request_uri: b"sip:bob@biloxi.com",
            to_tag: b"",
            from_tag: b"1928301774",
            top_via: b"SIP/2.0/UDP pc33.atlanta.com",
        };
        RequestParts { branch: b"", sent_by: b"pc33.atlanta.com", fallback, ..parts(method) }
    }

    #[test]
    fn an_ack_finds_its_invite_and_a_cancel_itself() {
        for parts in [parts, old] {
            let invite = KEYS.server(&parts(Method::Invite));
            assert_eq!(KEYS.server(&parts(Method::Ack)), invite);
            assert_ne!(KEYS.server(&parts(Method::Cancel)), invite);
            assert_eq!(KEYS.cancelled(&parts(Method::Cancel)), invite);
            assert_ne!(KEYS.server(&parts(Method::Bye)), invite);
            assert_ne!(KEYS.server(&parts(Method::Other)), KEYS.server(&parts(Method::Bye)));
        }
    }

    #[test]
    fn branch_and_sent_by_tell_servers_apart() {
        let first = parts(Method::Invite);
        let key = KEYS.server(&first);
        let port = RequestParts { sent_by: b"pc33.atlanta.com", ..first };
        let branch = RequestParts { branch: b"z9hG4bK776asdhdt", ..first };
        let shifted =
            RequestParts { branch: b"z9hG4bK776asdhdsp", sent_by: b"c33.atlanta.com:5066", ..first };
        for other in [port, branch, shifted] {
            assert_ne!(KEYS.server(&other), key, "{other:?}");
        }
        let case = RequestParts { sent_by: b"PC33.Atlanta.COM:5066", ..first };
        assert_eq!(KEYS.server(&case), key);
        let ignored =
            RequestParts { fallback: Fallback { from_tag: b"x", top_via: b"y", ..first.fallback }, ..first };
        assert_eq!(KEYS.server(&ignored), key);
        let long = "A".repeat(200);
        let (upper, lower) = (long.as_bytes(), long.to_ascii_lowercase());
        let keys = [upper, lower.as_bytes()].map(|sent_by| KEYS.server(&RequestParts { sent_by, ..first }));
        assert_eq!(keys[0], keys[1]);
    }

    #[test]
    fn a_branch_used_again_is_another_transaction() {
        for parts in [parts, old] {
            let first = parts(Method::Invite);
            let others = [
                ("another call", RequestParts { call_id: b"b", ..first }),
                ("a re-INVITE", RequestParts { cseq: 314_160, ..first }),
                ("another customer", RequestParts { origin: 8, ..first }),
            ];
            for (what, other) in others {
                assert_ne!(KEYS.server(&other), KEYS.server(&first), "{what}");
                let cancel = RequestParts { method: Method::Cancel, ..other };
                assert_ne!(KEYS.cancelled(&cancel), KEYS.server(&first), "a CANCEL of {what}");
            }
        }
    }

    #[test]
    fn old_elements_are_told_apart_by_everything_else() {
        let invite = old(Method::Invite);
        let key = KEYS.server(&invite);
        let f = invite.fallback;
        let others = [
            Fallback { request_uri: b"sip:bob@biloxi.org", ..f },
            Fallback { from_tag: b"x", ..f },
            Fallback { top_via: b"SIP/2.0/UDP pc34.atlanta.com", ..f },
        ];
        for fallback in others {
            assert_ne!(KEYS.server(&RequestParts { fallback, ..invite }), key, "{fallback:?}");
        }
        let tagged = Fallback { to_tag: b"ours", ..f };
        let ack = RequestParts { fallback: tagged, ..old(Method::Ack) };
        assert_eq!(KEYS.server(&ack), key, "the To tag of our response");
        let bye = old(Method::Bye);
        assert_ne!(KEYS.server(&RequestParts { fallback: tagged, ..bye }), KEYS.server(&bye));
    }

    #[test]
    fn the_cookie_decides() {
        let cases: [(&[u8], bool); 6] = [
            (b"z9hG4bKx", true),
            (b"Z9HG4BKx", true),
            (b"z9hG4bK", false),
            (b"z9hG4b", false),
            (b"", false),
            (b"1", false),
        ];
        for (branch, cookie) in cases {
            assert_eq!(has_magic_cookie(branch), cookie, "{branch:?}");
        }
        // Two calls of an element whose branches are always "1".
        let first = RequestParts { branch: b"1", ..old(Method::Invite) };
        assert_ne!(KEYS.server(&first), KEYS.server(&RequestParts { call_id: b"second", ..first }));
    }

    #[test]
    fn clients_and_servers_never_meet() {
        let branch = b"z9hG4bK776asdhds";
        let invite = KEYS.client(branch, Method::Invite);
        assert_ne!(KEYS.client(branch, Method::Cancel), invite, "the 200 of a CANCEL is not the INVITE's");
        assert_ne!(KEYS.server(&RequestParts { sent_by: b"", ..parts(Method::Invite) }), invite);
        assert_ne!(Keys::new((1, 3)).client(branch, Method::Invite), invite, "another seed");
        let mut table = KeyMap::default();
        table.insert(invite, 'a');
        assert_eq!(table.get(&KEYS.client(branch, Method::Invite)), Some(&'a'));
    }
}
