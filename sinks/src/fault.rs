//! Faults on demand: wrappers of the same traits, for tests of whatever must survive a sink or store that fails.
//!
//! A [`FaultySink`] follows a script, one step a put. Not for latency or limits.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    ChainPart, Class, EventPart, Finding, Foreign, Limits, Part, Probe, Put, Result, SessionRef, Sink, SinkError,
    Store, TimeRange,
};

/// What happens to one put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It goes through.
    Pass,
    /// It fails and nothing is stored.
    Fail(Class),
    /// It is stored, and the answer is lost: what a time-out looks like.
    Lose(Class),
}

/// The steps still to come, shared with the test that wrote them; when they are used up, puts pass.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<VecDeque<Step>>>);

impl Script {
    /// These steps.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Self::default();
        script.add(steps);
        script
    }

    /// More steps.
    pub fn add(&self, steps: impl IntoIterator<Item = Step>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(steps);
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next(&self) -> Step {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Step::Pass)
    }
}

/// A sink that fails by script.
#[derive(Debug)]
pub struct FaultySink<S> {
    inner: S,
    script: Script,
}

impl<S: Sink> FaultySink<S> {
    /// Wraps a sink.
    pub fn new(inner: S, script: Script) -> Self {
        Self { inner, script }
    }
}

impl<S: Sink> Sink for FaultySink<S> {
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let injected = |class| Err(SinkError::Injected { name: name.into(), class });
        match self.script.next() {
            Step::Pass => self.inner.put_once(name, bytes),
            Step::Fail(class) => injected(class),
            Step::Lose(class) => {
                self.inner.put_once(name, bytes)?;
                injected(class)
            }
        }
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn address(&self) -> &str {
        self.inner.address()
    }

    fn place(&self) -> &str {
        self.inner.place()
    }

    fn probe(&self, probe: &Probe) -> Vec<Finding> {
        self.inner.probe(probe)
    }
}

/// Says how the read of a key fails, if it does.
type Fails = Box<dyn Fn(&str) -> Option<Class> + Send + Sync>;

/// A store of which some reads fail: those whose key the test names.
pub struct FaultyStore<S> {
    inner: S,
    fails: Fails,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps a store; `fails` is asked for each read by its key.
    pub fn new(inner: S, fails: impl Fn(&str) -> Option<Class> + Send + Sync + 'static) -> Self {
        Self { inner, fails: Box::new(fails) }
    }

    fn ask(&self, key: &str) -> Result<()> {
        match (self.fails)(key) {
            Some(class) => Err(SinkError::Injected { name: key.into(), class }),
            None => Ok(()),
        }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn address(&self) -> &str {
        self.inner.address()
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        self.inner.sessions(range)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        self.inner.parts(session)
    }

    fn parts_of_all(&self, range: &TimeRange) -> Result<Vec<(SessionRef, Vec<Part>)>> {
        self.inner.parts_of_all(range)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.ask(&part.key)?;
        self.inner.read(part, range)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        self.inner.chains()
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.ask(&part.key)?;
        self.inner.read_chain(part)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        self.inner.events(range)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.ask(&part.key)?;
        self.inner.read_event(part)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        self.inner.foreign()
    }
}

#[cfg(test)]
mod tests {
    use super::{FaultySink, Script, Step};
    use crate::memory::Memory;
    use crate::{Class, Put, Sink};

    #[test]
    fn a_lost_answer_is_already_there_at_the_next_try() {
        let memory = Memory::new();
        let script = Script::new([Step::Fail(Class::Wait), Step::Lose(Class::Retry)]);
        let sink = FaultySink::new(memory.clone(), script.clone());
        assert_eq!(sink.put_once("a", b"x").unwrap_err().class(), Class::Wait);
        assert!(memory.names().is_empty());
        assert_eq!(sink.put_once("a", b"x").unwrap_err().class(), Class::Retry);
        assert_eq!(sink.put_once("a", b"x").unwrap(), Put::Already);
        assert_eq!(script.left(), 0);
    }
}
