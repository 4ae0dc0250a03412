//! libFuzzer's entry to `hansard_fuzz::socket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hansard_fuzz::socket::run(data));
