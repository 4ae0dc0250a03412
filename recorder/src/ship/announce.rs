//! Delivery of lifecycle events to one place: in the session's order, at least once.
//!
//! A cursor per place, beside those of the segments, says what it has. Not for when rounds happen, nor for what an
//! event says.

use std::io;
use std::path::PathBuf;

use hansard_sinks::{EventObject, EventSink, SinkError};

use super::deliver::sink_id;
use crate::journal::session_dir::SessionDir;
use crate::journal::{cursor, outbox};

fn cursor_path(dir: &SessionDir, place: &str) -> PathBuf {
    dir.path().join(format!("events-{}", sink_id(place)))
}

/// Number of the next event that this place lacks.
fn next_of(dir: &SessionDir, place: &str) -> u32 {
    cursor::read(&cursor_path(dir, place)).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// Delivers what waits and gives its count. An event that came twice is the same event (EVT-3).
pub fn deliver_events(sink: &dyn EventSink, dir: &SessionDir) -> Result<u64, SinkError> {
    let local = |action: &'static str| {
        move |source: io::Error| SinkError::Io { name: dir.path().display().to_string(), action, source }
    };
    outbox::pay(dir).map_err(local("write the event of the start in"))?;
    let next = next_of(dir, sink.place());
    let mut sent = 0;
    for waiting in outbox::list(dir.path()).map_err(local("list"))? {
        if waiting.number < next {
            continue;
        }
        let event = match waiting.read() {
            Ok(event) => event,
            // Every place has it: released by another's thread.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(local("read an event in")(e)),
        };
        sink.send(&EventObject { name: &event.name, id: &event.id, json: &event.json })?;
        sent += 1;
        cursor::write(&cursor_path(dir, sink.place()), u64::from(waiting.number) + 1, "")
            .map_err(local("write the cursor in"))?;
    }
    Ok(sent)
}

/// Whether every one of these places has all events.
pub fn all_delivered(dir: &SessionDir, places: &[String]) -> io::Result<bool> {
    let highest = outbox::list(dir.path())?.last().map(|waiting| waiting.number);
    Ok(highest.is_none_or(|highest| places.iter().all(|place| next_of(dir, place) > highest)))
}

/// Removes what all of these places have and nothing needs any more.
pub fn release_events(dir: &SessionDir, places: &[String]) -> io::Result<()> {
    let everywhere = places.iter().map(|place| next_of(dir, place)).min().unwrap_or(0);
    outbox::release(dir, everywhere)
}
