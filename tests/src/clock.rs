//! Clocks that a test moves while programs run, without touching those of the machine.
//!
//! `clock.c` says how. Only for programs that are started with it; what is moved is the wall clock and CLOCK_BOOTTIME,
//! never CLOCK_MONOTONIC, as when a clock is set and as when a machine was suspended.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use crate::call::{Call, said};
use crate::home::Home;
use crate::programs;

const SECOND: i64 = 1_000_000_000;

/// The clocks of the programs that are started with it.
pub struct Clock {
    library: PathBuf,
    place: PathBuf,
    file: std::fs::File,
    wall: i64,
    boot: i64,
}

impl Clock {
    /// Clocks that are not moved yet.
    pub fn new(home: &Home) -> Self {
        let (library, place) = (home.join("clock.so"), home.join("clock"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clock.c");
        let built = Command::new(programs::outside("cc"))
            .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source)
            .output()
            .expect("cc runs");
        assert!(built.status.success(), "{}", said(&built));
        let file = std::fs::File::options().write(true).create(true).truncate(true).open(&place).expect("a file");
        let mut clock = Self { library, place, file, wall: 0, boot: 0 };
        clock.moved(0, 0);
        clock
    }

    /// The same call, by these clocks.
    pub fn on(&self, call: Call) -> Call {
        call.env("LD_PRELOAD", &self.library).env("HANSARD_TEST_CLOCK", &self.place)
    }

    /// The wall clock is set, by so many seconds.
    pub fn set_by(&mut self, seconds: i64) {
        self.moved(seconds, 0);
    }

    /// The machine was suspended for so many seconds.
    pub fn suspended_for(&mut self, seconds: i64) {
        self.moved(seconds, seconds);
    }

    fn moved(&mut self, wall: i64, boot: i64) {
        self.wall += wall * SECOND;
        self.boot += boot * SECOND;
        let bytes = [self.wall.to_ne_bytes(), self.boot.to_ne_bytes()].concat();
        self.file.write_all_at(&bytes, 0).expect("written");
    }
}
