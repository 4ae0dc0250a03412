//! README.txt of an evidence folder: what is in it, what was found, and how a third party checks it, with Hansard and
//! without.

use std::fmt::Write as _;

use hansard_schemas::names::safe;

/// What the text is about.
pub struct Guide {
    /// Session id, as text.
    pub session: String,
    /// Name of the host; a claim.
    pub host: Option<String>,
    /// Chain id, 64 hex digits.
    pub chain: Option<String>,
    /// The verdict.
    pub verdict: String,
    /// Whether it is `complete`, and nothing is wrong.
    pub complete: bool,
    /// Faults, notes, gaps, what could not be opened.
    pub marks: Vec<String>,
    /// Number of segments.
    pub segments: usize,
    /// Number of chain objects.
    pub chain_objects: usize,
    /// When this was made.
    pub made: String,
}

/// The text, in lines of at most 100 characters but for names.
pub fn text(guide: &Guide) -> String {
    let mut out = String::new();
    let Guide { session, host, chain, verdict, complete, marks, segments, chain_objects, made } = guide;
    let host = host.as_deref().map_or_else(|| "(not known)".into(), safe);
    let chain_id = chain.as_deref().unwrap_or("(none: nothing witnesses this session)");
    let _ = writeln!(out, "EVIDENCE OF ONE RECORDED SESSION\n");
    let _ = writeln!(out, "session  {session}\nhost     {host} (as the chain says)\nchain    {chain_id}");
    let _ =
        writeln!(out, "verdict  {}\nmade     {made} by hansard-replay {}\n", safe(verdict), env!("CARGO_PKG_VERSION"));
    if *complete && marks.is_empty() {
        let _ = writeln!(out, "The recording is complete: nothing is missing, and nothing contradicts it.\n");
    } else {
        let heading = if *complete { "NOTE WELL" } else { "THIS RECORDING IS NOT COMPLETE" };
        let _ = writeln!(out, "{heading}:");
        if !complete {
            let _ = writeln!(out, "  - the verdict is: {}", safe(verdict));
        }
        for mark in marks {
            let _ = writeln!(out, "  - {}", safe(mark));
        }
        out.push('\n');
    }
    out.push_str(WHAT);
    let _ = writeln!(out, "  segments/…       {segments} segment(s) as stored: sealed, signed");
    let _ = writeln!(out, "  chains/…         {chain_objects} object(s) of the host's chain as stored\n");
    out.push_str(TRUST);
    let _ = writeln!(
        out,
        "WITH HANSARD\n\n  cd THIS-FOLDER\n  hansard-replay verify {session} --from \"file://$PWD\"\n\n\
         It needs no key, and ends with status 0 only if the verdict is fine. Name the session as above: the\n\
         chain names every session of its host, and without an id those that are not in this folder are\n\
         reported as missing, and the files beside segments and chain as being no part of a recording.\n\
         Compare the chain id above with the one read off the host, then `hansard-replay keys trust` it.\n\
         With an identity the recording was sealed to, session.cast and session.txt can be made anew:\n\n\
         \x20 hansard-replay export {session} --from \"file://$PWD\" --identity FILE --as cast | cmp - session.cast\n\
         \x20 hansard-replay export {session} --from \"file://$PWD\" --identity FILE --as txt | cmp - session.txt\n"
    );
    out.push_str(WITHOUT);
    out
}

const WHAT: &str = "\
WHAT IS HERE

  README.txt       this text
  MANIFEST.sha256  SHA-256 of every other file, as sha256sum writes and checks it
  verify.json      what verification said when this folder was made
  session.cast     what was recorded, decrypted: asciicast v3
  session.txt      the lines that could be read on the screen
";

const TRUST: &str = "\
session.cast and session.txt are readable copies, and show what was typed and shown: treat them as
secret. The proof is in segments/ and chains/. The manifest finds damage; whoever can change a file here
can change the manifest too, so keep its own SHA-256 somewhere else, or signed. The chain also shows ids
and times of the host's other sessions, and nothing of what was in them.

";

const WITHOUT: &str = "\
WITHOUT HANSARD

The format is described in schemas/FORMAT.md of the Hansard project (sections in brackets). A second
reader, in Python and written from that text alone, lies in tests/reader of the same project:
`hansard_reader.py verify THIS-FOLDER`. By hand:

  1. sha256sum -c MANIFEST.sha256: every file says OK, and no file is there that the manifest lacks.
  2. The chain [5]: each line of chains/…, in order, is a JSON document with `seq` counting from 0 and
     `prev` the SHA-256 of the line before. The first (`genesis`) holds its own Ed25519 key, from which the
     chain id is made; every line is signed with the key that the line before names in `next`.
  3. The `start` line of the session names its id, the first segment's signing key, and the SHA-256 of the
     identity object. Segment 0 carries that line in its header.
  4. The segments [4]: 000000-….hseg, 000001-…, without hole. SHA-256 over a segment as [4.5] says is its
     digest, of which the file's name bears the first 16 hex digits; its trailer names the digest of the
     segment before (`prev`), and is signed with the Ed25519 key that the one before named (the first: that
     of the `start` line).
  5. The last segment says `last`, and the `end` line of the chain names its number and digest: then
     nothing is missing at the end. Section 8 lists what else a verdict can be, and from what it follows.
  6. Contents [4.2 to 4.4] open only with the identity of one of the recipients: age, then AES-256-GCM.
";
