//! libFuzzer's entry to `hansard_fuzz::sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::sealed::run(data));
