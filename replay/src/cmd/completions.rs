//! `completions` and `man`: generated from the declaration, so they cannot disagree with it.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::report::{Exit, Outcome};

/// Prints a completion script.
pub fn completions(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hansard-replay", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Fine)
}

/// Prints the manual page.
pub fn man() -> Outcome {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    io::stdout().lock().write_all(&page)?;
    Ok(Exit::Fine)
}
