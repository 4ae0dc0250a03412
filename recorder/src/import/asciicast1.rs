//! asciicast version 1: one JSON document, whose `stdout` is a list of delays and texts.
//!
//! Read as a stream: one event is in memory at a time, wherever in the document the list stands.

use std::cell::Cell;
use std::fmt;
use std::io::BufReader;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::source::Source;
use super::{Clock, Event, Fault, Take, Told, command_line, give};

/// Reads it.
pub fn read(source: Source, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let name = source.name().to_owned();
    let ended = Cell::new(false);
    let mut document = serde_json::Deserializer::from_reader(BufReader::new(source));
    let read = Document { told, take, ended: &ended }.deserialize(&mut document).and_then(|()| document.end());
    read.map_err(|e| match (ended.get(), e.classify()) {
        (true, _) => Fault::Ended,
        (_, serde_json::error::Category::Io) => Fault::Unreadable { file: name, error: e.into() },
        _ => {
            let place = format!("line {}, column {}", e.line(), e.column());
            // Its own text says the place again.
            let text = e.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
            Fault::Bad { file: name, place, what }
        }
    })
}

struct Document<'a, 't> {
    told: &'a mut Told,
    take: &'a mut Take<'t>,
    ended: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of an asciicast of version 1")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { told, take, ended } = self;
        let (mut width, mut height, mut has_version) = (None, None, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => {
                    let version: u64 = map.next_value()?;
                    if version != 1 {
                        return Err(A::Error::custom(format_args!("it has version {version}, and is no lines")));
                    }
                    has_version = true;
                }
                "width" => width = map.next_value()?,
                "height" => height = map.next_value()?,
                "command" => told.command = command_line(&map.next_value::<Option<String>>()?.unwrap_or_default()),
                "title" => told.title = map.next_value()?,
                "env" => {
                    let env: Value = map.next_value()?;
                    told.term = env.get("TERM").and_then(Value::as_str).map(str::to_owned);
                }
                "stdout" => map.next_value_seed(Events { take: &mut *take, ended })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        told.size = width.zip(height);
        if has_version { Ok(()) } else { Err(A::Error::missing_field("version")) }
    }
}

struct Events<'a, 't> {
    take: &'a mut Take<'t>,
    ended: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Events<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [delay, text]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut clock = Clock::default();
        while let Some((delay, text)) = seq.next_element::<(f64, String)>()? {
            let t_us = clock.after(delay).map_err(A::Error::custom)?;
            if give(self.take, t_us, Event::Output(text.as_bytes())).is_err() {
                self.ended.set(true);
                return Err(A::Error::custom("ended"));
            }
        }
        Ok(())
    }
}
