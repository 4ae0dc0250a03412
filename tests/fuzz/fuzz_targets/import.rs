//! libFuzzer's entry to `hansard_fuzz::import`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::import::run(data));
