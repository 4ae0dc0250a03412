//! libFuzzer's entry to `hansard_fuzz::segment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::segment::run(data));
