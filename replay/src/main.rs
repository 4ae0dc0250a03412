//! The thin binary over the library of the same name.

use std::process::ExitCode;

use clap::Parser;
use hansard_replay::{cli, cmd, report};

fn main() -> ExitCode {
    let outcome = match cli::Cli::try_parse() {
        Ok(cli) => cmd::run(cli),
        Err(error) => Err(error.into()),
    };
    report::finish(outcome)
}
