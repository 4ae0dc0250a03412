//! `seat PROGRAM ARGS…`: makes its standard input the controlling terminal of a new session, then is the program.
//!
//! A test starts everything on its terminals through it, because doing this between fork and exec would take
//! unsafe code.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("seat: no program");
        return ExitCode::from(125);
    };
    let seated = rustix::process::setsid().and_then(|_| rustix::process::ioctl_tiocsctty(std::io::stdin()));
    if let Err(e) = seated {
        eprintln!("seat: no controlling terminal: {e}");
        return ExitCode::from(125);
    }
    let error = Command::new(&program).args(words).exec();
    eprintln!("seat: {}: {error}", program.display());
    ExitCode::from(127)
}
