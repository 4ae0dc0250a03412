//! Starting a program with exactly the surroundings that it would have had without us.
//!
//! std's Command cannot: it knows neither the original dispositions nor a new session with a terminal, and it resets the
//! mask. All memory is laid out before the fork; the child then makes only async-signal-safe calls.

use std::ffi::{CString, c_char};
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

use super::descriptors::{pass_on_only, passed_on};
use super::original::{LAST_SIGNAL, Original, bit};
use super::setgid::drop_group;

unsafe extern "C" {
    /// The environment as the parent gave it, malformed and repeated entries included.
    static environ: *const *const c_char;
}

/// What to run.
pub(crate) struct Program {
    /// Tried in this order, as execvp would.
    pub(crate) candidates: Vec<CString>,
    /// The arguments, argv[0] first.
    pub(crate) argv: Vec<CString>,
    /// The whole environment, `NAME=VALUE`; `None` for the one that our parent gave us, as it is.
    pub(crate) env: Option<Vec<CString>>,
}

/// What becomes one of the descriptors 0, 1 and 2.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// What we have there, or closed if it was closed when we were started.
    Inherited,
    /// A descriptor of ours.
    From(BorrowedFd<'a>),
}

const SHELL: &std::ffi::CStr = c"/bin/sh";

/// Starts the program. With `terminal` the child leads a new session with that terminal; without, it stays in our
/// session and group. The error is why no candidate could be executed.
pub(crate) fn spawn(program: &Program, stdio: [Source<'_>; 3], terminal: Option<BorrowedFd<'_>>) -> io::Result<i32> {
    let original = Original::get();
    let sources = stdio.map(|source| if let Source::From(fd) = source { fd.as_raw_fd() } else { -1 });
    if sources.iter().any(|fd| (0..3).contains(fd)) {
        // One dup2 would overwrite the source of the next.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a standard descriptor was closed while we ran"));
    }
    let argv: Vec<*const c_char> = program.argv.iter().map(|a| a.as_ptr()).chain([ptr::null()]).collect();
    // For a script without "#!": the shell, the script, its arguments; the script's slot is filled in the child.
    let mut script: Vec<*const c_char> = [SHELL.as_ptr(), ptr::null()].to_vec();
    script.extend(argv.iter().skip(1));
    if program.argv.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    let env = pointers(program.env.as_deref());
    let passed_on = passed_on();
    let (mut failure, report) = io::pipe()?;
    // SAFETY: the child runs `become_child` only, which makes async-signal-safe calls on memory laid out above and
    // never returns; so neither locks held by other threads nor destructors matter in it.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: in the child of fork; the pointers' targets live in `program`, `argv`, `script`, `env` and `passed_on`,
        // which it has a copy of.
        0 => unsafe {
            pass_on_only(&passed_on);
            let words = Words { argv: &argv, script: &mut script, env: env.as_deref() };
            become_child(program, words, sources, terminal, original, report.as_raw_fd())
        },
        pid => {
            drop(report);
            let mut errno = [0; 4];
            match failure.read_exact(&mut errno) {
                // The pipe's other end was closed by a successful exec.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(pid),
                Err(e) => Err(e),
                Ok(()) => {
                    // SAFETY: waits for the child that has just said it is about to exit; no memory is written.
                    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
                }
            }
        }
    }
}

/// Becomes the program, with the surroundings of our parent; the error is why no candidate could be executed.
pub(crate) fn replace(program: &Program) -> io::Error {
    let argv: Vec<*const c_char> = program.argv.iter().map(|a| a.as_ptr()).chain([ptr::null()]).collect();
    let mut script: Vec<*const c_char> = [SHELL.as_ptr(), ptr::null()].to_vec();
    script.extend(argv.iter().skip(1));
    let env = pointers(program.env.as_deref());
    let passed_on = passed_on();
    // SAFETY: the pointers' targets live in `program`, `argv`, `script`, `env` and `passed_on`; dispositions and mask are set for
    // the program that comes, and stay so only where none can be executed, when this process is about to end.
    unsafe {
        pass_on_only(&passed_on);
        if drop_group() {
            restore_signals(Original::get());
            execute(program, Words { argv: &argv, script: &mut script, env: env.as_deref() });
        }
    }
    io::Error::last_os_error()
}

/// What a program is given, as execve takes it: arrays that end in null.
struct Words<'a> {
    argv: &'a [*const c_char],
    /// For a script without "#!".
    script: &'a mut [*const c_char],
    env: Option<&'a [*const c_char]>,
}

fn pointers(strings: Option<&[CString]>) -> Option<Vec<*const c_char>> {
    strings.map(|strings| strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect())
}

/// SAFETY: async-signal-safe; no other thread must depend on the mask or the dispositions.
unsafe fn restore_signals(original: Original) {
    // SAFETY: every call gets numbers or pointers to live memory of the right type; zeroes are valid in both.
    unsafe {
        for signal in (1..=LAST_SIGNAL).filter(|s| *s != libc::SIGKILL && *s != libc::SIGSTOP) {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed();
            (*action.as_mut_ptr()).sa_sigaction =
                if original.ignored & bit(signal) != 0 { libc::SIG_IGN } else { libc::SIG_DFL };
            libc::sigaction(signal, action.as_ptr(), ptr::null_mut());
        }
        let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(mask.as_mut_ptr());
        for signal in (1..=LAST_SIGNAL).filter(|s| original.blocked & bit(*s) != 0) {
            libc::sigaddset(mask.as_mut_ptr(), signal);
        }
        libc::sigprocmask(libc::SIG_SETMASK, mask.as_ptr(), ptr::null_mut());
    }
}

/// SAFETY: only in the child of a fork; see `spawn`.
unsafe fn become_child(
    program: &Program,
    words: Words<'_>,
    sources: [i32; 3],
    terminal: Option<BorrowedFd<'_>>,
    original: Original,
    report: i32,
) -> ! {
    // SAFETY: every call is async-signal-safe and gets numbers or pointers to live, terminated memory.
    unsafe {
        let errno = libc::__errno_location();
        'setup: {
            if let Some(slave) = terminal
                && (libc::setsid() < 0 || libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) < 0)
            {
                break 'setup;
            }
            for (target, source) in (0..).zip(sources) {
                if source >= 0 {
                    if libc::dup2(source, target) < 0 {
                        break 'setup;
                    }
                } else if original.closed & (1 << target) != 0 {
                    libc::close(target);
                }
            }
            if !drop_group() {
                break 'setup;
            }
            restore_signals(original);
            execute(program, words);
        }
        let why = (*errno).to_ne_bytes();
        libc::write(report, why.as_ptr().cast(), why.len());
        libc::_exit(127)
    }
}

/// execvp over the candidates; returns only when none could be executed, with errno saying why.
///
/// SAFETY: as `become_child`.
unsafe fn execute(program: &Program, words: Words<'_>) {
    let Words { argv, script, env } = words;
    // SAFETY: as the caller's: arrays end in null, strings in NUL, and all outlive the calls.
    unsafe {
        let errno = libc::__errno_location();
        let env = env.map_or(environ, <[*const c_char]>::as_ptr);
        let mut denied = false;
        *errno = libc::ENOENT;
        for path in &program.candidates {
            libc::execve(path.as_ptr(), argv.as_ptr(), env);
            if *errno == libc::ENOEXEC {
                if let Some(slot) = script.get_mut(1) {
                    *slot = path.as_ptr();
                }
                libc::execve(SHELL.as_ptr(), script.as_ptr(), env);
            }
            match *errno {
                libc::EACCES => denied = true,
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => return,
            }
        }
        if denied {
            *errno = libc::EACCES;
        }
    }
}

/// Which side of a fork.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The caller.
    Parent,
}

/// Forks this process while it has one thread; refuses when it has more.
pub(crate) fn fork() -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the process has threads already"));
    }
    // SAFETY: with one thread there is no lock that another could hold at the fork, so the child may run any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        _ => Ok(Side::Parent),
    }
}
