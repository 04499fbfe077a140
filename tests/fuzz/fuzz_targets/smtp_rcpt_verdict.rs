#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::smtp_rcpt_verdict::run(data));
