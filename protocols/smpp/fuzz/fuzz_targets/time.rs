#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| smpp::fuzz_entry::time(octets));
