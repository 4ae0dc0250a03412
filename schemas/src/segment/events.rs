//! Events of one segment: blocks opened, lines parsed, and what the footer says compared with what was there.

use super::header::Header;
use super::reader::Reader;
use crate::cast::{CastHeader, Event, LineReader};
use crate::chain;
use crate::error::{Error, Result};
use crate::ids::Digest;
use crate::keys::SegmentSecret;
use crate::session::Footer;

/// Events of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of the session's last message that is in the blocks up to this one.
    pub position: u64,
    /// The events.
    pub events: Vec<Event>,
}

/// Reads the events of one segment.
pub struct EventReader<'a> {
    reader: Reader<'a>,
    lines: LineReader,
    /// What the start entry says that the identity object hashes to.
    identity: Option<Digest>,
    ended: bool,
}

impl<'a> EventReader<'a> {
    /// As [`Reader::new`].
    pub fn new(bytes: &'a [u8], secret: &SegmentSecret) -> Result<Self> {
        let reader = Reader::new(bytes, secret)?;
        let header = reader.header();
        let lines = LineReader::new(header.segment == 0, header.offset_ms);
        let identity = match &header.entry {
            Some(entry) => match chain::Entry::parse(entry.as_bytes()).map(|entry| entry.kind) {
                Ok(chain::Kind::Start { identity, .. }) => Some(identity),
                _ => return Err(Error::BadHeader("its start entry is none".into())),
            },
            None => None,
        };
        Ok(Self { reader, lines, identity, ended: false })
    }

    /// The segment's header.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// The header line of the recording, once its block was read; in segment 0 only.
    pub fn cast_header(&self) -> Option<&CastHeader> {
        self.lines.header().map(|(header, _)| header)
    }

    /// The footer, after the last block.
    pub fn footer(&self) -> Option<&Footer> {
        self.reader.footer()
    }

    /// Event time of the last event read.
    pub fn time_ms(&self) -> u64 {
        self.lines.time_ms()
    }

    /// The next block's events; `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        if self.ended {
            return Ok(None);
        }
        let Some(block) = self.reader.next_block()? else {
            self.ended = true;
            return self.at_end().map(|()| None);
        };
        let events = self.lines.push(&block.lines)?;
        if let (Some(named), Some((_, digest))) = (self.identity, self.lines.header())
            && named != *digest
        {
            return Err(Error::Altered("the identity object is not the one that the start entry names".into()));
        }
        Ok(Some(Batch { position: block.position, events }))
    }

    fn at_end(&self) -> Result<()> {
        let Some(footer) = self.reader.footer() else { return Ok(()) };
        let duration = self.lines.time_ms() - self.reader.header().offset_ms;
        if footer.duration_ms != duration {
            return Err(Error::BadFooter(format!("it says {} ms, there are {duration}", footer.duration_ms)));
        }
        if footer.streams != self.lines.counts() {
            return Err(Error::BadFooter("its counts of the streams are not those of the lines".into()));
        }
        Ok(())
    }
}
