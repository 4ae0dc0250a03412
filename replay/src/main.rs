//! The thin binary over the library of the same name.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;
use hansard_replay::{cli, cmd, report};

fn main() -> ExitCode {
    // Where a completion script asks, this answers and ends.
    CompleteEnv::with_factory(cli::Cli::command).var(cmd::completions::VARIABLE).complete();
    let outcome = match cli::Cli::try_parse() {
        Ok(cli) => cmd::run(cli),
        Err(error) => Err(error.into()),
    };
    report::finish(outcome)
}
