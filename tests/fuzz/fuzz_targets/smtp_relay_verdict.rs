#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::smtp_relay_verdict::run(data));
