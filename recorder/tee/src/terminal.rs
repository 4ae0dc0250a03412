//! The outer terminal, whose modes are given back on every path, and the inner one, which begins as its copy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::error::{Attempt as _, TeeError};
use crate::outlet::{Outlet, duplicate, reopen};
use crate::sys;

/// Whether this process sits on a terminal with both input and output, as interactive sessions need.
pub fn on_terminal() -> bool {
    isatty(rustix::stdio::stdin()) && isatty(rustix::stdio::stdout())
}

/// Columns and rows of the terminal on standard input.
pub fn terminal_size() -> Option<(u16, u16)> {
    tcgetwinsize(rustix::stdio::stdin()).ok().map(|size| (size.ws_col, size.ws_row))
}

/// The terminal that the user sees.
pub(crate) struct Outer {
    pub(crate) input: OwnedFd,
    pub(crate) output: Outlet,
    modes: Option<Termios>,
    /// How it was when raw mode began.
    saved: Option<Termios>,
}

impl Outer {
    pub(crate) fn open() -> Result<Self, TeeError> {
        let stdin = rustix::stdio::stdin();
        let input = own(stdin, OFlags::RDWR).attempt("open the terminal")?;
        let output = match same(stdin, rustix::stdio::stdout()) {
            true => Outlet::new(input.as_fd()),
            false => Outlet::new(rustix::stdio::stdout()),
        };
        Ok(Self { input, output: output.attempt("open the terminal")?, modes: None, saved: None })
    }

    pub(crate) fn size(&self) -> io::Result<Winsize> {
        Ok(tcgetwinsize(&self.input)?)
    }

    /// Whether it can no longer be used by anyone, rather than not by us now.
    pub(crate) fn is_gone(&self) -> bool {
        self.size().is_err()
    }

    /// Whether our process group is the one that it reads for; where there is no job control, yes.
    pub(crate) fn is_ours(&self) -> bool {
        tcgetpgrp(&self.input).map_or(true, |group| group.as_raw_nonzero().get() == sys::own_group())
    }

    /// The modes as they were found.
    pub(crate) fn modes(&mut self) -> io::Result<&Termios> {
        if self.modes.is_none() {
            self.modes = Some(tcgetattr(&self.input)?);
        }
        self.modes.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Hands every byte through; the inner terminal does all editing and signals.
    pub(crate) fn make_raw(&mut self) -> io::Result<()> {
        let found = tcgetattr(&self.input)?;
        let mut raw = found.clone();
        raw.make_raw();
        set(&self.input, &raw)?;
        // While it is ours, what was found first counts, whatever others did to it since.
        self.saved.get_or_insert(found);
        Ok(())
    }

    /// Gives the modes back.
    pub(crate) fn restore(&mut self) {
        if let Some(saved) = self.saved.take() {
            // A terminal that is gone needs no modes.
            let _ = set(&self.input, &saved);
        }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Even from the background, where the default is to be stopped by SIGTTOU.
fn set(terminal: &OwnedFd, modes: &Termios) -> io::Result<()> {
    sys::block(&[libc::SIGTTOU]);
    let result = tcsetattr(terminal, OptionalActions::Now, modes);
    if !sys::Original::get().blocks(libc::SIGTTOU) {
        sys::unblock(&[libc::SIGTTOU]);
    }
    Ok(result?)
}

/// Our own open file of a terminal: through /proc, or by the name of the controlling one where its owner is another
/// user (after su), or else the shared one, which then must only be used when ready.
fn own(terminal: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    if let Ok(own) = reopen(terminal, access) {
        return Ok(own);
    }
    let controlling = sys::is_controlling(terminal);
    if controlling {
        let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Ok(own) = open("/dev/tty", flags, Mode::empty()) {
            return Ok(own);
        }
    }
    duplicate(terminal)
}

fn same(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    match (fstat(a), fstat(b)) {
        (Ok(a), Ok(b)) => a.st_rdev == b.st_rdev && a.st_ino == b.st_ino && a.st_dev == b.st_dev,
        _ => false,
    }
}

/// The terminal that the child sits on, from its far side.
pub(crate) struct Inner {
    pub(crate) master: OwnedFd,
    /// Held where no process holds it, so that the far side does not count as closed.
    pub(crate) slave: Option<OwnedFd>,
}

impl Inner {
    /// A pair with the modes and the size of the outer terminal.
    pub(crate) fn like(outer: &mut Outer) -> Result<Self, TeeError> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).attempt("make a terminal")?;
        unlockpt(&master).attempt("make a terminal")?;
        let slave = ioctl_tiocgptpeer(&master, flags).attempt("make a terminal")?;
        let modes = outer.modes().attempt("read the terminal's modes")?;
        tcsetattr(&slave, OptionalActions::Now, modes).attempt("set the terminal's modes")?;
        let size = outer.size().attempt("read the terminal's size")?;
        tcsetwinsize(&slave, size).attempt("set the terminal's size")?;
        // The master is ours alone: no other process has this open file.
        rustix::io::ioctl_fionbio(&master, true).attempt("make a terminal")?;
        Ok(Self { master, slave: Some(slave) })
    }

    /// Opens the far side again, for as long as nobody else has it open.
    pub(crate) fn hold_open(&mut self) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        self.slave = ioctl_tiocgptpeer(&self.master, flags).ok();
    }

    pub(crate) fn set_size(&self, size: Winsize) {
        // Refused only for a terminal that is gone.
        let _ = tcsetwinsize(&self.master, size);
    }

    /// The process group that is in the foreground.
    pub(crate) fn foreground(&self) -> Option<i32> {
        tcgetpgrp(&self.master).ok().map(|group| group.as_raw_nonzero().get())
    }

    /// Whether typed text is read line by line and not shown: a password, most likely.
    pub(crate) fn hides_input(&self) -> bool {
        tcgetattr(&self.master).is_ok_and(|modes| {
            modes.local_modes.contains(LocalModes::ICANON) && !modes.local_modes.contains(LocalModes::ECHO)
        })
    }

    /// Whether one of these bytes, typed now, suspends.
    pub(crate) fn suspends_by(&self, bytes: &[u8]) -> bool {
        use rustix::termios::SpecialCodeIndex as Code;
        // Spares nearly all typing the question to the kernel.
        let control = |byte: &u8| *byte < b' ' && !b"\x08\t\n\r\x1b".contains(byte);
        bytes.iter().any(control)
            && tcgetattr(&self.master).is_ok_and(|modes| {
                let code = modes.special_codes[Code::VSUSP];
                modes.local_modes.contains(LocalModes::ISIG) && code != 0 && bytes.contains(&code)
            })
    }

    /// Whether this byte, typed now, interrupts, quits or suspends.
    pub(crate) fn signals_by(&self, byte: u8) -> bool {
        use rustix::termios::SpecialCodeIndex as Code;
        tcgetattr(&self.master).is_ok_and(|modes| {
            let codes = [Code::VINTR, Code::VQUIT, Code::VSUSP];
            byte != 0
                && modes.local_modes.contains(LocalModes::ISIG)
                && codes.into_iter().any(|code| modes.special_codes[code] == byte)
        })
    }
}
