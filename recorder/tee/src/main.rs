//! `hansard-shell`: the login shell of recorded users. Asks the agent for a session, runs their real shell in it, and ends
//! as that did.
//!
//! It is what every recorded user runs, and holds nothing: no key, no credential, no file of the recording. Not for
//! deciding anything: who is recorded, how, and which shell runs is the agent's answer.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use hansard_tee::settings::{SHELL_CONF, Settings};
use hansard_tee::wire::{Hello, VERSION, Welcome};
use hansard_tee::{
    Agent, Begun, Clock, Command, Exit, Guardian, InputCapture, NoSession, Options, Outcome, TeeError, begin,
    exec_front, interactive, on_terminal, ssh_user_auth, terminal_size,
};
use rustix::process::{DumpableBehavior, getgid, getgroups, set_dumpable_behavior};

/// The status of a session that is not started, or that the recorder had to end.
const NO_SESSION: i32 = 125;
/// Members of the break-glass group are recorded by this, without an agent.
const BREAK_GLASS: &str = "/usr/bin/hansard-record";

fn main() {
    hansard_tee::remember_descriptors();
    if !hansard_tee::restore_variables() {
        tell("some variables of the environment are missing, because this program is setgid");
    }
    // Nobody but root may trace or read this process: it shows what was accepted and nothing else. Not refused by any kernel
    // that has it; one that has not offers no more.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let argv: Vec<OsString> = std::env::args_os().collect();
    let settings = Settings::load(Path::new(SHELL_CONF)).unwrap_or_else(|what| {
        // A login must not fail on a typo of an operator: the agent may be where it always is.
        tell(&format!("the settings cannot be used, and are not: {what}"));
        Settings::default()
    });
    let (code, signal) = run(&settings, &argv);
    if let Some(signal) = signal {
        hansard_tee::release();
        hansard_tee::end_by(signal);
    }
    std::process::exit(code);
}

/// On standard error, which may be closed.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "hansard: {text}");
}

fn run(settings: &Settings, argv: &[OsString]) -> (i32, Option<i32>) {
    let terminal = on_terminal();
    // Before the clock: what it forks is not part of the session.
    let guardian = match terminal.then(Guardian::start).transpose() {
        Ok(guardian) => guardian,
        Err(e) => return refuse(settings, argv, &e.to_string()),
    };
    let clock = Clock::start();
    let hello = |names: &[Vec<u8>]| hello(argv, terminal, clock, names);
    let stdin = rustix::stdio::stdin();
    let lent = terminal.then(|| stdin.as_fd());
    match begin(&settings.socket, settings.start_wait_us, clock, lent, hello) {
        Ok(Begun { recorder, welcome }) => {
            let outcome = record(recorder, &welcome, clock, terminal);
            drop(guardian);
            outcome
        }
        Err(NoSession::Refused(refused)) => {
            let text = String::from_utf8_lossy(&refused.text).into_owned();
            if refused.denied {
                tell(&text);
                return (NO_SESSION, None);
            }
            refuse(settings, argv, &text)
        }
        Err(NoSession::Away(what)) => refuse(settings, argv, &what),
    }
}

fn hello(argv: &[OsString], terminal: bool, clock: Clock, names: &[Vec<u8>]) -> Hello {
    let variable = |name: &Vec<u8>| {
        let value = std::env::var_os(OsStr::from_bytes(name))?;
        Some([name, b"=".as_slice(), value.as_bytes()].concat())
    };
    Hello {
        version: VERSION,
        terminal,
        size: terminal_size().unwrap_or_default(),
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        cwd: std::env::current_dir().map(|dir| dir.into_os_string().into_vec()).unwrap_or_default(),
        env: names.iter().filter_map(variable).collect(),
        start_us: clock.start_us(),
        ssh_user_auth: ssh_user_auth(),
    }
}

/// Runs what the agent said, recorded by it, and says how to end.
fn record(recorder: Option<Agent>, welcome: &Welcome, clock: Clock, terminal: bool) -> (i32, Option<i32>) {
    let word = |bytes: &Vec<u8>| OsString::from_vec(bytes.clone());
    let program = word(&welcome.program);
    if std::env::var_os("SHELL").is_some_and(|shell| is_this(&shell)) {
        hansard_tee::set_shell_variable(&program);
    }
    if !welcome.env.is_empty() && !hansard_tee::keep_variables(&welcome.env) {
        tell("the environment cannot be set");
        return (NO_SESSION, None);
    }
    let mut args = welcome.argv.iter().map(word);
    let arg0 = args.next();
    let mut command = Command { program, arg0, args: args.collect(), env: Vec::new() };
    if let Some(folder) = welcome.marks.as_ref().filter(|_| terminal) {
        // A shell without marks is better than none; which files there are, the agent has looked.
        let _ = hansard_tee::put_marks(&mut command, Path::new(OsStr::from_bytes(folder)));
    }
    let _ = std::io::stderr().write_all(&welcome.banner);
    let Some(mut agent) = recorder else {
        let e = command.replace();
        tell(&e.to_string());
        return (e.status(), None);
    };
    let limit = welcome.stream_limit;
    let input = if welcome.input { InputCapture::On } else { InputCapture::Off };
    if terminal {
        let ended = interactive(&command, &mut agent, &Options { input, clock, limit: None });
        return finish(&mut agent, ended);
    }
    let fronted = exec_front(&command, input, move |worker| {
        let ended = worker.relay(&mut agent, clock, limit);
        finish(&mut agent, ended).0
    });
    match fronted {
        Ok(status) => (status.code, status.signal),
        Err(e) => {
            tell(&e.to_string());
            (e.status(), None)
        }
    }
}

/// Whether this is the program that runs: the shell that passwd names, and nobody wants to find in SHELL.
fn is_this(shell: &OsStr) -> bool {
    Path::new(shell).file_name() == Some(OsStr::new("hansard-shell"))
}

/// Tells the agent how it ended; what the command did is what the caller hears of.
fn finish(agent: &mut Agent, ended: Result<Exit, TeeError>) -> (i32, Option<i32>) {
    let exit = match &ended {
        Ok(exit) => exit.clone(),
        Err(e) => Exit { status: e.status(), signal: None, outcome: Outcome::Terminated, left_behind: Vec::new() },
    };
    let told = agent.end(&exit);
    for e in ended.err().into_iter().chain(told.err()) {
        tell(&e.to_string());
    }
    (exit.status, exit.signal.filter(|_| matches!(exit.outcome, Outcome::Signalled)))
}

/// No agent, no session; except for those who may come in without one.
fn refuse(settings: &Settings, argv: &[OsString], what: &str) -> (i32, Option<i32>) {
    if let Some(gid) = settings.break_glass_gid
        && is_member(gid)
    {
        hansard_tee::release();
        if !hansard_tee::drop_group() {
            tell("the group of this program cannot be given up");
            return (NO_SESSION, None);
        }
        let mut words = argv.iter();
        let arg0 = words.next().map_or("", |word| word.to_str().unwrap_or(""));
        let mut command = std::process::Command::new(BREAK_GLASS);
        command.arg("break-glass").arg(format!("--why={what}"));
        if arg0.starts_with('-') {
            command.arg("--login");
        }
        let e = command.arg("--").args(words).exec();
        tell(&format!("{BREAK_GLASS} cannot be run: {e}"));
    }
    tell(&format!("this session cannot be recorded, so it is not started: {what}"));
    match &settings.contact {
        Some(contact) => tell(&format!("for access, ask: {contact}")),
        None => tell("for access, ask the administrator of this host to look at `systemctl status hansard-agent`"),
    }
    (NO_SESSION, None)
}

/// By the kernel's word, not by that of a name service which may be away; and not by the group of this program's file.
fn is_member(gid: u32) -> bool {
    getgid().as_raw() == gid || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
}
