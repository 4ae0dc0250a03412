//! libFuzzer's entry to `hansard_fuzz::chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::chain::run(data));
