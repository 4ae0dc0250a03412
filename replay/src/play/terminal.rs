//! The reviewer's real terminal: taken over, asked for keys and size, and given back on every path.
//!
//! Given back: by [`Terminal::leave`], when dropped, by the panic hook before the message is printed, before the
//! program stops for `^Z` and before it dies of a signal. Interrupt and suspend stay the kernel's keys (`ISIG`), so
//! that they work even while this program is busy. Not for what is drawn: `paint`.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::paint::{ENTER, ENTER_AGAIN, LEAVE, Window};

/// What the panic hook needs to give the terminal back. `None` while it is not taken.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);
static HOOK: Once = Once::new();

struct Taken {
    input: OwnedFd,
    before: Termios,
}

/// What the kernel told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The window may have another size.
    Resized,
    /// We were stopped, and others may have used the terminal meanwhile.
    Continued,
    /// `^Z`: stop until continued.
    Suspend,
    /// End, as by this signal.
    End(i32),
}

/// What there is after a wait.
#[derive(Debug, Default)]
pub struct Heard {
    /// Bytes of keys.
    pub bytes: Vec<u8>,
    /// Signals, in order.
    pub signals: Vec<Signal>,
    /// The terminal is gone.
    pub gone: bool,
}

/// The terminal, taken over.
pub struct Terminal {
    input: File,
    before: Termios,
    signals: SignalDelivery<UnixStream, SignalOnly>,
}

impl Terminal {
    /// Takes the terminal over. Standard output is one: the caller has made sure.
    pub fn enter() -> io::Result<Self> {
        let input = if io::stdin().is_terminal() {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            // Standard input is a file or a pipe: keys come from the terminal itself.
            File::open("/dev/tty")?
        };
        let before = tcgetattr(&input)?;
        let (read, write) = UnixStream::pair()?;
        let numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH];
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, numbers)?;
        let mut terminal = Self { input, before, signals };
        install_hook();
        terminal.resume()?;
        Ok(terminal)
    }

    /// Takes it over again, after [`Terminal::leave`] or after others used it.
    pub fn resume(&mut self) -> io::Result<()> {
        let taken = Taken { input: self.input.as_fd().try_clone_to_owned()?, before: self.before.clone() };
        let again = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).replace(taken).is_some();
        let mut modes = self.before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        modes.local_modes |= LocalModes::ISIG;
        // Not IXON: a `^S` would stop the player in the middle of a write.
        modes.input_modes -= InputModes::IXON | InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&self.input, OptionalActions::Drain, &modes)?;
        // Entering the alternate screen twice would forget where the cursor was before the first time.
        self.write(if again { ENTER_AGAIN } else { ENTER }.as_bytes())
    }

    /// Gives it back. Again is harmless.
    pub fn leave(&mut self) {
        give_back();
    }

    /// Stops this program, as `^Z` does, until the shell continues it; then takes the terminal over again.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.leave();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        self.resume()
    }

    /// Its size. Terminals that say 0 get the size of a common one.
    pub fn window(&self) -> Window {
        let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(&self.input));
        let (cols, rows) = size.map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        if cols == 0 || rows == 0 { Window { cols: 80, rows: 24 } } else { Window { cols, rows } }
    }

    /// Writes all, also where standard output does not block.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(bytes)
    }

    /// Waits for keys and signals, for so long or for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Heard> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut heard = Heard::default();
        let mut fds = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(self.signals.get_read(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable = !fds[0].revents().is_empty();
        for number in self.signals.pending() {
            heard.signals.push(match number {
                SIGTSTP => Signal::Suspend,
                SIGCONT => Signal::Continued,
                SIGWINCH => Signal::Resized,
                number => Signal::End(number),
            });
        }
        if readable {
            let mut buffer = [0; 256];
            match rustix::io::read(&self.input, &mut buffer) {
                Ok(0) => heard.gone = true,
                Ok(n) => heard.bytes.extend_from_slice(&buffer[..n]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                // A hang-up. Its signal, if there is one, says more.
                Err(_) => heard.gone = true,
            }
        }
        Ok(heard)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Dies of a signal as if it had never been caught. Returns where that cannot be.
pub fn die_of(signal: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

fn install_hook() {
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
    });
}

fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Taken { input, before }) = taken {
        // Whatever fails, the other half is still tried: there is nobody left to tell.
        let _ = write_all(LEAVE.as_bytes());
        let _ = tcsetattr(&input, OptionalActions::Flush, &before);
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(&stdout, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
