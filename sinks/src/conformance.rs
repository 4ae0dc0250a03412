//! What every sink and store must do, as one suite that each implementation's tests run.
//!
//! It gives what failed instead of panicking, so that it can also be pointed at a real place by hand. It puts some
//! small objects there and cannot take them away again.

use hansard_schemas::names::{ChainName, EventName, SegmentName};
use hansard_schemas::{ChainId, Digest, SessionId, Timestamp};

use crate::{Class, Level, Part, Probe, Put, SessionRef, Sink, Store, TimeRange};

/// A time of the first session, 2026-11-22T09:30:00Z, so that the dates in names are known.
const FIRST_MS: u64 = 1_795_339_800_000;
const DAY_MS: u64 = 86_400_000;

/// What failed, one sentence each.
#[derive(Debug, Default)]
pub struct Failures(pub Vec<String>);

impl Failures {
    fn check(&mut self, what: &str, holds: bool) {
        if !holds {
            self.0.push(what.into());
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, is: &T, should: &T) {
        if is != should {
            self.0.push(format!("{what}: is {is:?}, should be {should:?}"));
        }
    }
}

/// Runs the suite against an empty place: `sink` writes to it, `again` is a second writer, `store` reads from it.
pub fn run(sink: &dyn Sink, again: &dyn Sink, store: &dyn Store) -> Failures {
    let mut failures = Failures::default();
    puts(sink, again, &mut failures);
    reads(sink, store, &mut failures);
    failures
}

fn session(day: u64, n: u8) -> SessionId {
    SessionId::new(FIRST_MS + day * DAY_MS, &[0, 0, 0, 0, 0, 0, 0, 0, 0, n])
}

fn segment(session: SessionId, number: u32, bytes: &[u8]) -> SegmentName {
    SegmentName::new(&chain(), session, number, &Digest::of(bytes))
}

fn chain() -> ChainId {
    ChainId(Digest([7; 32]))
}

/// At the time of session 3, whatever its session.
fn event(of: Option<SessionId>, word: &str) -> EventName {
    let kind = if of.is_some() { "exec" } else { "host" };
    EventName::new(&chain(), of, Timestamp::new(session(1, 3).time()), kind, "db-7", "o'neil", word)
}

fn puts(sink: &dyn Sink, again: &dyn Sink, failures: &mut Failures) {
    let name = segment(session(0, 1), 0, b"zero").path();
    let appends = sink.limits().appends;
    let mut put = |what: &str, sink: &dyn Sink, bytes: &[u8], should: Put| match sink.put_once(&name, bytes) {
        Ok(is) => failures.same(what, &is, if appends { &Put::Stored } else { &should }),
        Err(error) => failures.check(&format!("{what}: {error}"), false),
    };
    put("the first put is stored", sink, b"zero", Put::Stored);
    put("the same again is there already", sink, b"zero", Put::Already);
    put("so it is for another writer", again, b"zero", Put::Already);
    // A log takes them all, and `reads` sees them all.
    if !appends {
        put("other bytes conflict", again, b"other", Put::Conflict);
        put("other bytes of the same length conflict", again, b"nine", Put::Conflict);
        put("a prefix conflicts", again, b"zer", Put::Conflict);
        put("nothing conflicts", again, b"", Put::Conflict);
        put("a longer one conflicts", again, b"zero and more", Put::Conflict);
        put("and the first bytes are still there", sink, b"zero", Put::Already);
    }
    for bad in ["", "/", "a//b", "../outside", "a/../b", "./a", "a/.", "/absolute", "a\0b"] {
        match sink.put_once(bad, b"x") {
            Ok(put) => failures.check(&format!("the name {bad:?} is refused, not {put:?}"), false),
            Err(error) => {
                failures.same(&format!("the name {bad:?} is refused for good"), &error.class(), &Class::Never)
            }
        }
    }
    if let Some(limit) = sink.limits().max_object
        && let Some(length) = usize::try_from(limit).ok().filter(|length| *length < 16 << 20)
    {
        let name = segment(session(0, 9), 0, b"large").path();
        let large = vec![0; length + 1];
        let class = sink.put_once(&name, &large).map_err(|error| error.class());
        failures.same("an object over the limit is refused for good", &class, &Err(Class::Never));
    }
    failures.check("an address is given", !sink.address().is_empty() && !sink.place().is_empty());
    let probe = Probe { chain16: chain().short(), max_segment: 1 << 20 };
    for finding in sink.probe(&probe).into_iter().filter(|finding| finding.level == Level::Failed) {
        failures.check(&format!("the probe says {}: {}", finding.part, finding.what), false);
    }
}

fn reads(sink: &dyn Sink, store: &dyn Store, failures: &mut Failures) {
    let long: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let objects: [(SessionId, u32, &[u8]); 4] = [
        (session(0, 1), 2, b"two"),
        (session(0, 1), 1, &long),
        (session(0, 2), 0, b""),
        (session(1, 3), 0, b"next day"),
    ];
    let mut stored = Vec::new();
    for (session, number, bytes) in objects {
        stored.push((segment(session, number, bytes).path(), bytes));
    }
    let chains = [(5, 9, &b"later\n"[..]), (0, 4, b"first\n")];
    for (first, last, bytes) in chains {
        stored.push((ChainName { chain: chain(), first, last }.path(), bytes));
    }
    stored.push((event(Some(session(1, 3)), "stopped").path(), b"{3}"));
    stored.push((event(Some(session(0, 1)), "started").path(), b"{1}"));
    stored.push((event(None, "checkpoint").path(), b"{}"));
    stored.push(("notes/readme.txt".into(), b"not ours"));
    for (name, bytes) in &stored {
        match sink.put_once(name, bytes) {
            Ok(put) => failures.same(name, &put, &Put::Stored),
            Err(error) => failures.check(&format!("{name}: {error}"), false),
        }
    }
    if let Err(error) = read(store, &long, failures) {
        failures.check(&format!("reading fails: {error}"), false);
    }
}

fn read(store: &dyn Store, long: &[u8], failures: &mut Failures) -> crate::Result<()> {
    let reference = |session| SessionRef { session, chain16: chain().short() };
    let all = [reference(session(0, 1)), reference(session(0, 2)), reference(session(1, 3))];
    failures.same("all sessions, ordered", &store.sessions(&TimeRange::default())?, &all.to_vec());
    let noon = session(0, 0).time() + chrono::Duration::hours(12);
    let range = TimeRange { from: Some(noon), until: None };
    failures.same("sessions from a time on", &store.sessions(&range)?, &all[2..].to_vec());
    let range = TimeRange { from: None, until: Some(noon) };
    failures.same("sessions before a time", &store.sessions(&range)?, &all[..2].to_vec());

    let parts = store.parts(&all[0])?;
    let mut numbers: Vec<(u32, u64)> = parts.iter().map(|part| (part.name.number, part.bytes)).collect();
    // A log holds the copies that were sent again.
    numbers.dedup();
    failures.same("the parts of a session", &numbers, &vec![(0, 4), (1, long.len() as u64), (2, 3)]);
    if let Some(part) = parts.iter().find(|part| part.name.number == 1) {
        failures.check("a part is read whole", store.read(part, None)? == long);
        failures.check("a part is read by range", store.read(part, Some(1000..1010))? == long[1000..1010]);
        let end = long.len() as u64;
        failures.same("a range is cut at the end", &store.read(part, Some(end - 1..end + 9))?.len(), &1);
        failures.same("a range behind the end is empty", &store.read(part, Some(end + 1..end + 9))?.len(), &0);
    }
    for range in [TimeRange::default(), range, TimeRange { from: Some(noon), until: None }] {
        let parts_of = |session: SessionRef| Ok((session.clone(), store.parts(&session)?));
        let each: Vec<(SessionRef, Vec<Part>)> =
            store.sessions(&range)?.into_iter().map(parts_of).collect::<crate::Result<_>>()?;
        failures.same("the parts of all sessions are those of each", &store.parts_of_all(&range)?, &each);
    }
    let stranger = SessionRef { session: session(5, 5), chain16: chain().short() };
    failures.same("an unknown session has no parts", &store.parts(&stranger)?.len(), &0);
    let stranger = SessionRef { session: session(0, 1), chain16: "../../../../../x".into() };
    failures.same("a chain that is none has no parts", &store.parts(&stranger)?.len(), &0);

    let chains = store.chains()?;
    let ranges: Vec<(u64, u64)> = chains.iter().map(|part| (part.name.first, part.name.last)).collect();
    failures.same("the chain objects, ordered", &ranges, &vec![(0, 4), (5, 9)]);
    failures.same("those of one chain", &store.chains_of(&chain().short())?, &chains);
    for none in ["0123456789abcdef", &chain().short()[..15], "", "../../segments"] {
        failures.same("a chain that is not there has no objects", &store.chains_of(none)?.len(), &0);
    }
    if let Some(part) = chains.first() {
        failures.same("a chain object is read", &store.read_chain(part)?, &b"first\n".to_vec());
    }
    let listed = |range: &TimeRange| -> crate::Result<Vec<String>> {
        Ok(store.events(range)?.into_iter().map(|part| part.name.path()).collect())
    };
    let mut paths = vec![
        event(Some(session(0, 1)), "started").path(),
        event(None, "checkpoint").path(),
        event(Some(session(1, 3)), "stopped").path(),
    ];
    paths.sort();
    failures.same("all events, ordered", &listed(&TimeRange::default())?, &paths);
    let range = TimeRange { from: Some(noon), until: None };
    failures.same("events from a time on", &listed(&range)?, &paths[1..].to_vec());
    let range = TimeRange { from: None, until: Some(noon) };
    failures.same("events before a time, by their session's start", &listed(&range)?, &paths[..1].to_vec());
    if let Some(part) = store.events(&TimeRange::default())?.first() {
        failures.same("an event is read", &store.read_event(part)?, &b"{1}".to_vec());
    }

    let foreign: Vec<String> = store.foreign()?.into_iter().map(|foreign| foreign.key).collect();
    failures.check("what is not ours is named", foreign.iter().any(|key| key.starts_with("notes")));
    failures.same("and nothing else is", &foreign.len(), &1);
    if let Some(mut part) = parts.first().cloned().filter(|part| part.key.contains("000000-")) {
        part.key = part.key.replace("000000-", "000077-");
        failures.check("a part that is gone is an error", store.read(&part, None).is_err());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::file::{FileSink, FileStore};
    use crate::memory::Memory;

    #[test]
    fn a_directory_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/store");
        let store = FileStore::new(&root);
        let failures = super::run(&FileSink::new(&root), &FileSink::new(&root), &store);
        assert!(failures.0.is_empty(), "{failures:#?}");
    }

    #[test]
    fn the_memory_conforms() {
        let memory = Memory::new();
        let failures = super::run(&memory, &memory, &memory);
        assert!(failures.0.is_empty(), "{failures:#?}");
        let memory = Memory::with_limit(1 << 20);
        let failures = super::run(&memory, &memory, &memory);
        assert!(failures.0.is_empty(), "{failures:#?}");
    }

    #[test]
    fn the_suite_finds_a_sink_that_replaces() {
        struct Replaces(Memory);
        impl crate::Sink for Replaces {
            fn put_once(&self, name: &str, bytes: &[u8]) -> crate::Result<crate::Put> {
                self.0.insert(name, bytes.to_vec());
                Ok(crate::Put::Stored)
            }
            fn limits(&self) -> crate::Limits {
                crate::Limits::default()
            }
            fn address(&self) -> &str {
                "replaces:"
            }
            fn place(&self) -> &str {
                "replaces:"
            }
            fn probe(&self, _: &crate::Probe) -> Vec<crate::Finding> {
                Vec::new()
            }
        }
        let memory = Memory::new();
        let failures = super::run(&Replaces(memory.clone()), &Replaces(memory.clone()), &memory);
        assert!(failures.0.iter().any(|f| f.contains("other bytes conflict")), "{failures:#?}");
    }
}
