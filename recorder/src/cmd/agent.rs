//! `agent`, `status` and `terminate`: the daemon, and what an operator asks of it.
//!
//! Not for what they do: `crate::agent`.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use hansard_schemas::names::safe;
use hansard_tee::wire::{self, FromAgent, FromTee};

use crate::agent::{self, Answer, Request};
use crate::cli::{AgentArgs, StatusArgs, TerminateArgs};
use crate::config::Config;
use crate::report::{EXIT_FINDINGS, Failure};

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves; or only looks at the configuration.
pub fn run(args: &AgentArgs) -> Result<i32, Failure> {
    if args.check_config {
        agent::ready(&args.place).map(|_| 0)
    } else {
        let filter = tracing_subscriber::EnvFilter::try_from_env("HANSARD_LOG");
        let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
        // The journal has times of its own.
        if std::env::var_os("JOURNAL_STREAM").is_some() {
            to.without_time().init()
        } else {
            to.init()
        }
        agent::run(&args.place).map(|()| 0)
    }
}

/// Shows what runs.
pub fn status(args: &StatusArgs) -> Result<i32, Failure> {
    let (config, _) = Config::load(&args.place)?;
    let request = if args.prometheus { Request::Metrics } else { Request::Status };
    let answer = ask(&config.agent.socket, &request)?;
    if let Some(metrics) = &answer.metrics {
        let _ = std::io::stdout().write_all(metrics.as_bytes());
        return Ok(0);
    }
    let text =
        if args.json { serde_json::to_string_pretty(&answer).map_err(Failure::new)? + "\n" } else { table(&answer) };
    // Nobody reads it any more.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let behind = answer.sinks.iter().any(|sink| sink.trouble.is_some());
    Ok(if behind { EXIT_FINDINGS } else { 0 })
}

fn table(answer: &Answer) -> String {
    let mut text = String::new();
    let now = chrono::Utc::now().timestamp_millis();
    for one in &answer.sessions {
        let age = u64::try_from(now - one.started.unix_ms()).unwrap_or(0) / 1_000;
        let age = humantime::format_duration(Duration::from_secs(age));
        let from = one.from.map_or_else(|| "-".into(), |from| from.to_string());
        let tty = one.tty.as_deref().unwrap_or("-");
        let user = safe(&one.user);
        let bypass = if one.bypass_possible { "  bypass possible" } else { "" };
        text.push_str(&format!(
            "{}  {user:<12} {:<11} {from:<15} {:<11} {age:<12} {:>10} B  {}{bypass}\n",
            one.session,
            one.kind,
            safe(tty),
            one.bytes,
            one.state,
        ));
    }
    text.push_str(&format!("{} sessions\n", answer.sessions.len()));
    for sink in &answer.sinks {
        let state = match &sink.trouble {
            Some(why) => format!("trouble: {}", safe(why)),
            None if sink.behind > 0 => {
                let waits = humantime::format_duration(Duration::from_millis(sink.unshipped_ms));
                format!("{} sessions on their way, for {waits} at most", sink.behind)
            }
            None => "has everything that is closed".into(),
        };
        text.push_str(&format!("{}: {state}\n", safe(&sink.sink)));
    }
    text
}

/// Ends a session.
pub fn terminate(args: &TerminateArgs) -> Result<i32, Failure> {
    let (config, _) = Config::load(&args.place)?;
    let request = Request::Terminate { session: args.session.clone(), reason: args.reason.clone() };
    let answer = ask(&config.agent.socket, &request)?;
    if let Some(session) = answer.terminated {
        let _ = writeln!(std::io::stdout(), "session {session} is ended");
    }
    Ok(0)
}

fn ask(socket: &Path, request: &Request) -> Result<Answer, Failure> {
    let unreachable = |e: std::io::Error| {
        Failure::new(format_args!("the agent cannot be asked at {}: {e}", socket.display()))
            .hint("see `systemctl status hansard-agent`")
    };
    let json = serde_json::to_vec(request).map_err(Failure::new)?;
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
    let mut frame = Vec::new();
    FromTee::Control(&json).put(&mut frame);
    stream.write_all(&frame).map_err(unreachable)?;
    let answer = read_answer(&mut stream).map_err(unreachable)?;
    match &answer.error {
        Some(why) => Err(Failure { code: EXIT_FINDINGS, ..Failure::new(why) }),
        None => Ok(answer),
    }
}

fn read_answer(stream: &mut UnixStream) -> std::io::Result<Answer> {
    use std::io::Read as _;
    let mut input = Vec::new();
    loop {
        while let Some((kind, body, length)) = wire::split(&input, usize::MAX >> 1).map_err(std::io::Error::other)? {
            match FromAgent::read(kind, body).map_err(std::io::Error::other)? {
                FromAgent::Answer(json) => return serde_json::from_slice(json).map_err(std::io::Error::other),
                FromAgent::Refused(refused) => {
                    return Err(std::io::Error::other(String::from_utf8_lossy(&refused.text).into_owned()));
                }
                _ => {}
            }
            input.drain(..length);
        }
        let mut bytes = [0; 16 * 1024];
        match stream.read(&mut bytes)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => input.extend_from_slice(bytes.get(..count).unwrap_or_default()),
        }
    }
}
