#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::mail_hosts_verdict::run(data));
