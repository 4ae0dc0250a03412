//! Where lines are sent: standard output, syslog, or a stream of CloudWatch Logs.
//!
//! A way that broke is opened again for as long as it takes; only a reader of standard output that has gone ends the
//! program. Not for what is sent, nor for how far.

use std::io::{self, BufWriter, Stdout, Write};
use std::thread;
use std::time::Duration;

use hansard_schemas::names::encode;
use hansard_schemas::{SessionId, Timestamp};
#[cfg(feature = "remote")]
use hansard_sinks::Class;
use serde_json::json;

use super::Stop;
#[cfg(feature = "remote")]
use super::logs::Logs;
use super::syslog::{Destination, Syslog};
use crate::report::{Exit, Failure, json_line, note};

/// Between two tries to open a way that broke, at first and at most.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_MOST: Duration = Duration::from_secs(10);
/// While waiting, this often whether the program is to end.
pub const GLANCE: Duration = Duration::from_millis(50);

/// One line, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When it was shown, by the host's clock.
    pub time: Timestamp,
    /// The host, and who it was; not safe to print.
    pub host: &'a str,
    /// The user.
    pub user: &'a str,
    /// The session.
    pub session: SessionId,
    /// Whether it is a marker, a gap or the exit status.
    pub mark: bool,
    /// The text, safe to print.
    pub text: &'a str,
}

/// A way to send lines.
pub struct Output {
    way: Way,
    json: bool,
    stop: Stop,
}

enum Way {
    Out(BufWriter<Stdout>),
    Syslog(Destination, Option<Syslog>),
    #[cfg(feature = "remote")]
    Logs(Box<Logs>),
}

impl Output {
    /// Opens what `--to` names.
    pub fn open(to: &str, json: bool, stop: Stop) -> Result<Self, Failure> {
        Ok(Self { way: Way::open(to, json)?, json, stop })
    }

    /// Sends a line, or gathers it. False if the program is to end before it could be sent.
    pub fn send(&mut self, line: &Line<'_>) -> Result<bool, Failure> {
        match &mut self.way {
            Way::Out(out) => {
                writeln!(out, "{}", message(line, self.json))?;
                Ok(true)
            }
            Way::Syslog(to, open) => {
                // As a document the text says all of it.
                let document = self.json.then(|| json_line(&document(line)));
                persist(to.name(), &self.stop, || {
                    let sent = match open {
                        Some(way) => way.send(line, document.as_deref()),
                        None => Syslog::open(to).and_then(|way| open.insert(way).send(line, document.as_deref())),
                    };
                    sent.map_err(|error| {
                        *open = None;
                        Trouble::Passes(error.to_string())
                    })
                })
            }
            #[cfg(feature = "remote")]
            Way::Logs(logs) => {
                if logs.add(line) {
                    return put(logs, &self.stop);
                }
                Ok(true)
            }
        }
    }

    /// What was sent has left this program, and was taken where that can be known. False if the program is to end before.
    pub fn flush(&mut self) -> Result<bool, Failure> {
        match &mut self.way {
            Way::Out(out) => {
                out.flush()?;
                Ok(true)
            }
            Way::Syslog(..) => Ok(true),
            #[cfg(feature = "remote")]
            Way::Logs(logs) => {
                while !logs.is_empty() {
                    if !put(logs, &self.stop)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

impl Way {
    fn open(to: &str, json: bool) -> Result<Self, Failure> {
        if to == "-" {
            return Ok(Self::Out(BufWriter::new(io::stdout())));
        }
        if let Some(destination) = Destination::parse(to) {
            let open = Syslog::open(&destination).map_err(|error| {
                Failure::usage(format!("{}: cannot send to syslog: {error}", destination.name()))
                    .hint("is a syslog daemon there; --to names another place")
            })?;
            return Ok(Self::Syslog(destination, Some(open)));
        }
        #[cfg(feature = "remote")]
        if let Some(logs) = Logs::open(to, json)? {
            return Ok(Self::Logs(Box::new(logs)));
        }
        #[cfg(not(feature = "remote"))]
        let _ = json;
        Err(Failure::usage(format!("`{to}` is no place that lines can be sent to"))
            .hint("`-`, `syslog`, syslog://HOST:PORT, syslog+tcp://HOST:PORT or cloudwatch://GROUP/STREAM"))
    }
}

#[cfg(feature = "remote")]
fn put(logs: &mut Logs, stop: &Stop) -> Result<bool, Failure> {
    let name = logs.name().to_owned();
    persist(&name, stop, || {
        logs.put().map_err(|error| match error.class() {
            Class::Never => Trouble::Stays(error.into()),
            Class::Wait | Class::Retry => Trouble::Passes(error.with_hint()),
        })
    })
}

/// A line as it is printed, without its line feed.
pub fn message(line: &Line<'_>, json: bool) -> String {
    if json {
        return json_line(&document(line));
    }
    let Line { time, host, user, session, mark, text } = line;
    let (host, user) = (encode(host.as_bytes()), encode(user.as_bytes()));
    if *mark {
        format!("{time} {host} {user} {session} [{text}]")
    } else {
        format!("{time} {host} {user} {session} {text}")
    }
}

fn document(line: &Line<'_>) -> serde_json::Value {
    let kind = if line.mark { "mark" } else { "line" };
    json!({
        "time": line.time,
        "host": line.host,
        "user": line.user,
        "session": line.session,
        "kind": kind,
        "text": line.text,
    })
}

/// Why something was not sent.
enum Trouble {
    /// It is tried again.
    Passes(String),
    /// It would never be taken.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "syslog refuses nothing for good"))]
    Stays(Failure),
}

/// Sends for as long as it takes. False if the program is to end before.
fn persist(name: &str, stop: &Stop, mut send: impl FnMut() -> Result<(), Trouble>) -> Result<bool, Failure> {
    let mut wait = RETRY;
    let mut told = false;
    loop {
        let error = match send() {
            Ok(()) if told => {
                note(&format!("{name}: lines are taken again"));
                return Ok(true);
            }
            Ok(()) => return Ok(true),
            Err(Trouble::Stays(failure)) => return Err(failure),
            Err(Trouble::Passes(error)) => error,
        };
        if !told {
            told = true;
            note(&format!("{name}: cannot send, and tried again: {error}"));
        }
        let mut left = wait;
        while !left.is_zero() {
            if stop.is_set() {
                return Ok(false);
            }
            thread::sleep(left.min(GLANCE));
            left = left.saturating_sub(GLANCE);
        }
        wait = (wait * 2).min(RETRY_MOST);
    }
}

/// A reader that has gone is no failure, and yet the end.
pub fn is_gone(failure: &Failure) -> bool {
    failure.exit == Exit::Fine && failure.message.is_empty()
}
