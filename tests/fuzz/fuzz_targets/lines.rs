//! libFuzzer's entry to `hansard_fuzz::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::lines::run(data));
