#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::sts_policy::run(data));
