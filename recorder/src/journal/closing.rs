//! Closing segments: joined where their blocks are small, synced, signed, named; in order, on a thread of their own.
//!
//! The relay goes on in the next segment meanwhile. A step that fails is tried again until it works: until then
//! nothing of the segment is signed, and no sink sees it. Not for deciding when a segment ends, nor for segments
//! whose recorder is gone (`recovery`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansard_schemas::cast::{Code, Encoder, Gap, GapWhat, GapWhy, LineReader, Size};
use hansard_schemas::chain::Kind;
use hansard_schemas::event::Summary;
use hansard_schemas::keys::{KeysLine, SegmentSecret};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{self, Closed, HeaderSpec, Reader, SegmentWriter};
use hansard_schemas::session::Footer;
use hansard_schemas::{Digest, PublicKey, SessionId, Timestamp};

use super::file::{Tracked, sync_dir};
use super::outbox;
use super::session_dir::SessionDir;
use super::spool::release_reserve;
use crate::host_chain::HostChain;

/// Pause before a failed step is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// zstd level of the joined form: such segments are small, and this thread has time.
const JOINED: i32 = 9;

/// One segment to close. It owns the last copies of its keys; they go with it.
pub struct CloseJob {
    /// Its number.
    pub number: u32,
    /// Its file.
    pub path: PathBuf,
    /// The same, as the group sync knows it.
    pub file: Arc<Tracked>,
    /// What the writer knows of it; `None` when it was given up.
    pub closed: Option<Closed>,
    /// Seal it anew in fewer blocks.
    pub join: bool,
    /// What its blocks are sealed with.
    pub secret: SegmentSecret,
    /// Secret and index of the joined form.
    pub spare: (SegmentSecret, u32),
    /// What signs it.
    pub signer: SigningKey,
    /// What signs the next one; `None` in the last.
    pub next: Option<PublicKey>,
    /// Of the last segment: how the session ended.
    pub outcome: String,
    /// Of the last segment: what the event of the end says.
    pub summary: Option<Summary>,
    /// Set when a write or a sync failed.
    pub damage: Option<Damage>,
}

/// What is needed to make a segment anew out of what can be read of a damaged one.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of its header, and of the gap line that is added")]
pub struct Damage {
    pub why: String,
    pub session: SessionId,
    pub start: Timestamp,
    pub offset_ms: u64,
    pub end_ms: u64,
    pub epoch: u32,
    pub keys: KeysLine,
    pub size: Size,
    pub position: u64,
}

/// How far the closer is.
#[derive(Debug, Default, Clone)]
pub struct Progress {
    /// Highest closed segment.
    pub head: Option<(u32, Digest)>,
    /// The last segment is closed, and the chain's `end` says so.
    pub ended: bool,
    /// What it is trying again, and why.
    pub trouble: Option<String>,
    /// The session ends: the reserve may be used.
    pub ending: bool,
}

type Shared = Arc<(Mutex<Progress>, Condvar)>;

/// The thread that closes one session's segments.
#[derive(Debug)]
pub struct Closer {
    jobs: Sender<CloseJob>,
    shared: Shared,
    _thread: JoinHandle<()>,
}

fn locked(shared: &Shared) -> MutexGuard<'_, Progress> {
    // Each change is one assignment: a poisoned lock guards nothing half done.
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Closer {
    /// Starts it. `closed` is called after each segment has its final name.
    pub fn start(dir: Arc<SessionDir>, chain: Arc<HostChain>, closed: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let shared = Shared::default();
        let worker = Worker { dir, chain, shared: Arc::clone(&shared), prev: None };
        let thread = std::thread::Builder::new().name("closer".into()).spawn(move || worker.run(&receiver, closed))?;
        Ok(Self { jobs, shared, _thread: thread })
    }

    /// Hands a segment over.
    pub fn close(&self, job: CloseJob) {
        // The receiver lives as long as its thread, which ends only with this sender.
        let _ = self.jobs.send(job);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        locked(&self.shared).clone()
    }

    /// The session ends: from now on a full disk is met with the reserve.
    pub fn ending(&self) {
        locked(&self.shared).ending = true;
    }

    /// Waits until the chain's `end` is written; false when `limit` is over.
    pub fn wait_ended(&self, limit: Duration) -> bool {
        let guard = locked(&self.shared);
        let waited = self.shared.1.wait_timeout_while(guard, limit, |p| !p.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

struct Worker {
    dir: Arc<SessionDir>,
    chain: Arc<HostChain>,
    shared: Shared,
    prev: Option<Digest>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<CloseJob>, closed: impl Fn()) {
        for job in jobs {
            let number = job.number;
            let (last, outcome, summary) = (job.next.is_none(), job.outcome.clone(), job.summary.clone());
            let Some(digest) = self.close(job) else {
                // Nothing later can be signed without this digest; recovery closes what is left.
                return;
            };
            self.prev = Some(digest);
            // `head` is for checkpoints of other recorders; without it they say less.
            let _ = self.dir.write_line("head", &format!("{number} {digest}"));
            locked(&self.shared).head = Some((number, digest));
            if last {
                self.end(number, digest, outcome, summary);
            }
            closed();
        }
    }

    /// Tries until it works.
    fn retry<T>(&self, what: &str, mut step: impl FnMut() -> io::Result<T>) -> T {
        loop {
            match step() {
                Ok(value) => {
                    locked(&self.shared).trouble = None;
                    return value;
                }
                Err(e) => {
                    let ending = {
                        let mut progress = locked(&self.shared);
                        progress.trouble = Some(format!("{what}: {e}"));
                        progress.ending
                    };
                    if ending && matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                        release_reserve(self.dir.path());
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    fn close(&self, mut job: CloseJob) -> Option<Digest> {
        let closed = match (job.closed.take(), &job.damage) {
            (Some(closed), _) if job.join => self.joined(&job).unwrap_or(closed),
            (Some(closed), _) => closed,
            (None, Some(damage)) => self.retry("a damaged segment", || self.rebuild(&job, damage)),
            // Not constructed: a job without either. An empty rebuild would need what only `Damage` has.
            (None, None) => return None,
        };
        let file = self.retry("opening a segment", || OpenOptions::new().write(true).open(&job.path));
        if !self.synced_as_it_is(&job, &file) {
            // The sync failed, and a second success would mean nothing: what can be read goes into a new file.
            let bytes = self.retry("reading a segment", || std::fs::read(&job.path));
            self.retry("writing a segment anew", || replace_synced(&job.path, &bytes));
        }
        let file = self.retry("opening a segment", || OpenOptions::new().write(true).open(&job.path));
        let end = self.retry("measuring a segment", || file.metadata().map(|m| m.len()));
        let last = job.next.is_none();
        let (trailer, digest) = match closed.sign(self.prev, job.next, last, job.signer) {
            Ok(signed) => signed,
            Err(e) => {
                locked(&self.shared).trouble = Some(format!("signing segment {}: {e}", job.number));
                return None;
            }
        };
        self.retry("writing a trailer", || {
            // At a fixed place: a trailer that was written in part is written over.
            file.write_all_at(&trailer, end)?;
            rustix::fs::fdatasync(&file)?;
            let name = self.dir.closed_path(job.number, &digest);
            if job.path.exists() {
                std::fs::rename(&job.path, name)?;
            }
            sync_dir(self.dir.path())
        });
        Some(digest)
    }

    fn synced_as_it_is(&self, job: &CloseJob, file: &File) -> bool {
        !job.file.damaged() && rustix::fs::fdatasync(file).is_ok()
    }

    /// The joined form; `None` when it cannot be made or written: the first form is as good, and larger.
    fn joined(&self, job: &CloseJob) -> Option<Closed> {
        let journal = std::fs::read(&job.path).ok()?;
        let (bytes, closed) =
            segment::reseal_with(&journal, &job.secret, (&job.spare.0, job.spare.1), JOINED.into()).ok()?;
        replace_synced(&job.path, &bytes).ok()?;
        Some(closed)
    }

    /// Seals what can be read of a damaged segment anew, with a gap line at its end.
    fn rebuild(&self, job: &CloseJob, damage: &Damage) -> io::Result<Closed> {
        let mut entry = None;
        let mut reader = LineReader::new(job.number == 0, damage.offset_ms);
        let mut kept: Vec<(u64, Vec<u8>)> = Vec::new();
        let bytes = std::fs::read(&job.path).unwrap_or_default();
        let scan = segment::scan_open(&bytes);
        if let Some(header) = &scan.header {
            entry.clone_from(&header.entry);
            if let Ok(mut blocks) = Reader::new(&bytes[..scan.kept_len], &job.secret) {
                while let Ok(Some(block)) = blocks.next_block() {
                    if reader.push(&block.lines).is_err() {
                        break;
                    }
                    kept.push((block.position, block.lines.to_vec()));
                }
            }
        }
        let spec = HeaderSpec {
            session: damage.session,
            segment: job.number,
            start: damage.start,
            offset_ms: damage.offset_ms,
            epoch: damage.epoch,
            index: job.spare.1,
            signer: job.signer.public(),
            entry,
        };
        let (mut writer, mut out) =
            SegmentWriter::new(spec, &job.spare.0, &damage.keys, 3).map_err(io::Error::other)?;
        for (position, lines) in &kept {
            writer.seal(lines, *position, &mut out).map_err(io::Error::other)?;
        }
        let last_position = kept.last().map_or(damage.position.min(1), |(position, _)| *position);
        let mut encoder = Encoder::at(reader.time_ms().max(damage.offset_ms));
        let mut lines = Vec::new();
        if kept.is_empty() && job.number > 0 {
            encoder.text(&mut lines, Code::Resize, damage.offset_ms, &damage.size.to_string());
        }
        let mut gap = Gap::new(GapWhat::Output, GapWhy::Damaged);
        gap.from_ms = Some(encoder.offset_ms());
        gap.to_ms = Some(damage.end_ms);
        gap.note = Some(format!("the disk refused: {}; what could be read back is kept", damage.why));
        encoder.text(&mut lines, Code::Gap, damage.end_ms, &gap.to_data().map_err(io::Error::other)?);
        writer.seal(&lines, damage.position.max(last_position), &mut out).map_err(io::Error::other)?;
        let footer = Footer {
            lines: writer.lines(),
            duration_ms: damage.end_ms.saturating_sub(damage.offset_ms),
            streams: reader.counts(),
            stop: None,
        };
        let closed = writer.finish(&footer, &mut out).map_err(io::Error::other)?;
        replace_synced(&job.path, &out)?;
        Ok(closed)
    }

    fn end(&self, segment: u32, digest: Digest, outcome: String, summary: Option<Summary>) {
        let session = self.dir.session();
        // For recovery, should this process die before the entry is written.
        let _ = self.dir.write_line("outcome", &outcome);
        if let Some(summary) = summary {
            // The event is made from this, here and at recovery. A disk that is full has given the reserve back by now.
            self.retry("writing the summary", || outbox::keep_summary(&self.dir, &summary));
        }
        let entry = self.retry("writing the end into the host chain", || {
            self.chain
                .append(Kind::End { session, segment, digest, outcome: outcome.clone() })
                .map_err(|f| io::Error::other(f.what))
        });
        self.retry("writing the event of the end", || match self.dir.read_about()? {
            Some(about) => outbox::stopped(&self.dir, &about, &entry),
            None => Ok(()),
        });
        locked(&self.shared).ended = true;
        self.shared.1.notify_all();
    }
}

/// Writes a new file beside, syncs it and renames it over: readers find the old or the new one, whole.
fn replace_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("joined");
    let made = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        rustix::fs::fdatasync(&file)?;
        std::fs::rename(&temporary, path)
    })();
    if made.is_err() {
        // A half-written copy on a full disk only takes space.
        let _ = std::fs::remove_file(&temporary);
    }
    made
}

/// Waits for `done` in small steps, for things that have no condition variable.
pub fn wait_for(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !done() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
