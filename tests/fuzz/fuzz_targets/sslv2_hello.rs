#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::sslv2_hello::run(data));
