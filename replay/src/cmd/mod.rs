//! One file per verb; each takes the joined context and its own arguments.

pub mod completions;
pub mod export;
pub mod forward;
pub mod keygen;
pub mod keys;
pub mod ls;
pub mod play;
pub mod show;
pub mod tail;
pub mod verify;
mod verify_file;

use crate::cli::{Cli, Verb};
use crate::context::Context;
use crate::report::Outcome;

/// Does what the command line asks for.
pub fn run(cli: Cli) -> Outcome {
    let context = || Context::new(cli.color, cli.config.as_deref());
    match cli.verb {
        Verb::Ls(args) => ls::run(&context()?, &args),
        Verb::Show(args) => show::run(&context()?, &args),
        Verb::Play(args) => play::run(&context()?, &args),
        Verb::Tail(args) => tail::run(&context()?, &args),
        Verb::Forward(args) => forward::run(&context()?, &args),
        Verb::Export(args) => export::run(&context()?, &args),
        Verb::Verify(args) => verify::run(&context()?, &args),
        Verb::Keygen(args) => keygen::run(&context()?, &args),
        Verb::Keys(args) => keys::run(&context()?, &args),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Man { all } => completions::man(all.as_deref()),
    }
}
