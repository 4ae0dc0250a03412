//! `grep`: what was shown, or typed, in many sessions.
//!
//! Sessions are searched in parallel, and told in the order of their ids, each when all before it have been told. One
//! that cannot be searched is said on standard error and makes the exit status that of its failure; it keeps no other
//! from being searched. In memory are the matches of the sessions that wait to be told, of which there are not many.

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::grep_print::Printer;
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
    let wanted = Wanted {
        pattern,
        input: args.input,
        before: args.before_context.unwrap_or(around),
        after: args.after_context.unwrap_or(around),
        max: if args.sessions { 1 } else { args.max.unwrap_or(u64::MAX) },
        text: !args.count && !args.sessions,
    };
    let desk = context.desk(&args.store, &args.keys, &args.selection.filter.scope.range())?;
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
    };
    let bar = bar(sessions.len());
    let bytes = AtomicU64::new(0);
    let work = |session: &&Listed| one(&desk, session, &wanted, args.force, (&bar, &bytes));
    let mut told = sessions.iter();
    parallel::stream(&sessions, parallel::processors(), work, |searched| {
        bar.inc(1);
        told.next().map_or(Ok(()), |session| bar.suspend(|| teller.tell(session, searched)))
    })?;
    bar.finish_and_clear();
    teller.finish(sessions.len(), args.input)
}

fn one(
    desk: &Desk,
    session: &Listed,
    wanted: &Wanted,
    force: bool,
    (bar, searched): (&ProgressBar, &AtomicU64),
) -> Outcome<Searched> {
    let opened = desk.open(session, force)?;
    let (mut recording, mut notes) = (opened.recording, opened.notes);
    let found = search(&mut recording, wanted, &|bytes| {
        let all = searched.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if !bar.is_hidden() {
            bar.set_message(HumanBytes(all).to_string());
        }
    })?;
    let id = session.session.session;
    notes.extend(recording.troubles().iter().map(|trouble| format!("session {id}: {trouble}")));
    let who = recording.header().map(|header| (header.hansard.host.clone(), header.hansard.kernel.user_or_uid()));
    Ok(Searched { found, who, wall: Wall::of(&recording), notes })
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
