//! Forms that are written as the recording is read, a block at a time: raw bytes, casts, text, JSON.
//!
//! In memory are the events of one block and, for text, one screen.

use std::io::{self, Write};

use hansard_schemas::Timestamp;
use hansard_schemas::cast::{CastHeader, Code, Event, EventData, Gap, GapWhat, Size};

use super::cast2::{self, Lost};
use super::events;
use crate::screen::transcript::Transcript;
use crate::screen::{LineFeed, Stream as Shown};

/// What exactly is exported.
#[derive(Debug, Clone, Copy)]
pub enum Chosen {
    /// The bytes of one stream.
    Raw(Code),
    /// The lines as they were recorded.
    Cast,
    /// asciicast v2.
    Cast2,
    /// One JSON document an event.
    Json,
    /// One stream, or both as they came.
    Txt(Option<Shown>),
}

/// Turns blocks into the bytes of the chosen form.
pub struct Exporter<W> {
    form: Chosen,
    transcript: Transcript,
    target: W,
    started: Option<Timestamp>,
    /// Event time reached.
    pub at_ms: u64,
    /// Bytes written.
    pub written: u64,
    /// Gaps in what is exported.
    pub gaps: u64,
    /// What the form could not say.
    pub lost: Lost,
}

impl<W: Write> Exporter<W> {
    /// Of a recording of this header (`None`: its beginning is gone) and shape.
    pub fn new(form: Chosen, header: Option<&CastHeader>, (size, feed): (Size, LineFeed), target: W) -> Self {
        let size = match form {
            // A stream alone was never on a screen of a size.
            Chosen::Txt(Some(_)) if size.cols == 0 => Size { cols: 80, rows: 24 },
            _ => size,
        };
        Self {
            form,
            transcript: Transcript::new(size, feed),
            target,
            started: header.map(|header| header.hansard.started),
            at_ms: 0,
            written: 0,
            gaps: 0,
            lost: Lost::default(),
        }
    }

    /// Writes what comes before all events.
    pub fn begin(&mut self, header: Option<&CastHeader>, end_ms: u64) -> io::Result<()> {
        match self.form {
            Chosen::Cast2 => self.write(cast2::header(header, end_ms).as_bytes()),
            _ => Ok(()),
        }
    }

    /// Writes a block: its lines as they were recorded, and what they say.
    pub fn block(&mut self, lines: &[u8], events: &[Event]) -> io::Result<()> {
        let mut text = String::new();
        if let Chosen::Cast = self.form {
            self.write(lines)?;
        }
        for event in events {
            self.at_ms = event.time_ms;
            if let (Code::Gap, EventData::Text(data)) = (event.code, &event.data) {
                self.gaps += u64::from(self.is_missing(data));
            }
            match (self.form, event.code, &event.data) {
                (Chosen::Cast2, ..) => cast2::line(event, &mut self.lost, &mut text),
                (Chosen::Json, ..) => events::line(event, self.started, &mut text),
                (Chosen::Raw(code), _, EventData::Bytes(raw)) if event.code == code => self.write(raw)?,
                (Chosen::Txt(_), Code::Resize, EventData::Text(size)) => {
                    if let Ok(size) = size.parse() {
                        self.transcript.resize(size, &mut text);
                    }
                }
                (Chosen::Txt(only), Code::Output | Code::Error, EventData::Bytes(raw)) => {
                    let stream = if event.code == Code::Output { Shown::Output } else { Shown::Error };
                    if only.is_none_or(|only| only == stream) {
                        self.transcript.write(stream, raw, &mut text);
                    }
                }
                _ => {}
            }
        }
        self.write(text.as_bytes())
    }

    /// Writes what comes after all events.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Chosen::Txt(_) = self.form {
            let rest = std::mem::replace(&mut self.transcript, Transcript::empty());
            let mut text = String::new();
            rest.finish(&mut text);
            self.write(text.as_bytes())?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Whether a gap is of what is exported. One that cannot be read might be.
    fn is_missing(&self, data: &str) -> bool {
        let Ok(gap) = Gap::parse(data) else { return true };
        let whole = matches!(self.form, Chosen::Cast | Chosen::Cast2 | Chosen::Json);
        match gap.what {
            GapWhat::Clock | GapWhat::Time => false,
            GapWhat::Input => whole || matches!(self.form, Chosen::Raw(Code::Input)),
            GapWhat::Output => {
                !matches!(self.form, Chosen::Raw(Code::Input | Code::Error) | Chosen::Txt(Some(Shown::Error)))
            }
            GapWhat::Error => {
                !matches!(self.form, Chosen::Raw(Code::Input | Code::Output) | Chosen::Txt(Some(Shown::Output)))
            }
            _ => true,
        }
    }
}
