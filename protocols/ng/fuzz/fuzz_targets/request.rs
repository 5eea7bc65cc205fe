#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ng::fuzz_entry::request(octets));
