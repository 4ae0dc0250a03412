//! Gives the terminal's modes back when the recorder cannot: killed by SIGKILL, or by a fault of its own.
//!
//! A process that only waits for the recorder's end, forked before there is anything secret in memory. It has a session and
//! a name of its own, so that whoever kills the recorder by its group, its session, its terminal or its name does not kill
//! this one with it; by the path of its program he does, and nothing is left then that could give the modes back. Not for
//! any other end: `terminal` restores on those.

use std::os::fd::OwnedFd;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::{Attempt as _, TeeError};
use crate::lane::forget_standard;
use crate::outlet::duplicate;
use crate::signals::prepare;
use crate::sys;

/// What `ps` shows; the kernel keeps 15 bytes.
const NAME: &str = "hansard-guard";

/// Watches over the terminal for as long as this process lives.
pub struct Guardian {
    /// The guardian waits for its end, which the kernel tells before the shell outside hears of ours.
    _life: sys::Life,
}

impl Guardian {
    /// Starts it. To be called before any thread is started and anything secret is made; and, as
    /// [`prepare`](crate::prepare), which it calls, only for a session to come.
    pub fn start() -> Result<Self, TeeError> {
        prepare();
        let terminal = duplicate(rustix::stdio::stdin()).attempt("open the terminal")?;
        let modes = tcgetattr(&terminal).attempt("read the terminal's modes")?;
        let life = sys::Life::begin().attempt("make a lock")?;
        match sys::fork().attempt("start a process")? {
            sys::Side::Parent => Ok(Self { _life: life }),
            sys::Side::Child => {
                watch(&terminal, modes, &life);
                std::process::exit(0)
            }
        }
    }
}

fn watch(terminal: &OwnedFd, modes: Termios, life: &sys::Life) {
    // Out of the way of signals to the job, and holding nothing that anyone could wait for. (A process just forked leads no
    // group, so that it can have a session; and a name that cannot be set is none that could be missed.)
    let _ = rustix::process::setsid();
    let _ = std::fs::write("/proc/self/comm", NAME);
    // A shell outside may keep the modes that it finds (zsh does): be there first, where that is allowed on a busy machine
    // too.
    let _ = rustix::process::setpriority_process(None, -20);
    sys::block(&[libc::SIGTTOU]);
    (0..3).for_each(forget_standard);
    sys::close_passed_on();
    let mut raw = modes.clone();
    raw.make_raw();
    life.wait();
    // As the recorder left it: whoever has set other modes since knows better.
    if tcgetattr(terminal).is_ok_and(|now| same(&now, &raw)) {
        let _ = tcsetattr(terminal, OptionalActions::Now, &modes);
    }
}

fn same(a: &Termios, b: &Termios) -> bool {
    a.input_modes == b.input_modes
        && a.output_modes == b.output_modes
        && a.control_modes == b.control_modes
        && a.local_modes == b.local_modes
}
