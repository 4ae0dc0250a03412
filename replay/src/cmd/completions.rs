//! `completions` and `man`: generated from the declaration, so they cannot disagree with it.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::report::{Exit, Failure, Outcome};

const NAME: &str = "hansard-replay";

/// Set by the scripts, with the name of the shell, where the program is to complete.
pub const VARIABLE: &str = "HANSARD_REPLAY_COMPLETE";

/// Prints a completion script.
pub fn completions(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    let shells = clap_complete::env::Shells::builtins();
    let shell = shells.completer(&args.shell.to_string());
    let shell = shell.ok_or_else(|| Failure::usage(format!("no completions are known for {}", args.shell)))?;
    shell.write_registration(VARIABLE, "hansard_replay", NAME, NAME, &mut script)?;
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Fine)
}

/// Prints the manual page; with a folder, writes a page for each command into it.
pub fn man(all: Option<&Path>) -> Outcome {
    if let Some(dir) = all {
        clap_mangen::generate_to(Cli::command(), dir)?;
        return Ok(Exit::Fine);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    io::stdout().lock().write_all(&page)?;
    Ok(Exit::Fine)
}
