//! One file per verb; each takes the joined context and its own arguments.

pub mod audit;
pub mod completions;
pub mod export;
pub mod forward;
pub mod grep;
mod grep_print;
pub mod keygen;
pub mod keys;
pub mod ls;
pub mod play;
pub mod show;
pub mod tail;
pub mod timeline;
pub mod verify;
mod verify_file;

use crate::cli::{Cli, Verb};
use crate::context::Context;
use crate::report::Outcome;

/// Does what the command line asks for.
pub fn run(cli: Cli) -> Outcome {
    let how = cli.verb.name();
    let context = || Context::new(cli.color, cli.config.as_deref(), how);
    match cli.verb {
        Verb::Ls(args) => ls::run(&context()?, &args),
        Verb::Show(args) => show::run(&context()?, &args),
        Verb::Play(args) => play::run(&context()?, &args),
        Verb::Grep(args) => grep::run(&context()?, &args),
        Verb::Timeline(args) => timeline::run(&context()?, &args),
        Verb::Tail(args) => tail::run(&context()?, &args),
        Verb::Forward(args) => forward::run(&context()?, &args),
        Verb::Export(args) => export::run(&context()?, &args),
        Verb::Verify(args) => verify::run(&context()?, &args),
        Verb::Audit(args) => audit::run(&context()?, &args),
        Verb::Keygen(args) => keygen::run(&context()?, &args),
        Verb::Keys(args) => keys::run(&context()?, &args),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Man { all } => completions::man(all.as_deref()),
    }
}
