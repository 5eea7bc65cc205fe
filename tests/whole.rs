//! Tests of the whole: the built program as its peers, its operators and its disk see it, and the habits of
//! the code.
//!
//! Nothing here links a crate of ours. Octets are written and read by hand, so that a mistake of the codec
//! cannot cancel itself out. `tests/run` starts what these tests need; without it a test whose peer is absent
//! says so and passes, under `WARP_TEST_REQUIRE` it fails.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time, on real sockets")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants; everything else fails it")]
#![expect(clippy::string_slice, reason = "a slice that cannot be is a failure of the test")]

#[cfg(test)]
mod whole {
    mod actors;
    mod api;
    mod certificate;
    mod demo;
    mod esme;
    mod faults;
    mod interop;
    mod kill;
    mod malformed;
    mod pdu;
    mod peer;
    mod process;
    mod proxy;
    mod random;
    mod sip;
    mod smsc;
    mod tidy;
    mod wait;
}
