//! `tail`: a session that runs, as its segments come.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use hansard_schemas::Timestamp;
use hansard_sinks::TimeRange;
use serde_json::json;

use super::play::shape;
use crate::catalog::Listed;
use crate::cli::Tail;
use crate::context::Context;
use crate::desk::Desk;
use crate::follow::{Arrived, ChainWatch, FollowError, Follower, Pace, Reader, Shown, State, running};
use crate::play::{self, PlayError, Update};
use crate::report::{Exit, Failure, Outcome, json_line, note};

/// How often a store is asked for news, unless something else is said.
const INTERVAL: Duration = Duration::from_secs(2);
/// With how many lines it begins, unless something else is said.
const LAST: usize = 10;
/// For so long nothing must have come before the line of the cursor is printed.
const STILL: Duration = Duration::from_secs(10);
/// How long the first segment of a session that was only just started is waited for at a time.
const BEGINNING: Duration = Duration::from_millis(500);

/// Follows one session.
pub fn run(context: &Context, args: &Tail) -> Outcome {
    let desk = context.desk(&args.store, &args.keys, &TimeRange::default())?;
    let listed = if args.id == "latest" { latest(&desk)? } else { desk.find(&args.id)? };
    if let Some((chain, standing)) = listed.witness.and_then(|chain| Some((chain, desk.seen.standings.get(&chain)?))) {
        let host = desk.chains.get(chain).and_then(|chain| Some(chain.host()?.0)).unwrap_or_default();
        standing.admit(chain, host, false)?.iter().for_each(|text| note(text));
    }
    let identities = context.identities(&args.keys)?.into();
    let follower = Follower::new(desk.store.clone(), listed.session.clone(), identities, context.viewing(&args.keys)?);
    let defaults = &context.defaults().tail;
    let interval = args.interval.or(defaults.interval).unwrap_or(INTERVAL);
    let last = args.last.or(defaults.last).unwrap_or(LAST);
    let as_lines = args.lines.or(defaults.lines).unwrap_or(false);
    let pace = Pace::of(&*desk.store, interval);
    drop(desk);
    let mut tail = Following { follower, watch: ChainWatch::default(), pace, away: None };
    let ended = if as_lines || args.json || !io::stdout().is_terminal() {
        lines(&mut tail, args, last)?
    } else {
        match screen(tail, context.colour())? {
            Some(ended) => ended,
            // The reviewer left.
            None => return Ok(Exit::Fine),
        }
    };
    Ok(match ended {
        State::Ended { how, ok } => {
            note(&format!("the session has ended: {how}"));
            if ok { Exit::Fine } else { Exit::Failed }
        }
        State::Silent(since) => {
            note(&format!("the session is silent since {since}: neither it nor its host was heard of after that"));
            Exit::Failed
        }
        State::Open => Exit::Fine,
    })
}

/// The latest session that runs.
fn latest(desk: &Desk) -> Outcome<&Listed> {
    let now = Timestamp::new(Utc::now());
    let open: Vec<_> = desk.chains.iter().map(|chain| (chain.id, running(chain, now))).collect();
    let runs = |listed: &&Listed| {
        open.iter().any(|(chain, open)| Some(*chain) == listed.witness && open.contains(&listed.session.session))
    };
    desk.catalog.iter().rev().find(|listed| listed.session.session.time() <= now.time() && runs(listed)).ok_or_else(
        || {
            Failure::failed(format!("{}: no session runs", desk.store.address()))
                .hint("`hansard-replay ls` lists those that ended, and `play` plays them")
        },
    )
}

/// A session that is followed, and when to look again.
struct Following {
    follower: Follower,
    watch: ChainWatch,
    pace: Pace,
    /// Why the store did not answer, while it does not.
    away: Option<String>,
}

impl Following {
    /// Looks once. What the store fails with is said once, and waited out.
    fn poll(&mut self) -> Outcome<bool> {
        match self.follower.poll(&mut self.watch, Timestamp::new(Utc::now())) {
            Ok(news) => {
                self.away = None;
                Ok(news)
            }
            Err(error) => self.pass(error).map(|()| false),
        }
    }

    /// What comes next: a segment, or what is new of the one that is still written.
    fn take(&mut self) -> Result<Option<Arrived>, FollowError> {
        match self.follower.take()? {
            None => self.follower.ahead(),
            arrived => Ok(arrived),
        }
    }

    fn pass(&mut self, error: FollowError) -> Outcome<()> {
        match error {
            FollowError::Refused(failure) | FollowError::Untold(failure) => Err(failure),
            FollowError::Store(error) => {
                self.away = Some(error.to_string());
                Ok(())
            }
        }
    }

    fn word(&self) -> String {
        match &self.away {
            Some(away) => format!("the store does not answer: {away}; {}", self.follower.word()),
            None => self.follower.word(),
        }
    }
}

/// Prints lines until the session ends.
fn lines(tail: &mut Following, args: &Tail, last_lines: usize) -> Outcome<State> {
    let mut out = io::stdout().lock();
    let mut reader: Option<Reader> = None;
    // What was there before is read for its last lines.
    let mut begin: Option<VecDeque<Shown>> = Some(VecDeque::new());
    let mut told: Option<String> = None;
    let mut newest = Instant::now();
    loop {
        let news = tail.poll()?;
        let mut shown = Vec::new();
        let mut end = None;
        loop {
            match tail.take() {
                Ok(Some(arrived)) => {
                    let shape = tail.follower.recording().map(shape);
                    let reader = match (&mut reader, shape) {
                        (Some(reader), _) => reader,
                        (none, Some((size, feed))) => none.insert(Reader::new(size, feed)),
                        (None, None) => break,
                    };
                    reader.read(&arrived, &mut shown);
                    end = Some(arrived.end());
                    newest = Instant::now();
                }
                Ok(None) => break,
                Err(error) => {
                    tail.pass(error)?;
                    break;
                }
            }
            match &mut begin {
                Some(begin) => {
                    begin.extend(shown.drain(..));
                    let more = begin.len().saturating_sub(last_lines);
                    begin.drain(..more);
                }
                None => print(&mut out, tail, args, &mut shown)?,
            }
        }
        let state = tail.follower.state().clone();
        let over = state != State::Open && tail.away.is_none();
        if let Some(reader) = &mut reader {
            if over {
                reader.finish(&mut shown);
            } else if newest.elapsed() >= STILL {
                reader.still(&mut shown);
            }
        }
        if let Some(all) = begin.take() {
            let mut all: Vec<Shown> = all.into_iter().chain(shown.drain(..)).collect();
            all.drain(..all.len().saturating_sub(last_lines));
            if let (Some(end), false) = (end, over) {
                let behind = (Utc::now() - end.time()).num_seconds().max(0);
                note(&format!("{}; the newest event that arrived was {behind} s ago", tail.word()));
            }
            print(&mut out, tail, args, &mut all)?;
        }
        print(&mut out, tail, args, &mut shown)?;
        if over {
            if args.json {
                writeln!(out, "{}", json_line(&last(tail, &state)))?;
                out.flush()?;
            }
            return Ok(state);
        }
        if told != tail.away {
            if let Some(away) = &tail.away {
                note(&format!("the store does not answer, and is asked again: {away}"));
            }
            told.clone_from(&tail.away);
        }
        let wait = tail.pace.after(news);
        thread::sleep(if tail.follower.next() == 0 { wait.min(BEGINNING) } else { wait });
    }
}

fn print(out: &mut impl Write, tail: &Following, args: &Tail, shown: &mut Vec<Shown>) -> io::Result<()> {
    for Shown { time, mark, text } in shown.drain(..) {
        if args.json {
            let session = tail.follower.session().session;
            let document = json!({"session": session, "time": time, "kind": kind(mark), "text": text});
            writeln!(out, "{}", json_line(&document))?;
        } else if mark {
            writeln!(out, "[{text}]")?;
        } else {
            writeln!(out, "{text}")?;
        }
    }
    out.flush()
}

/// The word for programs.
pub(super) fn kind(mark: bool) -> &'static str {
    if mark { "mark" } else { "line" }
}

fn last(tail: &Following, state: &State) -> serde_json::Value {
    let session = tail.follower.session().session;
    match state {
        State::Ended { how, ok } => json!({"session": session, "kind": "ended", "text": how, "ok": ok}),
        State::Silent(since) => json!({"session": session, "kind": "silent", "since": since, "ok": false}),
        State::Open => json!({"session": session, "kind": "open"}),
    }
}

/// Draws the screen until the session ends; `None` when the reviewer left before.
fn screen(mut tail: Following, colour: bool) -> Outcome<Option<State>> {
    // The size of the terminal is in the first segment.
    while tail.follower.recording().is_none() {
        tail.poll()?;
        let state = tail.follower.state().clone();
        if state != State::Open {
            return Ok(Some(state));
        }
        if tail.follower.recording().is_none() {
            if let Some(away) = tail.away.take() {
                note(&format!("the store does not answer, and is asked again: {away}"));
            }
            thread::sleep(BEGINNING);
        }
    }
    let Some((size, feed)) = tail.follower.recording().map(shape) else { return Ok(None) };
    let (send, receive) = sync_channel(1);
    let follower = thread::spawn(move || feed_screen(&mut tail, &send));
    let ended = play::watch(size, feed, colour, &receive).map_err(|error| match error {
        PlayError::NotATerminal => Failure::usage("cannot draw: standard output is not a terminal"),
        PlayError::Terminal(error) => Failure::usage(format!("cannot use the terminal: {error}")),
        PlayError::Source(error) => Failure::failed(error.to_string()),
    })?;
    let Some(ended) = ended else {
        // Whoever sends has ended, and says why.
        return follower.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(Some);
    };
    ended.finish();
    Ok(None)
}

/// Sends what comes to the screen until the session ends, or nobody looks.
fn feed_screen(tail: &mut Following, send: &SyncSender<Update>) -> Outcome<State> {
    loop {
        let news = tail.poll()?;
        if send.send(Update::Word(tail.word())).is_err() {
            return Ok(State::Open);
        }
        loop {
            match tail.take() {
                Ok(Some(arrived)) => {
                    let end = arrived.end();
                    if send.send(Update::Events(arrived.events, end)).is_err() {
                        return Ok(State::Open);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tail.pass(error)?;
                    break;
                }
            }
        }
        let state = tail.follower.state().clone();
        if state != State::Open && tail.away.is_none() {
            return Ok(state);
        }
        thread::sleep(tail.pace.after(news));
    }
}
