//! `completions` and `man`: both come from the declaration in `cli`.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::report::Failure;

fn written(result: io::Result<()>) -> Result<i32, Failure> {
    match result {
        // Whoever read it has enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other.map(|()| 0).map_err(Failure::new),
    }
}

/// `hansard-record completions SHELL`.
pub fn completions(shell: clap_complete::Shell) -> Result<i32, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hansard-record", &mut text);
    written(io::stdout().write_all(&text))
}

/// `hansard-record man`.
pub fn man() -> Result<i32, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(Failure::new)?;
    written(io::stdout().write_all(&text))
}
