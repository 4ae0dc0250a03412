//! Starts and returns: what the first frame of a connection asks for, decided, made durable, and answered.
//!
//! On threads of its own, because a start waits for the disk: the session is in the host chain and its first segment is
//! durable before the user's program runs. Not for sessions that run.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use hansard_schemas::cast::Size;
use hansard_schemas::names::safe;
use hansard_schemas::session::{Identity, Kind};
use hansard_schemas::{Digest, Timestamp};
use hansard_tee::wire::{FromAgent, FromTee, Hello, Refused, Resume, VERSION, Welcome};
use rand::RngCore as _;

use super::control;
use super::identity::{Person, command_line, identify};
use super::kept::Kept;
use super::limits::Limits;
use super::line::Line;
use super::lobby::Arrival;
use super::marks;
use super::nested;
use super::peer::Peer;
use super::recorded::{Recorded, Starting, now_us};
use super::registry::Entry;
use super::returning::come_back;
use super::shared::{Counters, Shared};
use super::shells;
use super::tty::Taken;
use super::worker::Order;
use crate::cli::InputMode;
use crate::config::Config;
use crate::policy::{Decision, Record, Subject, transfer};
use crate::report::Failure;
use crate::services::{Choices, Opening};
use crate::ship::Choice;

/// Serves arrivals until there are no more.
pub fn run(shared: &Arc<Shared>, arrivals: &Mutex<Receiver<Arrival>>) {
    loop {
        let next = arrivals.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(arrival) => arrive(shared, arrival),
            Err(_) => return,
        }
    }
}

fn arrive(shared: &Arc<Shared>, arrival: Arrival) {
    enum Wants {
        Start(Hello),
        Back(Resume),
        Answer(control::Answer),
        Nothing,
    }
    let wants = match arrival.wants() {
        Ok(FromTee::Hello(hello)) => Wants::Start(hello),
        Ok(FromTee::Resume(resume)) => Wants::Back(resume),
        Ok(FromTee::Control(json)) => Wants::Answer(control::answer(shared, &arrival.peer, json)),
        // Not a tee.
        Ok(_) | Err(_) => Wants::Nothing,
    };
    let Arrival { socket, peer, rest, terminal, .. } = arrival;
    match wants {
        Wants::Start(hello) => {
            let start = Start { shared, peer, hello, terminal };
            start.run(socket, rest);
        }
        Wants::Back(resume) => come_back(shared, socket, rest, peer, resume, terminal),
        Wants::Answer(answer) => {
            let json = serde_json::to_vec(&answer).unwrap_or_default();
            say(&socket, &FromAgent::Answer(&json));
        }
        Wants::Nothing => {}
    }
}

/// Sends a frame to a peer that waits for it. One that does not read it in time is gone, as far as it concerns us.
pub(super) fn say(socket: &UnixStream, frame: &FromAgent<'_>) {
    use std::io::Write as _;
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    let limit = Some(std::time::Duration::from_secs(5));
    let mut writer = socket;
    let _ = socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(limit));
    let _ = writer.write_all(&bytes).and_then(|()| socket.set_nonblocking(true));
}

pub(super) fn refuse(socket: &UnixStream, denied: bool, text: &str) {
    say(socket, &FromAgent::Refused(Refused { denied, text: text.as_bytes().to_vec() }));
}

struct Start<'s> {
    shared: &'s Arc<Shared>,
    peer: Peer,
    hello: Hello,
    terminal: Option<OwnedFd>,
}

/// What runs in a session.
struct Program {
    path: PathBuf,
    argv: Vec<Vec<u8>>,
    kind: Kind,
    /// What it gets of the user's environment; empty: all of it.
    env: Vec<Vec<u8>>,
}

impl Start<'_> {
    fn run(self, socket: UnixStream, input: Vec<u8>) {
        let config = self.shared.config();
        let counters = &self.shared.counters;
        let person = Person::of(&self.peer, &self.hello, self.terminal.as_ref());
        let outer = nested::outer(&self.shared.registry, &self.peer);
        let mut program = self.program(&config, &person, None);
        let decision = self.decide(&config, &person, program.kind);
        if decision.shell.is_some() {
            program = self.program(&config, &person, decision.shell.as_deref());
        }
        let identity = self.identity(&person, &decision, program.kind);
        let rule = decision
            .rule
            .as_deref()
            .map_or_else(|| "policy: its defaults".to_owned(), |rule| format!("policy: {rule}"));
        if !decision.allow {
            self.shared.denied(&identity, &rule);
            let text = decision.message.unwrap_or_else(|| "this host's policy does not allow this session".into());
            return refuse(&socket, true, &text);
        }
        let unrecorded = |program: Program| {
            let Program { path, argv, kind, env } = program;
            let program = path.into_os_string().into_encoded_bytes();
            // On a terminal that is as the user has it, and so makes line ends itself.
            let banner = banner(&decision).filter(|_| kind == Kind::Interactive).unwrap_or_default();
            let banner = banner.replace('\r', "").into_bytes();
            say(
                &socket,
                &FromAgent::Welcome(Welcome { version: VERSION, program, argv, env, banner, ..Welcome::default() }),
            );
        };
        if let Some(outer) = outer {
            let text = format!("nested session of {} (uid {}): {}", person.user, self.peer.uid, shown(&self.hello));
            self.shared.tell(&outer, Order::Mark(outer.session, text));
            return unrecorded(program);
        }
        if decision.record == Record::None {
            self.shared.unrecorded(&identity, &rule);
            return unrecorded(program);
        }
        if self.shared.registry.of_user(self.peer.uid) >= config.agent.sessions_per_user {
            self.shared.denied(&identity, "the user has agent.sessions_per_user sessions");
            return refuse(&socket, true, "you have as many sessions as this host allows (agent.sessions_per_user)");
        }
        let shared = self.shared;
        match self.begin(&config, &person, &decision, &program, identity.clone(), socket, input) {
            Ok(()) => Counters::count(&counters.started),
            Err((socket, failure)) => {
                Counters::count(&counters.failed);
                tracing::error!(user = %person.user, "a session cannot be recorded: {}", failure.what);
                refuse(&socket, false, &failure.what);
                // The peer does not wait for it: what holds up a recording may hold up this, too.
                shared.failed(&identity, &failure.what);
            }
        }
    }

    fn identity(&self, person: &Person, decision: &Decision, kind: Kind) -> Identity {
        let started = Timestamp::new(chrono::Utc::now());
        let services = &self.shared.services;
        identify(
            (services.new_session(started), started, kind),
            services.host(),
            &self.peer,
            person,
            &self.hello,
            (&decision.env, &decision.labels),
        )
    }

    fn decide(&self, config: &Config, person: &Person, kind: Kind) -> Decision {
        let command = command_line(&self.hello);
        self.shared.policy().decide(&Subject {
            user: &person.user,
            uid: self.peer.uid,
            groups: &person.groups,
            from: person.from(),
            kind,
            labels: &config.labels,
            command: command.as_deref(),
            local: chrono::Local::now().naive_local(),
        })
    }

    /// What is to run: a known server of transfers by itself, anything else by the user's shell.
    fn program(&self, config: &Config, person: &Person, shell: Option<&Path>) -> Program {
        let is_command = self.hello.argv.len() == 3 && self.hello.argv.get(1).is_some_and(|word| word == b"-c");
        if is_command
            && !self.hello.terminal
            && let Some(server) = command_line(&self.hello).as_deref().and_then(transfer::transfer)
            && transfer::is_trusted(&server.program).is_ok()
        {
            let name = server.program.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
            let env = server.variables().into_iter().map(Into::into).collect();
            let args = server.args.into_iter().map(String::into_bytes);
            return Program {
                argv: std::iter::once(name).chain(args).collect(),
                path: server.program,
                kind: Kind::Transfer,
                env,
            };
        }
        let shell = shell.map_or_else(|| shells::of(&config.agent.shells, &person.user), Path::to_owned);
        let name = shell.file_name().unwrap_or_default().as_encoded_bytes();
        let login = self.hello.argv.first().is_some_and(|word| word.starts_with(b"-"));
        let arg0 = if login { [b"-", name].concat() } else { name.to_vec() };
        Program {
            argv: std::iter::once(arg0).chain(self.hello.argv.iter().skip(1).cloned()).collect(),
            path: shell,
            kind: if self.hello.terminal { Kind::Interactive } else { Kind::Exec },
            env: Vec::new(),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what was decided, one by one; it is called once")]
    fn begin(
        self,
        config: &Config,
        person: &Person,
        decision: &Decision,
        program: &Program,
        identity: Identity,
        socket: UnixStream,
        input: Vec<u8>,
    ) -> Result<(), (UnixStream, Failure)> {
        let shared = self.shared;
        let (id, started) = (identity.session, identity.started);
        let interactive = program.kind == Kind::Interactive;
        let (cols, rows) = self.hello.size;
        let mode = match program.kind {
            Kind::Interactive => decision.input,
            // Without a terminal the input is the commands.
            Kind::Exec | Kind::Transfer if decision.record == Record::Full => InputMode::On,
            Kind::Exec | Kind::Transfer => InputMode::Off,
        };
        let opening = Opening {
            identity,
            size: if interactive { Size { cols, rows } } else { Size { cols: 80, rows: 24 } },
            term: super::identity::variable(&self.hello, "TERM"),
            places: Choice { only: decision.sinks.clone(), required: Vec::new() },
            choices: Choices {
                recipients: Arc::clone(&shared.recipients),
                input: mode,
                on_pipes: program.kind != Kind::Interactive,
                on_terminal: false,
            },
        };
        let mut session = match shared.services.begin(opening) {
            Ok(begun) => begun.session,
            Err(failure) => return Err((socket, failure)),
        };
        let elapsed_us = now_us().saturating_sub(self.hello.start_us);
        let taken = match self.terminal.filter(|_| interactive).map(|terminal| Taken::take(terminal, self.peer.uid)) {
            Some(Err(why)) => {
                let text = format!("the outer terminal stays its user's, a bypass is possible: {why}");
                tracing::warn!(session = %id, "{text}");
                session.mark(elapsed_us, &text);
                None
            }
            Some(Ok(taken)) => Some(taken),
            None => None,
        };
        let is_safe = taken.is_some();
        let terminal = taken.flatten();
        let content = decision.record != Record::Events;
        if !content {
            let rule = decision.rule.as_deref().unwrap_or_default();
            session.mark(elapsed_us, &format!("no content is recorded, by the rule {rule}"));
        }
        if let Some(banner) = banner(decision).filter(|_| interactive) {
            session.say(elapsed_us, &banner);
        }
        let entry = Arc::new(Entry {
            session: id,
            user: person.user.clone(),
            uid: self.peer.uid,
            pid: self.peer.pid,
            kind: program.kind,
            from: person.from(),
            tty: person.tty.clone(),
            started,
            bytes: 0.into(),
            lost: false.into(),
            taken: is_safe.into(),
            worker: shared.worker_for(id),
        });
        let token = token();
        let kept = Kept {
            token: Digest::of(&token),
            start_us: self.hello.start_us,
            uid: self.peer.uid,
            user: person.user.clone(),
            kind: program.kind,
            from: person.from(),
            tty: person.tty.clone(),
            tty_mode: terminal.as_ref().map(Taken::mode),
            out_of_reach: is_safe && terminal.is_none(),
            started,
            input: mode,
            content,
            idle_s: decision.idle_timeout.map(|limit| limit.as_secs()),
            duration_s: decision.max_duration.map(|limit| limit.as_secs()),
        };
        if let Err(e) = kept.write(&shared.services.spool().sessions(), id) {
            tracing::warn!(session = %id, "another agent will not be able to take this session up: {e}");
        }
        let welcome = Welcome {
            version: VERSION,
            session: id.to_string().into_bytes(),
            token: token.clone(),
            program: program.path.as_os_str().as_encoded_bytes().to_vec(),
            argv: program.argv.clone(),
            env: program.env.clone(),
            input: mode != InputMode::Off,
            stream_limit: stream_limit(config, program.kind),
            grace_ms: u32::try_from(config.agent.grace.as_millis()).unwrap_or(u32::MAX),
            banner: Vec::new(),
            marks: marks::folder(&config.interactive, decision, program.kind),
        };
        say(&socket, &FromAgent::Welcome(welcome));
        tracing::info!(session = %id, user = %person.user, uid = self.peer.uid, kind = program.kind.as_str(), "session started");
        shared.registry.add(Arc::clone(&entry));
        let limits = Limits::new(decision.idle_timeout, decision.max_duration, elapsed_us, mode != InputMode::Off);
        let start = Starting { start_us: self.hello.start_us, number: 0, token, limits, terminal, content };
        let recorded = Recorded::new(session, Arc::clone(&entry), self.peer, Line::new(socket, input), start);
        shared.tell(&entry, Order::Adopt(Box::new(recorded)));
        Ok(())
    }
}

/// What the terminal shows first.
fn banner(decision: &Decision) -> Option<String> {
    decision.banner.as_deref().map(|banner| format!("{}\r\n", banner.trim_end().replace('\n', "\r\n")))
}

/// Of transfers, so much of each stream is recorded at its head.
const TRANSFER_BYTES: u64 = 64 << 10;

/// Bytes of each stream that are recorded whole; all of a terminal's.
fn stream_limit(config: &Config, kind: Kind) -> Option<u64> {
    match kind {
        Kind::Interactive => None,
        Kind::Exec => Some(config.exec.stream_limit),
        Kind::Transfer => Some(TRANSFER_BYTES),
    }
}

/// What a tee shows to take its session up again.
fn token() -> Vec<u8> {
    let mut token = vec![0; 16];
    rand::rngs::OsRng.fill_bytes(&mut token);
    token
}

/// The command line, as messages show it.
fn shown(hello: &Hello) -> String {
    safe(&command_line(hello).unwrap_or_else(|| "a login shell".into())).to_string()
}
