//! Where lines are sent: standard output, or syslog.
//!
//! A way that broke is opened again for as long as it takes; only a reader of standard output that has gone ends the
//! program. Not for what is sent, nor for how far.

use std::io::{self, BufWriter, Stdout, Write};
use std::thread;
use std::time::Duration;

use hansard_schemas::names::encode;
use hansard_schemas::{SessionId, Timestamp};
use serde_json::json;

use super::Stop;
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
}

impl Output {
    /// Opens what `--to` names.
    pub fn open(to: &str, json: bool, stop: Stop) -> Result<Self, Failure> {
        let way = match (to, Destination::parse(to)) {
            ("-", _) => Way::Out(BufWriter::new(io::stdout())),
            (_, Some(destination)) => {
                let open = Syslog::open(&destination).map_err(|error| {
                    Failure::usage(format!("{}: cannot send to syslog: {error}", destination.name()))
                        .hint("is a syslog daemon there; --to names another place")
                })?;
                Way::Syslog(destination, Some(open))
            }
            (_, None) => {
                return Err(Failure::usage(format!("`{to}` is no place that lines can be sent to"))
                    .hint("`-`, `syslog`, syslog://HOST:PORT or syslog+tcp://HOST:PORT"));
            }
        };
        Ok(Self { way, json, stop })
    }

    /// Sends a line. False if the program is to end before it could be sent.
    pub fn send(&mut self, line: &Line<'_>) -> Result<bool, Failure> {
        match &mut self.way {
            Way::Out(out) => {
                write(out, line, self.json)?;
                Ok(true)
            }
            Way::Syslog(to, open) => {
                // As a document the text says all of it.
                let document = self.json.then(|| json_line(&document(line)));
                let line = Line { text: document.as_deref().unwrap_or(line.text), ..*line };
                persist(to, open, &line, &self.stop)
            }
        }
    }

    /// What was sent has left this program.
    pub fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.way {
            Way::Out(out) => Ok(out.flush()?),
            Way::Syslog(..) => Ok(()),
        }
    }
}

fn write(out: &mut impl Write, line: &Line<'_>, json: bool) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", json_line(&document(line)));
    }
    let Line { time, host, user, session, mark, text } = line;
    let (host, user) = (encode(host.as_bytes()), encode(user.as_bytes()));
    if *mark {
        writeln!(out, "{time} {host} {user} {session} [{text}]")
    } else {
        writeln!(out, "{time} {host} {user} {session} {text}")
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

fn persist(to: &Destination, open: &mut Option<Syslog>, line: &Line<'_>, stop: &Stop) -> Result<bool, Failure> {
    let mut wait = RETRY;
    let mut told = false;
    loop {
        let sent = match open {
            Some(way) => way.send(line),
            None => Syslog::open(to).and_then(|way| open.insert(way).send(line)),
        };
        let Err(error) = sent else {
            if told {
                note(&format!("{}: syslog takes messages again", to.name()));
            }
            return Ok(true);
        };
        *open = None;
        if !told {
            told = true;
            note(&format!("{}: cannot send to syslog, and tried again: {error}", to.name()));
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
