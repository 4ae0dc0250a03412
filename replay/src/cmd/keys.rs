//! `keys`: which host chains the reviewer believes.

use std::io::{self, Write};

use hansard_schemas::ChainId;
use hansard_schemas::names::safe;

use crate::cli::{Keys, KeysVerb, List, Trust};
use crate::context::Context;
use crate::known::{self, Known};
use crate::report::{Exit, Failure, Outcome, json_line};

/// Pins or lists.
pub fn run(context: &Context, args: &Keys) -> Outcome {
    let known = context.known()?;
    match &args.verb {
        KeysVerb::Trust(args) => trust(context, known, args),
        KeysVerb::List(args) => list(&known, args),
    }
}

fn trust(context: &Context, mut known: Known, args: &Trust) -> Outcome {
    let id = match args.chain.parse::<ChainId>() {
        Ok(id) => id,
        Err(_) => known.by_prefix(&args.chain).filter(|_| args.chain.len() >= 8).ok_or_else(|| {
            Failure::usage(format!("`{}` is neither a chain id nor the beginning of a known one", args.chain))
                .hint("a chain id has 64 lower-case hex digits; `hansard-replay keys list` shows those seen")
        })?,
    };
    let host = known.trust(id, args.host.as_deref(), context.now())?.host.clone();
    known.save()?;
    writeln!(io::stdout().lock(), "{id}  pinned  {}", safe(&host))?;
    Ok(Exit::Fine)
}

fn list(known: &Known, args: &List) -> Outcome {
    let mut out = io::stdout().lock();
    for (id, entry) in known.iter() {
        if args.json {
            let line = serde_json::json!({"chain": id, "host": entry.host, "trust": entry.trust, "since": entry.since});
            writeln!(out, "{}", json_line(&line))?;
            continue;
        }
        let trust = match entry.trust {
            known::Trust::Pinned => "pinned",
            known::Trust::FirstSight => "UNPINNED",
        };
        writeln!(out, "{id}  {trust:8}  {}  {}", entry.since, safe(&entry.host))?;
    }
    Ok(Exit::Fine)
}
