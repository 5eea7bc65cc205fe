#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| stir::fuzz_entry::identity(octets));
