//! libFuzzer's entry to `hansard_fuzz::verdict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::verdict::run(data));
