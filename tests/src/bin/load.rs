//! Load for an agent: many sessions on its socket, as many tees would have them, without a terminal each.
//!
//! `load SOCKET SESSIONS SECONDS [RATE [BYTES]]`: starts so many sessions as fast as they go, keeps them for so long, each
//! showing BYTES (1) RATE times a second (0: idle), ends them, and prints one line of JSON. Speaks the protocol and checks what is answered:
//! a session that fails is counted, not passed over. Not for what is recorded: the store says.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hansard_tee::wire::{FRAME_MAX, FromAgent, FromTee, Hello, VERSION, split};
use hansard_tee::{Clock, Exit, Message, Outcome, Stream};

const THREADS: usize = 16;
const ALIVE: Duration = Duration::from_secs(2);

struct Session {
    socket: UnixStream,
    input: Vec<u8>,
    clock: Clock,
    number: u64,
    alive: Instant,
}

/// What one thread saw.
#[derive(Default)]
struct Seen {
    failed: usize,
    started_ms: Vec<u64>,
    accepted_us: Vec<u64>,
}

impl Session {
    fn start(socket: &str) -> io::Result<Self> {
        let socket = UnixStream::connect(socket)?;
        let clock = Clock::start();
        let mut session = Self { socket, input: Vec::new(), clock, number: 0, alive: Instant::now() };
        session.say(&FromTee::Hello(Hello {
            version: VERSION,
            size: (80, 24),
            argv: [b"load".to_vec(), b"-c".to_vec(), b"load".to_vec()].into(),
            cwd: b"/".to_vec(),
            start_us: clock.start_us(),
            ..Hello::default()
        }))?;
        session.hear(|frame| matches!(frame, FromAgent::Welcome(_)))?;
        Ok(session)
    }

    fn say(&mut self, frame: &FromTee<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        self.socket.write_all(&bytes)
    }

    /// Waits for a frame that `wanted` is true of; one that says no is an error.
    fn hear(&mut self, wanted: impl Fn(&FromAgent<'_>) -> bool) -> io::Result<()> {
        self.socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        loop {
            while let Some((kind, body, length)) = split(&self.input, FRAME_MAX).map_err(io::Error::other)? {
                let frame = FromAgent::read(kind, body).map_err(io::Error::other)?;
                if let FromAgent::Refused(_) | FromAgent::Failed(_) | FromAgent::Terminate(_) = frame {
                    return Err(io::Error::other(format!("{frame:?}")));
                }
                let is_it = wanted(&frame);
                self.input.drain(..length);
                if is_it {
                    return Ok(());
                }
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }

    fn show(&mut self, bytes: &[u8], seen: &mut Seen) -> io::Result<()> {
        self.number += 1;
        let number = self.number;
        let sent = Instant::now();
        let message = Message::Output { stream: Stream::Output, bytes };
        self.say(&FromTee::Message(number, self.clock.now_us(), message))?;
        self.hear(|frame| matches!(frame, FromAgent::Accepted(accepted) if *accepted >= number))?;
        seen.accepted_us.push(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let exit = Exit { status: 0, signal: None, outcome: Outcome::Exited, left_behind: Vec::new() };
        self.say(&FromTee::Exit(self.clock.now_us(), exit))?;
        self.hear(|frame| matches!(frame, FromAgent::Ended))
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let (Some(socket), Some(count), Some(seconds)) = (args.first(), number(1), number(2)) else {
        eprintln!("usage: load SOCKET SESSIONS SECONDS [RATE [BYTES]]");
        std::process::exit(2);
    };
    let (count, rate) = (usize::try_from(count).unwrap_or(1), number(3).unwrap_or(0));
    let text = text(number(4).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(1));
    let begun = Instant::now();
    let (waiting, started_all) = (AtomicUsize::new(THREADS), std::sync::OnceLock::new());
    let all: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let own = count / THREADS + usize::from(thread < count % THREADS);
                let (waiting, started_all, text) = (&waiting, &started_all, &text);
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    let mut sessions = begin(socket, own, &mut seen);
                    if waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                        let _ = started_all.set(begun.elapsed());
                    }
                    keep(&mut sessions, &mut seen, Duration::from_secs(seconds), rate, text);
                    for session in &mut sessions {
                        seen.failed += usize::from(session.end().is_err());
                    }
                    seen
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let mut started: Vec<u64> = all.iter().flat_map(|seen| seen.started_ms.iter().copied()).collect();
    let mut accepted: Vec<u64> = all.iter().flat_map(|seen| seen.accepted_us.iter().copied()).collect();
    let failed: usize = all.iter().map(|seen| seen.failed).sum();
    let all_ms = started_all.get().map_or(0, Duration::as_millis);
    println!(
        "{{\"sessions\":{},\"failed\":{failed},\"started_all_ms\":{all_ms},\"start_ms_p50\":{},\"start_ms_p99\":{},\"shown\":{},\"accept_us_p50\":{},\"accept_us_p99\":{}}}",
        started.len(),
        of(&mut started, 50),
        of(&mut started, 99),
        accepted.len(),
        of(&mut accepted, 50),
        of(&mut accepted, 99),
    );
    std::process::exit(i32::from(failed > 0 || started.len() != count));
}

/// What a build prints, more or less: so many bytes of it.
fn text(bytes: usize) -> Vec<u8> {
    let lines =
        (0..).flat_map(|n| format!("[{n:>6}] Compiling part {} of {}\r\n", n * 7919 % 1000, n % 13).into_bytes());
    lines.take(bytes).collect()
}

fn begin(socket: &str, count: usize, seen: &mut Seen) -> Vec<Session> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        let at = Instant::now();
        match Session::start(socket) {
            Ok(session) => {
                seen.started_ms.push(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
                sessions.push(session);
            }
            Err(e) => {
                eprintln!("load: {e}");
                seen.failed += 1;
            }
        }
        alive(&mut sessions, seen);
    }
    sessions
}

/// Says of each session in its time that its tee is there.
fn alive(sessions: &mut [Session], seen: &mut Seen) {
    for session in sessions {
        if session.alive.elapsed() >= ALIVE {
            session.alive = Instant::now();
            seen.failed += usize::from(session.say(&FromTee::Alive).is_err());
        }
    }
}

fn keep(sessions: &mut [Session], seen: &mut Seen, how_long: Duration, rate: u64, text: &[u8]) {
    let begun = Instant::now();
    let pause = 1_000u64.checked_div(rate).map_or(Duration::from_millis(200), Duration::from_millis);
    while begun.elapsed() < how_long {
        let round = Instant::now();
        if rate > 0 {
            for session in sessions.iter_mut() {
                if session.show(text, seen).is_err() {
                    seen.failed += 1;
                }
            }
        }
        alive(sessions, seen);
        std::thread::sleep(pause.saturating_sub(round.elapsed()));
    }
}

fn of(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}
