//! `hansard-record`: parses what was typed, runs it, and turns failures into messages and exit codes.

use clap::Parser as _;
use hansard_record::cli::{Cli, Command, PolicyCommand};
use hansard_record::{cmd, report};

/// What is freed is wiped: a library that copies a secret and frees the copy (age does with the epoch secret that it
/// wraps) leaves nothing behind.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() {
    hansard_tee::remember_descriptors();
    let cli = Cli::try_parse().unwrap_or_else(|e| {
        // clap prints help and versions through the same door, with exit code 0.
        let code = if e.use_stderr() { report::EXIT_RECORDER } else { 0 };
        let _ = e.print();
        std::process::exit(code);
    });
    let result = match cli.command {
        None => cmd::run::run(cli.run),
        Some(Command::Run(args)) => cmd::run::run(args),
        Some(Command::Ship(args)) => cmd::ship::run(&args),
        Some(Command::Import(args)) => cmd::import::run(args),
        Some(Command::Check(args)) => cmd::check::run(&args),
        Some(Command::Agent(args)) => cmd::agent::run(&args),
        Some(Command::BreakGlass(args)) => cmd::break_glass::run(args),
        Some(Command::Status(args)) => cmd::agent::status(&args),
        Some(Command::Terminate(args)) => cmd::agent::terminate(&args),
        Some(Command::Policy { command: PolicyCommand::Test(args) }) => cmd::policy::test(&args),
        Some(Command::Enroll(args)) => cmd::enroll::run(&args),
        Some(Command::Unenroll(args)) => cmd::unenroll::run(&args),
        Some(Command::Completions { shell }) => cmd::declare::completions(shell),
        Some(Command::Man { all }) => cmd::declare::man(all.as_deref()),
    };
    let code = result.unwrap_or_else(|failure| {
        eprint!("{}", failure.render());
        failure.code
    });
    std::process::exit(code);
}
