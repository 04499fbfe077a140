#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vedette_fuzz::mysql_rows::run(data));
