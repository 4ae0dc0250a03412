//! The open segment of a session: lines go in, sealed blocks go to the journal, closed segments to the closer.
//!
//! All of it runs on the thread that has the session and blocks on nothing but `write(2)`. Lines are staged, sealed as
//! one block, written, and only then forgotten: sealed bytes that could not be written are continued, never sealed again
//! (BLK-4), and where their file is given up, the lines are sealed in the next. Not for what the lines say: that is
//! `session`.

use std::path::Path;
use std::sync::Arc;

use hansard_schemas::cast::{Code, Encoder, Size};
use hansard_schemas::event::Summary;
use hansard_schemas::keys::{Recipients, SegmentSecret};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Compression, HeaderSpec, SegmentWriter};
use hansard_schemas::session::{Footer, Stop, Streams};
use hansard_schemas::{SessionId, Timestamp, limits};

use super::epoch::Epoch;
use crate::journal::closing::{CloseJob, Closer, Damage};
use crate::journal::file::JournalFile;
use crate::journal::session_dir::SessionDir;
use crate::journal::stall::Flag;
use crate::journal::sync::GroupSync;

/// Mean bytes of lines in a block below which a segment is sealed anew in few blocks: under it, the 33 bytes around
/// each block and the lost context of compression are worth the second pass; and only typing and what it echoes comes
/// in such pieces.
const JOIN_BELOW: u64 = 4 << 10;
/// Fewer blocks are left as they are: a second pass costs more than it saves, and most commands print nothing.
const JOIN_BLOCKS: u64 = 5;
/// Stored bytes above which it is not: a second pass over bulk output would take a core from it.
const JOIN_STORED: u64 = 1 << 20;

/// The part of a session in which segments close at the shorter interval, in milliseconds.
const FIRST_MS: u64 = 60_000;

/// Why bytes are not in the journal yet.
#[derive(Debug)]
pub enum Blocked {
    /// The disk is full: waiting can help.
    Full(String),
    /// The disk refuses: the segment was given up where that helps, and waiting may.
    Refused(String),
    /// What is sealed must reach a place first.
    Late(String),
    /// Nothing can be sealed any more.
    Fatal(String),
}

/// What is decided once for a session.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Stored bytes at which a segment closes.
    pub max_segment: u64,
    /// Age at which a segment closes in the session's first minute, in milliseconds.
    pub interval_ms: u64,
    /// The same afterwards.
    pub later_interval_ms: u64,
    /// zstd level and window.
    pub compression: Compression,
}

struct Open {
    number: u32,
    writer: SegmentWriter,
    secret: SegmentSecret,
    spare: (SegmentSecret, u32),
    signer: SigningKey,
    start: Timestamp,
    offset_ms: u64,
    epoch: u32,
    streams: Streams,
    /// Event time of the first line that is not the segment's own size line.
    begun_ms: Option<u64>,
    /// Blocks that were written whole.
    durable_blocks: u64,
}

/// Lines that are to be the next block, until they are in the journal.
#[derive(Default)]
struct Staged {
    lines: Vec<u8>,
    streams: Streams,
    /// Where the intervals stood before them.
    before: Encoder,
    /// Sealed into `out` for the open segment.
    sealed: bool,
}

impl Staged {
    /// They are in the journal. What was shown on a terminal may be a secret: the buffer is reused, and wiped for it.
    fn forget(&mut self) {
        wipe(&mut self.lines);
        self.streams = Streams::default();
        self.sealed = false;
    }
}

/// Room that an idle buffer may keep.
const KEPT: usize = 512;

/// Gives back the memory of a buffer that is empty.
pub(super) fn shrink(bytes: &mut Vec<u8>) {
    if bytes.is_empty() && bytes.capacity() > KEPT {
        // Its allocator wipes what is freed; it was wiped when it was emptied, too.
        *bytes = Vec::new();
    }
}

/// Empties a buffer that will be used again, and leaves nothing of what was in it.
pub(super) fn wipe(bytes: &mut Vec<u8>) {
    // Eight or more at a time, where writing each as volatile takes as long as sealing does.
    bytes.fill(0);
    std::hint::black_box(bytes.as_mut_slice());
    bytes.clear();
}

/// What the segments of a session need of the process.
pub struct Tools {
    /// The session's folder.
    pub dir: Arc<SessionDir>,
    /// Makes what is written durable.
    pub sync: Arc<GroupSync>,
    /// Closes segments.
    pub closer: Arc<Closer>,
    /// Who may read.
    pub recipients: Arc<Recipients>,
    /// What is decided once.
    pub shape: Shape,
    /// Set around each write.
    pub stall: Arc<Flag>,
}

/// Where a session goes on whose recorder was gone.
pub struct Continued {
    /// Number of the next segment.
    pub number: u32,
    /// What signs it; its public key is to be said in the chain after this.
    pub signer: SigningKey,
    /// Number of the next epoch.
    pub epoch: u32,
    /// The last message that is in the journal.
    pub position: u64,
    /// Event time now.
    pub now_ms: u64,
    /// Says what was missed; the first line after the size.
    pub gap: String,
}

/// The segments of one session, one of them open.
pub struct Segments {
    tools: Tools,
    epoch: Epoch,
    open: Option<Open>,
    file: Option<JournalFile>,
    finishing: Option<CloseJob>,
    next_signer: Option<SigningKey>,
    next_number: u32,
    size: Size,
    /// Position after what is staged.
    position: u64,
    /// Position of what the journal holds.
    written_position: u64,
    staged: Staged,
    /// Sealed bytes, and how many of them are written.
    out: Vec<u8>,
    written: usize,
    /// Counts of all segments that were closed.
    total: Streams,
    /// There were segments before, of which nobody has the counts.
    continued: bool,
    /// Intervals of all lines of the session.
    encoder: Encoder,
}

fn now() -> Timestamp {
    Timestamp::new(chrono::Utc::now())
}

impl Segments {
    /// Opens segment 0 with the header line of the recording. `signer` is the key that the `start` entry announced.
    pub fn begin(
        tools: Tools,
        signer: SigningKey,
        entry: String,
        header_line: &[u8],
        size: Size,
    ) -> Result<Self, Blocked> {
        let epoch = Epoch::begin(0, &tools.recipients, 0).map_err(fatal)?;
        let mut segments = Self::new(tools, epoch, signer, size);
        segments.open_next(Some(entry), header_line)?;
        segments.flush()?;
        Ok(segments)
    }

    /// Opens the segment in which a session goes on, with the size and a line that says what was missed.
    pub fn go_on(tools: Tools, continued: Continued, size: Size) -> Result<Self, Blocked> {
        let Continued { number, signer, epoch, position, now_ms, gap } = continued;
        let epoch = Epoch::begin(epoch, &tools.recipients, now_ms).map_err(fatal)?;
        let mut segments = Self {
            next_number: number,
            position,
            written_position: position,
            continued: true,
            encoder: Encoder::at(now_ms),
            ..Self::new(tools, epoch, signer, size)
        };
        let mut lines = segments.size_line();
        segments.encoder.text(&mut lines, Code::Gap, now_ms, &gap);
        segments.open_next(None, &lines)?;
        segments.flush()?;
        Ok(segments)
    }

    fn new(tools: Tools, epoch: Epoch, signer: SigningKey, size: Size) -> Self {
        Self {
            tools,
            epoch,
            open: None,
            file: None,
            finishing: None,
            next_signer: Some(signer),
            next_number: 0,
            size,
            position: 0,
            written_position: 0,
            staged: Staged::default(),
            out: Vec::new(),
            written: 0,
            total: Streams::default(),
            continued: false,
            encoder: Encoder::new(),
        }
    }

    /// The first line of every segment after the first.
    fn size_line(&self) -> Vec<u8> {
        let (mut line, now_ms) = (Vec::new(), self.offset_ms());
        Encoder::at(now_ms).text(&mut line, Code::Resize, now_ms, &self.size.to_string());
        line
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.tools.dir.session()
    }

    /// The session's folder.
    pub fn dir(&self) -> &std::path::Path {
        self.tools.dir.path()
    }

    /// Size of the terminal from now on; begins every later segment.
    pub fn set_size(&mut self, size: Size) {
        self.size = size;
    }

    /// Adds what `write_lines` appends to the next block. Only after a [`Self::flush`] that succeeded, or to what was
    /// staged after one.
    pub fn stage(&mut self, write_lines: impl FnOnce(&mut Encoder, &mut Vec<u8>, &mut Streams)) {
        let Staged { lines, streams, before, .. } = &mut self.staged;
        if lines.is_empty() {
            before.clone_from(&self.encoder);
        }
        write_lines(&mut self.encoder, lines, streams);
    }

    /// Bytes of the lines that are staged.
    pub fn staged(&self) -> usize {
        self.staged.lines.len()
    }

    /// Number of the last message that is staged, or was before.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What is staged holds the session's messages up to this number.
    pub fn set_position(&mut self, number: u64) {
        self.position = number;
    }

    /// Seals and writes what is staged, after all that an earlier call could not write. `Ok` means that everything is in
    /// the journal.
    pub fn flush(&mut self) -> Result<(), Blocked> {
        if self.written < self.out.len() {
            self.append()?;
        }
        if let Some(job) = self.finishing.take() {
            self.file = None;
            self.tools.closer.close(job);
        }
        if self.open.is_none() && self.next_signer.is_some() {
            let line = self.size_line();
            self.open_next(None, &line)?;
        }
        if !self.staged.lines.is_empty() {
            self.seal_staged()?;
        }
        if self.out.is_empty() { Ok(()) } else { self.append() }
    }

    /// Event time of what the journal holds, or is about to.
    fn offset_ms(&self) -> u64 {
        if self.staged.lines.is_empty() { self.encoder.offset_ms() } else { self.staged.before.offset_ms() }
    }

    fn append(&mut self) -> Result<(), Blocked> {
        let Some(file) = self.file.as_mut() else {
            return Err(Blocked::Fatal("there is no open segment".into()));
        };
        self.tools.stall.begin();
        let appended = file.append(&self.out[self.written..]);
        self.tools.stall.end();
        match appended {
            Ok(()) => {
                self.out.clear();
                self.written = 0;
                if let Some(open) = self.open.as_mut() {
                    open.durable_blocks = open.writer.blocks();
                }
                if self.staged.sealed {
                    self.written_position = self.position;
                    self.staged.forget();
                }
                Ok(())
            }
            Err(e) => {
                self.written += e.written;
                let text = format!("{}: {}", file.path().display(), e.error);
                if e.full() { Err(Blocked::Full(text)) } else { Err(Blocked::Refused(text)) }
            }
        }
    }

    fn seal_staged(&mut self) -> Result<(), Blocked> {
        let Some(open) = self.open.as_mut() else {
            return Err(Blocked::Fatal("the recording has ended".into()));
        };
        open.begun_ms.get_or_insert(self.encoder.offset_ms());
        open.writer.seal(&self.staged.lines, self.position, &mut self.out).map_err(fatal)?;
        open.streams.merge(&self.staged.streams);
        self.staged.sealed = true;
        Ok(())
    }

    /// Whether the open segment should close now.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.begun_ms.is_some_and(|begun| now_ms.saturating_sub(begun) >= self.interval_ms(begun))
                || self.is_large(open)
        })
    }

    /// What happened first is what a person looks for first, and most sessions are short.
    fn interval_ms(&self, begun_ms: u64) -> u64 {
        if begun_ms < FIRST_MS { self.tools.shape.interval_ms } else { self.tools.shape.later_interval_ms }
    }

    /// When [`Self::is_due`] will be true if nothing more comes.
    pub fn due_ms(&self) -> Option<u64> {
        self.open.as_ref().and_then(|open| open.begun_ms).map(|begun| begun + self.interval_ms(begun))
    }

    /// Whether the open segment should close whatever its age.
    pub fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| self.is_large(open))
    }

    fn is_large(&self, open: &Open) -> bool {
        // One more block, at its worst, must fit under both limits; where a block alone is larger than the first, half of it
        // is the limit, because a segment for each block would be worse.
        let max = self.tools.shape.max_segment;
        open.writer.stored() >= max.saturating_sub(limits::BLOCK_RAW as u64).max(max / 2)
            || open.writer.line_bytes() + limits::BLOCK_LINES as u64 > limits::SEGMENT_LINES
    }

    /// Closes the open segment and opens the next one.
    pub fn cut(&mut self) -> Result<(), Blocked> {
        self.flush()?;
        let key = SigningKey::generate();
        self.finish(Some(key), None, String::new())?;
        self.flush()?;
        // What comes next may come in an hour.
        shrink(&mut self.out);
        shrink(&mut self.staged.lines);
        Ok(())
    }

    /// Closes the last segment. The closer writes the chain's `end` when it is durable.
    pub fn end(&mut self, stop: Stop) -> Result<(), Blocked> {
        if self.finishing.is_none() && self.open.is_some() {
            self.flush()?;
            let outcome = stop.outcome.as_str().to_owned();
            self.finish(None, Some(stop), outcome)?;
        }
        self.flush()
    }

    fn finish(&mut self, next: Option<SigningKey>, stop: Option<Stop>, outcome: String) -> Result<(), Blocked> {
        let (Some(open), Some(file)) = (self.open.take(), self.file.as_ref()) else {
            return Ok(());
        };
        self.total.merge(&open.streams);
        let summary = stop.clone().map(|stop| Summary {
            stop,
            duration_ms: self.encoder.offset_ms(),
            bytes: (!self.continued)
                .then(|| [self.total.o, self.total.e, self.total.i].iter().flatten().map(|count| count.bytes).sum()),
        });
        let footer = Footer {
            lines: open.writer.lines(),
            duration_ms: self.encoder.offset_ms().saturating_sub(open.offset_ms),
            streams: open.streams,
            stop,
        };
        let blocks = open.writer.blocks();
        let small = blocks >= JOIN_BLOCKS
            && open.writer.line_bytes() < blocks * JOIN_BELOW
            && open.writer.stored() < JOIN_STORED;
        let line_bytes = open.writer.line_bytes();
        let closed = open.writer.finish(&footer, &mut self.out).map_err(fatal)?;
        self.finishing = Some(CloseJob {
            number: open.number,
            path: file.path().to_owned(),
            file: Arc::clone(file.shared()),
            closed: Some(closed),
            join: small.then_some(line_bytes),
            secret: open.secret,
            spare: open.spare,
            signer: open.signer,
            next: next.as_ref().map(SigningKey::public),
            outcome,
            summary,
            damage: None,
        });
        self.next_signer = next;
        Ok(())
    }

    /// Whether a sync of the open segment has failed.
    pub fn is_damaged(&self) -> bool {
        self.file.as_ref().is_some_and(|f| f.shared().damaged())
    }

    /// Gives the open segment up: what of it can be read is sealed anew by the closer, with a gap line, and the next
    /// segment is opened. False when nothing in it was accepted yet: another file would fare no better.
    pub fn abandon(&mut self, why: &str) -> Result<bool, Blocked> {
        let Some(open) = self.open.take_if(|open| open.durable_blocks > 0) else {
            return Ok(false);
        };
        let Some(file) = self.file.take() else {
            return Ok(false);
        };
        file.mark_damaged();
        self.total.merge(&open.streams);
        // What was sealed and not written is staged still: it is sealed anew, in the next segment.
        self.out.clear();
        self.written = 0;
        self.staged.sealed = false;
        let next = SigningKey::generate();
        self.tools.closer.close(CloseJob {
            number: open.number,
            path: file.path().to_owned(),
            file: Arc::clone(file.shared()),
            closed: None,
            join: None,
            secret: open.secret,
            spare: open.spare,
            signer: open.signer,
            next: Some(next.public()),
            outcome: String::new(),
            summary: None,
            damage: Some(Damage {
                why: why.to_owned(),
                session: self.tools.dir.session(),
                start: open.start,
                offset_ms: open.offset_ms,
                end_ms: self.offset_ms(),
                epoch: open.epoch,
                keys: self.epoch.keys().clone(),
                size: self.size,
                position: self.written_position,
            }),
        });
        self.next_signer = Some(next);
        self.flush()?;
        Ok(true)
    }

    /// Opens the next segment, whose first block is `line`; both are to be written by the next flush.
    fn open_next(&mut self, entry: Option<String>, line: &[u8]) -> Result<(), Blocked> {
        let now_ms = self.offset_ms();
        if self.epoch.is_over(now_ms) {
            self.epoch = Epoch::begin(self.epoch.number() + 1, &self.tools.recipients, now_ms).map_err(fatal)?;
        }
        let path = self.tools.dir.journal_path(self.next_number);
        self.tools.stall.begin();
        let created = create(&path);
        self.tools.stall.end();
        let file = created?;
        // The second secret is for the joined form (WRITE-1); made now, because the epoch moves on.
        let (Some((secret, index)), Some(spare)) = (self.epoch.next_secret(), self.epoch.next_secret()) else {
            return Err(Blocked::Fatal("the key schedule has ended".into()));
        };
        let Some(signer) = self.next_signer.take() else {
            return Err(Blocked::Fatal("there is no signing key".into()));
        };
        let start = now();
        let spec = HeaderSpec {
            session: self.tools.dir.session(),
            segment: self.next_number,
            start,
            offset_ms: now_ms,
            epoch: self.epoch.number(),
            index,
            signer: signer.public(),
            entry,
        };
        let (mut writer, head) =
            SegmentWriter::new(spec, &secret, self.epoch.keys(), self.tools.shape.compression).map_err(fatal)?;
        self.tools.sync.watch(file.shared(), self.tools.dir.path().to_owned());
        self.file = Some(file);
        self.out.extend_from_slice(&head);
        writer.seal(line, self.written_position, &mut self.out).map_err(fatal)?;
        self.open = Some(Open {
            number: self.next_number,
            writer,
            secret,
            spare,
            signer,
            start,
            offset_ms: now_ms,
            epoch: self.epoch.number(),
            streams: Streams::default(),
            begun_ms: None,
            durable_blocks: 0,
        });
        self.next_number += 1;
        Ok(())
    }

    /// Waits until everything of the open segment is durable; at the start of a session only.
    pub fn sync_now(&self) -> std::io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |f| f.shared().sync())
    }

    /// The closer, to wait for it at the end.
    pub fn closer(&self) -> &Arc<Closer> {
        &self.tools.closer
    }
}

fn fatal(e: hansard_schemas::Error) -> Blocked {
    Blocked::Fatal(e.to_string())
}

fn create(path: &Path) -> Result<JournalFile, Blocked> {
    JournalFile::create(path).map_err(|e| {
        let text = format!("{}: {e}", path.display());
        if matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
            Blocked::Full(text)
        } else {
            Blocked::Refused(text)
        }
    })
}
