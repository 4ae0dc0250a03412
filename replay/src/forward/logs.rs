//! Lines as events of a stream of CloudWatch Logs, gathered until a request is full or the round is over.
//!
//! Nothing counts as sent before the service has taken it. Not for when to try again: `output`.

use hansard_schemas::Timestamp;
use hansard_sinks::address::Scheme;
use hansard_sinks::cloudwatch::{Batch, LogStream, TEXT};
use hansard_sinks::{Address, SinkError};

use super::output::{Line, message};
use super::syslog::pieces;
use crate::report::{Failure, note};

/// Longest text of a line in one event: as a document it can become twice as long, and names come before it.
const PIECE: usize = TEXT / 4;

/// A stream, and what is to be put into it.
pub struct Logs {
    stream: LogStream,
    json: bool,
    batch: Batch,
    /// What needs another request than that which is gathered.
    next: Vec<(Timestamp, String)>,
}

impl Logs {
    /// What `--to` means; `None` when it is no log stream. Makes the stream where it is missing.
    pub fn open(to: &str, json: bool) -> Result<Option<Self>, Failure> {
        if !to.starts_with(&format!("{}:", Scheme::CloudWatch.as_str())) {
            return Ok(None);
        }
        let stream = LogStream::open(&Address::parse(to)?)?;
        match stream.create() {
            Ok(()) => {}
            // Whoever may put and not make finds out with the first line whether it is there.
            Err(SinkError::Remote { why, .. }) if why.contains("AccessDenied") => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Some(Self { stream, json, batch: Batch::default(), next: Vec::new() }))
    }

    /// For messages.
    pub fn name(&self) -> &str {
        self.stream.address()
    }

    /// Whether all that it was given was put.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes a line. True when a request is full: then it has to be [`put`](Self::put) before another line comes.
    pub fn add(&mut self, line: &Line<'_>) -> bool {
        for text in pieces(line.text, PIECE) {
            let text = message(&Line { text, ..*line }, self.json);
            if self.next.is_empty() {
                self.next.extend(self.batch.add(line.time, text).err());
            } else {
                self.next.push((line.time, text));
            }
        }
        !self.next.is_empty()
    }

    /// Puts one request with what was gathered.
    pub fn put(&mut self) -> Result<(), SinkError> {
        let refused = self.stream.put(&self.batch)?;
        let (old, ahead) = (refused.old, refused.ahead);
        if old + ahead > 0 {
            let name = self.name();
            note(&format!(
                "{name}: {} lines were not kept: {old} are from before what the group keeps, or over 14 days ago, {ahead} from \
                 over two hours ahead of its clock",
                old + ahead
            ));
        }
        self.batch = Batch::default();
        let mut due = std::mem::take(&mut self.next).into_iter();
        for (time, text) in due.by_ref() {
            if let Err(back) = self.batch.add(time, text) {
                self.next.push(back);
                break;
            }
        }
        self.next.extend(due);
        Ok(())
    }
}
