//! `grep`: what was shown, or typed, in many sessions.
//!
//! Sessions are searched in parallel, and told in the order of their ids, each when all before it have been told. One
//! that cannot be searched is said on standard error and makes the exit status that of its failure; it keeps no other
//! from being searched. In memory are the matches of the sessions that wait to be told, of which there are not many.
//! Those that an earlier search went through are left out where its sieve says that nothing can match (`cache`).

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::grep_print::Printer;
use crate::cache::{Cache, searched};
use crate::catalog::Listed;
use crate::cli::Grep;
use crate::context::Context;
use crate::desk::Desk;
use crate::parallel;
use crate::report::{self, Exit, Failure, Outcome, note};
use crate::search::Pattern;
use crate::search::session::{Found, Wanted, search};
use crate::wall::Wall;

/// A session that was searched.
pub(super) struct Searched {
    pub found: Found,
    /// Who it was: host and user, claims, where they can be had.
    pub who: Option<(String, String)>,
    pub wall: Wall,
    pub notes: Vec<String>,
    /// Whether it was left out, by what an earlier search found out.
    pub left_out: bool,
}

/// Searches sessions.
pub fn run(context: &Context, args: &Grep) -> Outcome {
    let defaults = &context.defaults().grep;
    let ignore_case = args.ignore_case.or(defaults.ignore_case).unwrap_or(false);
    let around = args.context.or(defaults.context).unwrap_or(0);
    let pattern = Pattern::new(&args.pattern, args.fixed_strings, ignore_case).map_err(|why| {
        Failure::usage(format!("`{}` is not a pattern: {why}", args.pattern))
            .hint("with -F it is looked for as it stands")
    })?;
    let no_cache = args.no_cache.or(defaults.no_cache).unwrap_or(false) || args.force || args.input;
    let cache = context.cache_path().filter(|_| !no_cache).map(Cache::of_searches);
    let wanted = Wanted {
        pattern,
        input: args.input,
        before: args.before_context.unwrap_or(around),
        after: args.after_context.unwrap_or(around),
        max: if args.sessions { 1 } else { args.max.unwrap_or(u64::MAX) },
        text: !args.count && !args.sessions,
    };
    let range = args.selection.filter.scope.range();
    let mut desk = context.desk(&args.store, &args.keys, &range)?;
    if args.selection.is_all() {
        desk.list_parts(&range);
    }
    let sessions = desk.select(&args.selection)?;
    if sessions.is_empty() {
        return Err(Failure::failed(format!("{}: no session to search", desk.store.address()))
            .hint("`hansard-replay ls` lists what is there"));
    }
    let out = BufWriter::new(io::stdout().lock());
    let mut teller = Teller {
        printer: Printer::new(out, args, &wanted, context.colour()),
        said: BTreeSet::new(),
        failed: None,
        found: false,
        gaps: 0,
        without_input: 0,
        left_out: 0,
    };
    let bar = bar(sessions.len());
    let bytes = AtomicU64::new(0);
    let search = Searching { desk: &desk, wanted: &wanted, force: args.force, cache: cache.as_ref() };
    let progress = |more| {
        let all = bytes.fetch_add(more, Ordering::Relaxed) + more;
        if !bar.is_hidden() {
            bar.set_message(HumanBytes(all).to_string());
        }
    };
    let work = |session: &&Listed| search.one(session, &progress);
    let mut told = sessions.iter();
    parallel::stream(&sessions, parallel::readers(), work, |searched| {
        bar.inc(1);
        told.next().map_or(Ok(()), |session| bar.suspend(|| teller.tell(session, searched)))
    })?;
    bar.finish_and_clear();
    cache.iter().for_each(Cache::sweep);
    teller.finish(sessions.len(), args.input)
}

/// How sessions are searched.
struct Searching<'a> {
    desk: &'a Desk,
    wanted: &'a Wanted,
    force: bool,
    cache: Option<&'a Cache>,
}

impl Searching<'_> {
    fn one(&self, session: &Listed, progress: &dyn Fn(u64)) -> Outcome<Searched> {
        let known = self.cache.and_then(|cache| searched::find(self.desk, &session.session, cache));
        let is_known = known.is_some();
        if let Some(known) = known.filter(|known| !self.wanted.pattern.may_be_in(&known.sieve)) {
            let notes = self.desk.admit(&known.evidence, &known.header)?;
            progress(known.bytes);
            let found = Found { gaps: known.gaps, bytes: known.bytes, ..Found::default() };
            return Ok(Searched { found, who: None, wall: Wall::default(), notes, left_out: true });
        }
        let opened = self.desk.open(session, self.force)?;
        let (mut recording, mut notes) = (opened.recording, opened.notes);
        let found = search(&mut recording, self.wanted, self.cache.is_some() && !is_known, progress)?;
        // That nothing could be kept costs time at the next search, and nothing else.
        let _ = self.cache.and_then(|cache| searched::keep(cache, self.desk.identities(), &recording, &found));
        let id = session.session.session;
        notes.extend(recording.troubles().iter().map(|trouble| format!("session {id}: {trouble}")));
        let who = recording.header().map(|header| (header.hansard.host.clone(), header.hansard.kernel.user_or_uid()));
        Ok(Searched { found, who, wall: Wall::of(&recording), notes, left_out: false })
    }
}

/// Tells what was found, and keeps what has to be said at the end.
struct Teller<'a> {
    printer: Printer<'a>,
    /// Notes that were said already: a host seen for the first time has many sessions.
    said: BTreeSet<String>,
    failed: Option<Exit>,
    found: bool,
    gaps: u64,
    without_input: u64,
    left_out: u64,
}

impl Teller<'_> {
    fn tell(&mut self, session: &Listed, searched: Outcome<Searched>) -> io::Result<()> {
        let id = session.session.session;
        match searched {
            Ok(searched) => {
                for text in &searched.notes {
                    if self.said.insert(text.clone()) {
                        note(text);
                    }
                }
                self.left_out += u64::from(searched.left_out);
                self.found |= searched.found.count > 0;
                self.gaps += u64::from(searched.found.gaps > 0);
                self.without_input += u64::from(!searched.found.has_input);
                self.printer.session(id, &searched)
            }
            Err(mut failure) => {
                let name = id.to_string();
                if !failure.message.contains(&name) {
                    failure.message = format!("session {name}: {}", failure.message);
                }
                self.failed = self.failed.max(Some(failure.exit));
                report::print(&failure);
                Ok(())
            }
        }
    }

    fn finish(mut self, sessions: usize, input: bool) -> Outcome {
        self.printer.finish()?;
        let of = |n: u64| if n == 1 { "1 session".to_owned() } else { format!("{n} sessions") };
        if self.gaps > 0 {
            note(&format!("{}: the recording says that something is missing, which cannot be found", of(self.gaps)));
        }
        if self.left_out > 0 {
            note(&format!(
                "{} of {sessions}: known from an earlier search, and not read again; --no-cache reads all",
                of(self.left_out)
            ));
        }
        if input && self.without_input > 0 {
            note(&format!("{} of {sessions}: nothing that was typed was recorded", of(self.without_input)));
        }
        Ok(self.failed.unwrap_or(if self.found { Exit::Fine } else { Exit::Failed }))
    }
}

/// Hidden by itself where standard error is no terminal.
fn bar(sessions: usize) -> ProgressBar {
    ProgressBar::new(sessions as u64).with_style(
        ProgressStyle::with_template("searching {bar:30} {pos}/{len} sessions {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
