//! libFuzzer's entry to `hansard_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::config::run(data));
