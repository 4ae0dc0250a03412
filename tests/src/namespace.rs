//! Processes of their own, in namespaces of their own, which go together. Not for what is in there: that is the suite's.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::call::Call;
use crate::{process, programs};

/// Namespaces that last as long as this value.
pub struct Namespace {
    keeper: Child,
    /// The first process, by its number outside.
    init: u32,
}

impl Namespace {
    /// Runs a shell's script in mount and process namespaces, and whatever else these options of `unshare` say; it says `ready`
    /// on a line and then waits for ever.
    pub fn new(script: Call, options: &[&str]) -> Self {
        let all = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
        let call = script.within(programs::outside("unshare"), all.iter().chain(options));
        let mut keeper = call.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare runs");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "the namespaces cannot be set up");
        let init = *process::descendants(keeper.id()).first().expect("the first process");
        Self { keeper, init }
    }

    /// The same call in there: in its mounts and among its processes, and in whatever else these options of `nsenter` name.
    pub fn enter(&self, call: Call, options: &[&str]) -> Call {
        let target = self.init.to_string();
        call.within(programs::outside("nsenter"), ["-t", &*target, "-m", "-p"].iter().chain(options))
    }

    /// Ends all that is in there, and waits for it.
    pub fn end(&mut self) {
        // The first process of a namespace takes all others with it.
        process::kill_first(self.init);
        let _ = self.keeper.wait();
    }
}
