//! `completions` and `man`: both come from the declaration in `cli`.

use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::report::{self, Failure};

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

/// `hansard-record man`; with a folder, a page for each command in it.
pub fn man(all: Option<&Path>) -> Result<i32, Failure> {
    if let Some(dir) = all {
        return clap_mangen::generate_to(Cli::command(), dir)
            .map(|()| 0)
            .map_err(report::io("write manual pages into", dir));
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(Failure::new)?;
    written(io::stdout().write_all(&text))
}
