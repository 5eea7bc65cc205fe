#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| sip::fuzz_entry::sdp(octets));
