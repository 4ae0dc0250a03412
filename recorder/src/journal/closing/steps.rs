//! What closing a segment is, step by step: each can fail, and is done again later without those before it.
//!
//! Not for who does it, nor for when a failed step is tried again: `pool`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use hansard_schemas::Digest;
use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::event::Summary;
use hansard_schemas::segment::{self, Closed, Compression};

use super::rebuild::{rebuild, replace_synced};
use super::{CloseJob, Closing, Told};
use crate::host_chain::HostChain;
use crate::journal::file::sync_dir;
use crate::journal::outbox;
use crate::journal::session_dir::SessionDir;
use crate::journal::spool::release_reserve;

/// zstd level of the joined form: such segments are small, and these threads have time.
const JOINED: i32 = 9;

/// How far a segment is.
pub(super) enum Stage {
    /// As it was handed over.
    Begun(Box<CloseJob>),
    /// Its bytes are what they will be.
    Made(Box<CloseJob>, Box<Closed>),
    /// They are durable.
    Synced(Box<CloseJob>, Box<Closed>),
    /// Its trailer is made, and its keys are gone.
    Signed(Signed),
    /// It has its name. Of the last one: what the end was.
    Named(Option<End>),
    /// The chain says that the session has ended.
    Ended(Box<Entry>),
    /// Nothing is to be done any more.
    Over,
}

pub(super) struct Signed {
    number: u32,
    path: PathBuf,
    digest: Digest,
    trailer: Vec<u8>,
    /// Where the trailer begins.
    at: u64,
    end: Option<(String, Option<Summary>)>,
}

pub(super) struct End {
    segment: u32,
    digest: Digest,
    outcome: String,
    summary: Option<Summary>,
    /// It was tried before: the chain may have it.
    again: bool,
}

impl Stage {
    pub(super) fn begin(job: CloseJob) -> Self {
        Self::Begun(Box::new(job))
    }
}

/// What came of a step.
pub(super) enum Step {
    /// Go on.
    Next,
    /// It failed: later again.
    Again,
    /// The segment is closed, or never will be.
    Done,
}

/// Closes the segments of one session.
pub(super) struct Work {
    dir: Arc<SessionDir>,
    chain: Arc<HostChain>,
    /// Digest of the highest closed segment.
    pub(super) prev: Option<Digest>,
    told: Arc<Told>,
    closed: Closing,
    /// Nothing later can be signed: recovery closes what is left.
    lost: bool,
    /// Where a step failed.
    pub(super) put_aside: Option<Stage>,
}

type Tried<T> = Result<T, (&'static str, io::Error)>;

/// Names what was tried.
fn at<T>(what: &'static str, done: io::Result<T>) -> Tried<T> {
    done.map_err(|e| (what, e))
}

impl Work {
    pub(super) fn new(dir: Arc<SessionDir>, chain: Arc<HostChain>, told: Arc<Told>, closed: Closing) -> Self {
        Self { dir, chain, prev: None, told, closed, lost: false, put_aside: None }
    }

    /// Does one step, and leaves the stage as it was where that fails.
    pub(super) fn step(&mut self, stage: &mut Stage) -> Step {
        if self.lost {
            return Step::Done;
        }
        match self.try_step(stage) {
            Ok(step) => {
                self.told.lock().trouble = None;
                step
            }
            Err((what, e)) => {
                let ending = {
                    let mut progress = self.told.lock();
                    progress.trouble = Some(format!("{what}: {e}"));
                    progress.ending
                };
                if ending && matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                    release_reserve(self.dir.path());
                }
                Step::Again
            }
        }
    }

    fn try_step(&mut self, stage: &mut Stage) -> Tried<Step> {
        // A step that takes the stage apart puts it back before it can fail.
        match std::mem::replace(stage, Stage::Over) {
            Stage::Begun(mut job) => match make(&mut job) {
                Ok(Some(closed)) => *stage = Stage::Made(job, Box::new(closed)),
                Ok(None) => return Ok(self.loses("a segment that is neither closed nor damaged".into())),
                Err(e) => {
                    *stage = Stage::Begun(job);
                    return Err(("a damaged segment", e));
                }
            },
            Stage::Made(job, closed) => match sync(&job) {
                Ok(()) => *stage = Stage::Synced(job, closed),
                Err(e) => {
                    *stage = Stage::Made(job, closed);
                    return Err(e);
                }
            },
            Stage::Synced(job, closed) => match length(&job) {
                Ok(length) => match self.sign(*job, *closed, length) {
                    Ok(signed) => *stage = Stage::Signed(signed),
                    Err(why) => return Ok(self.loses(why)),
                },
                Err(e) => {
                    *stage = Stage::Synced(job, closed);
                    return Err(("measuring a segment", e));
                }
            },
            Stage::Signed(signed) => match self.name(&signed) {
                Ok(()) => *stage = Stage::Named(self.named(signed)),
                Err(e) => {
                    *stage = Stage::Signed(signed);
                    return Err(("writing a trailer", e));
                }
            },
            Stage::Named(None) => {
                self.tell();
                return Ok(Step::Done);
            }
            Stage::Named(Some(mut end)) => match self.end(&end) {
                Ok(entry) => *stage = Stage::Ended(Box::new(entry)),
                Err(e) => {
                    end.again = true;
                    *stage = Stage::Named(Some(end));
                    return Err(e);
                }
            },
            Stage::Ended(entry) => match self.say(&entry) {
                Ok(()) => {
                    self.told.lock().ended = true;
                    self.told.changed.notify_all();
                    self.tell();
                    return Ok(Step::Done);
                }
                Err(e) => {
                    *stage = Stage::Ended(entry);
                    return Err(("writing the event of the end", e));
                }
            },
            Stage::Over => return Ok(Step::Done),
        }
        Ok(Step::Next)
    }

    fn tell(&self) {
        let progress = self.told.lock().clone();
        (self.closed)(&progress);
    }

    /// Nothing later can be signed without this digest.
    fn loses(&mut self, why: String) -> Step {
        self.lost = true;
        self.told.lock().trouble = Some(why);
        Step::Done
    }

    fn sign(&self, job: CloseJob, closed: Closed, length: u64) -> Result<Signed, String> {
        let CloseJob { number, path, next, signer, outcome, summary, .. } = job;
        let last = next.is_none();
        let (trailer, digest) =
            closed.sign(self.prev, next, last, signer).map_err(|e| format!("signing segment {number}: {e}"))?;
        Ok(Signed { number, path, digest, trailer, at: length, end: last.then_some((outcome, summary)) })
    }

    fn name(&self, signed: &Signed) -> io::Result<()> {
        let name = self.dir.closed_path(signed.number, &signed.digest);
        if !name.exists() {
            let file = OpenOptions::new().write(true).open(&signed.path)?;
            // At a fixed place: a trailer that was written in part is written over.
            file.write_all_at(&signed.trailer, signed.at)?;
            rustix::fs::fdatasync(&file)?;
            std::fs::rename(&signed.path, name)?;
        }
        sync_dir(self.dir.path())
    }

    fn named(&mut self, signed: Signed) -> Option<End> {
        let (number, digest) = (signed.number, signed.digest);
        self.prev = Some(digest);
        self.told.lock().head = Some((number, digest));
        let Some((outcome, summary)) = signed.end else {
            // For checkpoints of other recorders; without it they say less, and of a session that ends nothing.
            let _ = self.dir.write_loosely("head", &format!("{number} {digest}"));
            return None;
        };
        Some(End { segment: number, digest, outcome, summary, again: false })
    }

    /// Writes the `end` into the chain, once.
    fn end(&self, end: &End) -> Tried<Entry> {
        let session = self.dir.session();
        // A checkpoint after the `end` that still lists the session would be a lie; one before it may leave it out.
        self.told.lock().leaves = true;
        // The event is made from this, here and at recovery. A disk that is full has given the reserve back by now.
        at("writing how it ended", outbox::keep_outcome(&self.dir, &end.outcome, end.summary.as_ref()))?;
        let what = "writing the end into the host chain";
        if end.again
            && let Some(entry) = at(what, self.said_before())?
        {
            return Ok(entry);
        }
        let kind = Kind::End { session, segment: end.segment, digest: end.digest, outcome: end.outcome.clone() };
        at(what, self.chain.append(kind).map_err(|f| io::Error::other(f.what)))
    }

    /// The `end` that a try has left in the chain although it failed afterwards.
    fn said_before(&self) -> io::Result<Option<Entry>> {
        let Some(about) = self.dir.read_about()? else { return Ok(None) };
        let entries = self.chain.entries_from(about.start_seq).map_err(|f| io::Error::other(f.what))?;
        let session = self.dir.session();
        Ok(entries.into_iter().find(|e| matches!(e.kind, Kind::End { session: s, .. } if s == session)))
    }

    fn say(&self, entry: &Entry) -> io::Result<()> {
        match self.dir.read_about()? {
            Some(about) => outbox::stopped(&self.dir, &about, entry),
            None => Ok(()),
        }
    }
}

/// Makes the bytes that are to be signed; `None` for a job that says of nothing how.
fn make(job: &mut CloseJob) -> io::Result<Option<Closed>> {
    match (job.closed.take(), &job.damage) {
        (Some(closed), _) => Ok(Some(job.join.and_then(|bytes| joined(job, bytes)).unwrap_or(closed))),
        (None, Some(damage)) => rebuild(job, damage).map(Some),
        (None, None) => Ok(None),
    }
}

/// The joined form; `None` when it cannot be made or written: the first form is as good, and larger.
fn joined(job: &CloseJob, line_bytes: u64) -> Option<Closed> {
    let journal = std::fs::read(&job.path).ok()?;
    // A window for all of it and not more: the compressor's tables go by it, and are megabytes at this level.
    let window_log = line_bytes.max(1).next_power_of_two().ilog2();
    let how = Compression { window_log: Some(window_log), ..JOINED.into() };
    let (bytes, closed) = segment::reseal_with(&journal, &job.secret, (&job.spare.0, job.spare.1), how).ok()?;
    replace_synced(&job.path, &bytes).ok()?;
    Some(closed)
}

fn sync(job: &CloseJob) -> Tried<()> {
    let file = at("opening a segment", OpenOptions::new().write(true).open(&job.path))?;
    if synced_as_it_is(job, &file) {
        return Ok(());
    }
    // The sync failed, and a second success would mean nothing: what can be read goes into a new file.
    let bytes = at("reading a segment", std::fs::read(&job.path))?;
    at("writing a segment anew", replace_synced(&job.path, &bytes))
}

fn synced_as_it_is(job: &CloseJob, file: &File) -> bool {
    !job.file.damaged() && rustix::fs::fdatasync(file).is_ok()
}

fn length(job: &CloseJob) -> io::Result<u64> {
    std::fs::metadata(&job.path).map(|m| m.len())
}
