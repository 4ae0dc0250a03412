//! What can be said of a session without a key: every verdict, and every attack with its words. Real chains, real
//! segments, real signatures. Test names bear the ids of FORMAT.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod attacks;
mod chain;
mod flips;
mod recovery;
mod scene;
mod verdicts;

use hansard_schemas::verdict::{Fault, Judgement};

/// The words of a judgement: the verdict as printed without its times, then the faults in order of the alphabet.
pub fn words(judgement: &Judgement) -> String {
    let mut faults: Vec<String> = judgement.faults.iter().map(short).collect();
    faults.sort();
    let chain = judgement.chain_faults.iter().map(|fault| format!("({})", short(fault)));
    let verdict = judgement.verdict.to_string();
    let verdict = verdict.split(" 2026-").next().unwrap_or_default().to_owned();
    [verdict].into_iter().chain(faults).chain(chain).collect::<Vec<_>>().join("; ")
}

fn short(fault: &Fault) -> String {
    match fault {
        Fault::Altered { segment: Some(segment), .. } => format!("altered {segment}"),
        Fault::Missing(segment) | Fault::OutOfOrder(segment) => format!("{} {segment}", fault.word()),
        Fault::Equivocation(segment) | Fault::Erased(segment) => format!("{} {segment}", fault.word()),
        Fault::ChainBroken { seq, .. } | Fault::Fork(seq) | Fault::FalseStatement { seq, .. } => {
            format!("{} {seq}", fault.word())
        }
        _ => fault.word().to_owned(),
    }
}
