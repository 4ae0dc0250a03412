//! libFuzzer's entry to `hansard_fuzz::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::names::run(data));
