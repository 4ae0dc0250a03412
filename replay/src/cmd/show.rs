//! `show`: all that can be said of one session: verdict, chain, segments, recipients, and, with a key, who and what.

use std::io::{self, BufWriter, Write};

use chrono::Utc;
use hansard_schemas::Timestamp;
use hansard_schemas::cast::CastHeader;
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::names::safe;
use hansard_schemas::session::Identity;
use hansard_sinks::{Store, TimeRange};
use hmac::Mac;
use serde_json::json;

use super::ls::{command, duration};
use crate::catalog::Catalog;
use crate::cli::Show;
use crate::context::Context;
use crate::evidence::{Chains, Evidence, examine};
use crate::known::Standing;
use crate::recording::peek;
use crate::report::{Exit, Outcome, json_line};

/// Shows one session.
pub fn run(context: &Context, args: &Show) -> Outcome {
    let identities = context.identities(&args.keys)?;
    let store = context.store(&args.store)?;
    let chains = Chains::load(&*store)?;
    let mut seen = context.standings(&*store, &chains)?;
    seen.tell();
    let catalog = Catalog::load(&*store, &chains, &TimeRange::default())?;
    let listed = catalog.find(&args.id, Utc::now())?;
    let evidence = examine(&*store, &listed.session, &chains, context.now(), &mut |_| {})?;
    let standing = evidence.chain.and_then(|chain| seen.standings.remove(&chain));
    let (header, closed) = match first_line(&*store, &evidence, &identities) {
        Ok(header) => (Some(header), None),
        Err(why) => (None, Some(why)),
    };
    let own_past = header.as_ref().is_some_and(|header| is_here(&header.hansard));
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = Shown { evidence: &evidence, standing: standing.as_ref(), header: header.as_ref(), closed, own_past };
    if args.json {
        writeln!(out, "{}", json_line(&document(&shown)))?;
    } else {
        text(&mut out, &shown)?;
    }
    out.flush()?;
    let second = matches!(standing, Some(Standing::Second { .. }));
    Ok(if evidence.is_refused() || second { Exit::Failed } else { Exit::Fine })
}

struct Shown<'a> {
    evidence: &'a Evidence,
    standing: Option<&'a Standing>,
    header: Option<&'a CastHeader>,
    /// Why there is no header.
    closed: Option<String>,
    /// An identity that opens the session lies on the host that recorded it.
    own_past: bool,
}

/// The first line of the recording, or why there is none.
pub(super) fn first_line(
    store: &dyn Store,
    evidence: &Evidence,
    identities: &Identities,
) -> Result<CastHeader, String> {
    let (part, _) = evidence
        .segments()
        .find(|(part, _)| part.name.number == 0)
        .ok_or_else(|| "segment 0 is not there, or is not what was recorded".to_owned())?;
    let mut cache = SecretCache::default();
    peek(store, part, evidence.judgement.identity, identities, &mut cache).map_err(|e| e.to_string())
}

/// Whether this machine recorded it, by machine id; by name where it has none.
fn is_here(identity: &Identity) -> bool {
    let here = std::fs::read_to_string("/etc/machine-id").ok().filter(|text| !text.trim().is_empty());
    match (identity.kernel.machine, here) {
        (Some(machine), Some(here)) => {
            let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(here.trim().as_bytes());
            mac.is_ok_and(|mac| mac.chain_update(b"hansard/1 machine").finalize().into_bytes()[..] == machine.0)
        }
        _ => rustix::system::uname().nodename().to_bytes() == identity.kernel.hostname.as_bytes(),
    }
}

const OWN_PAST: &str = "this host can read its own past: an identity that opens the recording lies here";

fn text(out: &mut impl Write, shown: &Shown<'_>) -> io::Result<()> {
    let Shown { evidence, standing, header, closed, own_past } = shown;
    let judgement = &evidence.judgement;
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<11} {}", safe(value));
    line("session", &judgement.session.to_string())?;
    line("started", &Timestamp::new(judgement.session.time()).to_string())?;
    if let Some(header) = header {
        let Identity { host, kind, kernel, claimed, .. } = &header.hansard;
        line("host", host)?;
        let user = kernel.user.as_deref().unwrap_or("-");
        let login = kernel.login_uid.map(|uid| format!(", login uid {uid}")).unwrap_or_default();
        line("user", &format!("{user} (uid {}{login})", kernel.uid))?;
        line("kind", kind.as_str())?;
        line("command", &command(header))?;
        line("directory", &claimed.cwd)?;
        if let Some(tty) = &kernel.tty {
            line("terminal", &format!("{tty} {}x{}", header.term.cols, header.term.rows))?;
        }
        if let Some(parent) = &kernel.parent {
            line("parent", &format!("{parent} (pid {})", kernel.ppid))?;
        }
        for (name, value) in &claimed.labels {
            line("label", &format!("{name}={value}"))?;
        }
        for (name, value) in
            [("reason", &claimed.reason), ("ssh from", &claimed.ssh_connection), ("ssh auth", &claimed.ssh_user_auth)]
        {
            if let Some(value) = value {
                line(name, value)?;
            }
        }
        for (name, value) in &claimed.env {
            line("environment", &format!("{name}={value}"))?;
        }
    } else if let Some(host) = &judgement.host {
        line("host", host)?;
    }
    if let Some(why) = closed {
        line("identity", &format!("closed: {why}"))?;
    }
    line("verdict", &judgement.verdict.to_string())?;
    for fault in judgement.faults.iter().chain(&judgement.chain_faults) {
        line("fault", &fault.to_string())?;
    }
    if let Some(outcome) = &judgement.outcome {
        line("outcome", outcome)?;
    }
    if let Some(time) = judgement.unwitnessed_from {
        line("unwitnessed", &format!("from {time}"))?;
    }
    if let Some(chain) = evidence.chain {
        let uid = judgement.uid.map(|uid| format!("  self-attested by uid {uid}")).unwrap_or_default();
        let mark = standing.map_or("", Standing::mark);
        line("chain", format!("{chain}{uid}  {mark}").trim_end())?;
    }
    for recipient in &evidence.recipients {
        line("recipient", recipient)?;
    }
    for (part, segment) in evidence.segments() {
        let offset = duration(i64::try_from(segment.offset_ms).unwrap_or(i64::MAX));
        let recovered = if segment.recovered { "  recovered" } else { "" };
        let (number, bytes, blocks) = (part.name.number, segment.bytes, segment.blocks);
        line("segment", &format!("{number}  {}  +{offset}  {bytes} bytes  {blocks} blocks{recovered}", segment.start))?;
    }
    for note in &judgement.notes {
        line("note", note)?;
    }
    if let Some(imported) = header.and_then(|header| header.hansard.claimed.imported()) {
        line("note", &imported)?;
    }
    if *own_past {
        line("note", OWN_PAST)?;
    }
    Ok(())
}

fn document(shown: &Shown<'_>) -> serde_json::Value {
    let Shown { evidence, standing, header, closed, own_past } = shown;
    let judgement = &evidence.judgement;
    let segments: Vec<serde_json::Value> = evidence
        .segments()
        .map(|(part, segment)| {
            json!({
                "segment": part.name.number,
                "object": part.key,
                "start": segment.start,
                "offset_ms": segment.offset_ms,
                "bytes": segment.bytes,
                "blocks": segment.blocks,
                "digest": segment.digest,
                "recovered": segment.recovered,
            })
        })
        .collect();
    let faults: Vec<serde_json::Value> = judgement
        .faults
        .iter()
        .chain(&judgement.chain_faults)
        .map(|fault| json!({"fault": fault.word(), "text": fault.to_string()}))
        .collect();
    json!({
        "session": judgement.session,
        "identity": header.map(|header| &header.hansard),
        "term": header.map(|header| &header.term),
        "closed": closed,
        "verdict": judgement.verdict.word(),
        "text": judgement.verdict.to_string(),
        "faults": faults,
        "notes": judgement.notes,
        "outcome": judgement.outcome,
        "unwitnessed_from": judgement.unwitnessed_from,
        "host": judgement.host,
        "uid": judgement.uid,
        "chain": evidence.chain,
        "standing": standing.map(Standing::word),
        "recipients": evidence.recipients,
        "segments": segments,
        "host_can_read_its_past": own_past,
    })
}
