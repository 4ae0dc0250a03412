//! A store to be audited, clean at first, and the defects that are planted in it, each with the word by which it is found.
//!
//! Shared by the suites that audit a folder (`auditing`) and a bucket (`tests/stores/audited.rs`). Not for tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hansard_schemas::SessionId;
use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::event::{self, Notice, Started, Stopped, What, Who};
use hansard_schemas::names::SegmentName;
use hansard_schemas::session::Kind as Capture;
use serde_json::Value;

use crate::store::{Host, Said, Session, World, an_hour_ago, boot, put, time};

/// A store with a host whose chain is pinned, and three sessions with their events.
pub struct Scene {
    pub world: World,
    pub host: Host,
    pub sessions: Vec<Session>,
}

impl Scene {
    pub fn new() -> Self {
        let world = World::new();
        let mut host = Host::new("web1");
        let sessions: Vec<Session> = (0..3).map(|_| host.session(&world, 3)).collect();
        let scene = Self { world, host, sessions };
        scene.sessions.iter().for_each(|session| session.save(&scene.world));
        scene.host.save(&scene.world);
        scene.tell_all();
        let chain = scene.host.id().to_string();
        scene.world.run(&["keys", "trust", &chain, "--host", "web1"]).expect(0, &["pinned"]);
        scene
    }

    /// A session that has started and was told of, and of whose end nothing is known.
    fn begun(&mut self) -> Session {
        let session = self.host.record(&self.host.plan(&self.world, 2));
        session.save(&self.world);
        self.tell(self.entry(session.id, "started"), who(session.id, self.host.clock_ms), "started");
        session
    }

    /// A world with many sessions over ten hosts, whose chains are pinned; gives how many sessions there are.
    pub fn many(count: usize) -> (World, usize) {
        const HOSTS: usize = 10;
        let mut scene = Self { world: World::new(), host: Self::early(0), sessions: Vec::new() };
        let mut chains = String::new();
        for n in 0..HOSTS {
            scene.host = Self::early(n);
            for _ in 0..count / HOSTS {
                let session = scene.host.session(&scene.world, 1);
                session.save(&scene.world);
                scene.sessions.push(session);
            }
            scene.host.save(&scene.world);
            scene.tell_all();
            chains.push_str(&format!("{} = \"{}\"\n", scene.host.name, scene.host.id()));
            scene.sessions.clear();
        }
        let config = scene.world.root.join(".config/hansard/replay.toml");
        fs::write(config, format!("[hosts]\n{chains}")).unwrap();
        (scene.world, count / HOSTS * HOSTS)
    }

    /// A host that has recorded for half a day.
    fn early(n: usize) -> Host {
        Host::at(&format!("web{n}"), an_hour_ago() - 12 * 3_600_000)
    }

    pub fn audit(&self) -> Said {
        self.world.run(&["audit", "--json"])
    }

    /// The session in the middle, which the others do not touch.
    pub fn one(&self) -> &Session {
        &self.sessions[1]
    }

    /// The line of the chain that is of this session, and says this.
    fn entry(&self, id: SessionId, word: &str) -> &Entry {
        let is_it = |entry: &&Entry| match &entry.kind {
            Kind::Start { session, .. } => word == "started" && *session == id,
            Kind::End { session, .. } => word == "stopped" && *session == id,
            _ => false,
        };
        self.host.entries.iter().find(is_it).expect("an entry")
    }

    pub fn tell_all(&self) {
        for session in &self.sessions {
            for word in ["started", "stopped"] {
                let who = Who { host: self.host.name.clone(), ..who(session.id, self.host.clock_ms) };
                self.tell(self.entry(session.id, word), who, word);
            }
        }
    }

    fn tell(&self, entry: &Entry, who: Who, word: &str) -> PathBuf {
        let what = match word {
            "started" => What::Started(Started { who: who.clone(), places: vec![], entry: event::line_of(entry) }),
            _ => What::Stopped(Stopped {
                who: who.clone(),
                places: vec![],
                outcome: "exited".into(),
                status: Some(0),
                signal: None,
                duration_ms: Some(1),
                bytes: Some(1),
                segments: Some(3),
                digest: None,
                left_behind: vec![],
                entry: event::line_of(entry),
            }),
        };
        self.put(&event::of_session(entry, &who, what))
    }

    pub fn notice(&self, what: impl Fn(Notice) -> What) -> SessionId {
        let who = who(SessionId::new(an_hour_ago(), &[9; 10]), an_hour_ago());
        let notice = Notice { who: who.clone(), places: vec![], why: "a test".into() };
        self.put(&event::of_start(&self.host.id(), &who, what(notice)));
        who.session
    }

    fn put(&self, named: &event::Named) -> PathBuf {
        put(&self.world, &named.name.path(), &named.event.to_bytes().unwrap());
        self.world.store().join(named.name.path())
    }

    /// The document of an event of the session in the middle.
    fn told(&self, word: &str) -> PathBuf {
        let id = self.one().id.to_string();
        let named = |path: &PathBuf| path.to_str().unwrap().contains(&format!("{id}.{word}."));
        self.world.files("json").into_iter().find(named).expect("an event")
    }

    /// Puts bytes under a name that they do not have.
    fn as_segment(&self, number: u32, digest16: &str, bytes: &[u8]) {
        let name =
            SegmentName { session: self.one().id, chain16: self.host.id().short(), number, digest16: digest16.into() };
        put(&self.world, &name.path(), bytes);
    }

    fn resave(&self) {
        fs::remove_dir_all(self.world.store().join("chains")).unwrap();
        self.host.save(&self.world);
    }
}

fn who(session: SessionId, ms: u64) -> Who {
    Who {
        session,
        started: time(ms),
        user: Some("ada".into()),
        uid: 1000,
        login_uid: None,
        host: "web1".into(),
        kind: Capture::Interactive,
        tty: None,
        ssh_connection: None,
        labels: BTreeMap::new(),
        reason: None,
        origin: None,
        ssh_key: None,
        command: None,
    }
}

pub fn findings(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["finding"].is_string())
        .collect()
}

/// Plants a defect; gives the session that it must be told of, if it is of one.
pub type Plant = fn(&mut Scene) -> Option<SessionId>;

/// Each with the word by which it is found.
pub const PLANTED: &[(&str, Plant)] = &[
    ("session-missing", |scene| {
        fs::remove_dir_all(scene.one().path(&scene.world, 0).parent().unwrap()).unwrap();
        Some(scene.one().id)
    }),
    ("segment-missing", |scene| {
        fs::remove_file(scene.one().path(&scene.world, 0)).unwrap();
        Some(scene.one().id)
    }),
    ("segment-missing", |scene| {
        fs::remove_file(scene.one().path(&scene.world, 1)).unwrap();
        Some(scene.one().id)
    }),
    ("segment-missing", |scene| {
        fs::remove_file(scene.one().path(&scene.world, 2)).unwrap();
        Some(scene.one().id)
    }),
    ("segment-other", |scene| {
        let path = scene.one().path(&scene.world, 2);
        fs::remove_file(&path).unwrap();
        scene.as_segment(2, "00aa00aa00aa00aa", b"x");
        Some(scene.one().id)
    }),
    ("segment-twice", |scene| {
        scene.as_segment(1, "00aa00aa00aa00aa", b"x");
        Some(scene.one().id)
    }),
    ("segment-empty", |scene| {
        fs::write(scene.one().path(&scene.world, 1), "").unwrap();
        Some(scene.one().id)
    }),
    ("segment-after-end", |scene| {
        scene.as_segment(3, "00aa00aa00aa00aa", b"x");
        Some(scene.one().id)
    }),
    ("unwitnessed", |scene| {
        let session = SessionId::new(an_hour_ago(), &[7; 10]);
        let (chain16, digest16) = (scene.host.id().short(), "00aa00aa00aa00aa".to_owned());
        put(&scene.world, &SegmentName { session, chain16, number: 0, digest16 }.path(), b"x");
        Some(session)
    }),
    ("no-chain", |scene| {
        let session = SessionId::new(an_hour_ago(), &[7; 10]);
        let (chain16, digest16) = ("00bb00bb00bb00bb".to_owned(), "00aa00aa00aa00aa".to_owned());
        put(&scene.world, &SegmentName { session, chain16, number: 0, digest16 }.path(), b"x");
        Some(session)
    }),
    ("silent", |scene| {
        let session = scene.begun();
        scene.resave();
        Some(session.id)
    }),
    ("interrupted", |scene| {
        let session = scene.begun();
        scene.host.boot = boot(2);
        scene.host.checkpoint(&[]);
        scene.resave();
        Some(session.id)
    }),
    ("interrupted", |scene| {
        let session = scene.begun();
        scene.host.checkpoint(&[]);
        scene.resave();
        Some(session.id)
    }),
    ("segment-other", |scene| {
        // A checkpoint has named another one than what is there.
        let session = scene.host.record(&scene.host.plan(&scene.world, 2));
        scene.host.checkpoint(&[&session]);
        scene.host.end(&session);
        let first = &session.segments[1];
        let short = Session { segments: vec![session.segments[0].clone()], ..session.clone() };
        short.save(&scene.world);
        let name = session.name(1).replace(&first.digest.short(), "00aa00aa00aa00aa");
        put(&scene.world, &name, &first.bytes);
        scene.tell(scene.entry(session.id, "started"), who(session.id, scene.host.clock_ms), "started");
        scene.tell(scene.entry(session.id, "stopped"), who(session.id, scene.host.clock_ms), "stopped");
        scene.resave();
        Some(session.id)
    }),
    ("chain-broken", |scene| {
        let objects = scene.world.files("hchain");
        fs::remove_file(&objects[1]).unwrap();
        None
    }),
    ("chain-broken", |scene| {
        let object = scene.world.files("hchain").remove(1);
        let mut bytes = fs::read(&object).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&object, bytes).unwrap();
        None
    }),
    ("chain-fork", |scene| {
        let key = hansard_schemas::seal::SigningKey::from_bytes(&scene.host.key.to_bytes());
        scene.host.checkpoint(&[]);
        let entries = scene.host.entries.clone();
        scene.host.save_entries(&scene.world, &entries[entries.len() - 1..]);
        scene.host.entries.pop();
        scene.host.key = key;
        scene.host.append(Kind::Close);
        scene.resave();
        let name = hansard_schemas::names::ChainName {
            chain: scene.host.id(),
            first: entries[0].seq,
            last: entries[entries.len() - 1].seq,
        };
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.line.clone()).collect();
        put(&scene.world, &name.path(), &bytes);
        None
    }),
    ("rolled-back", |scene| {
        scene.world.run(&["ls"]).expect(0, &[]);
        fs::remove_file(scene.world.files("hchain").pop().unwrap()).unwrap();
        None
    }),
    ("unknown-chain", |scene| {
        let mut other = Host::new("db1");
        other.checkpoint(&[]);
        other.save(&scene.world);
        None
    }),
    ("second-chain", |scene| {
        let mut other = Host::new("web1");
        other.checkpoint(&[]);
        other.save(&scene.world);
        None
    }),
    ("clock-step", |scene| {
        scene.host.clock_ms -= 600_000;
        scene.host.checkpoint(&[]);
        scene.resave();
        None
    }),
    ("clock-step", |scene| {
        let mut plan = scene.host.plan(&scene.world, 1);
        plan.at_ms -= 600_000;
        let session = scene.host.record(&plan);
        scene.host.end(&session);
        session.save(&scene.world);
        scene.tell(scene.entry(session.id, "started"), who(session.id, plan.at_ms), "started");
        scene.tell(scene.entry(session.id, "stopped"), who(session.id, plan.at_ms), "stopped");
        scene.resave();
        Some(session.id)
    }),
    ("future", |scene| {
        scene.host.clock_ms += 2 * 3_600_000;
        scene.host.checkpoint(&[]);
        scene.resave();
        None
    }),
    ("event-missing", |scene| {
        fs::remove_file(scene.told("started")).unwrap();
        Some(scene.one().id)
    }),
    ("event-missing", |scene| {
        fs::remove_file(scene.told("stopped")).unwrap();
        Some(scene.one().id)
    }),
    ("event-without-session", |scene| {
        let id = SessionId::new(an_hour_ago(), &[8; 10]);
        scene.tell(scene.entry(scene.one().id, "started"), who(id, an_hour_ago()), "started");
        Some(id)
    }),
    ("event-contradicts", |scene| {
        // Another line of the chain than the one that is there.
        let path = scene.told("stopped");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"\"outcome\":\"exited\""#), "{text}");
        fs::write(&path, text.replace(r#"\"outcome\":\"exited\""#, r#"\"outcome\":\"killed\""#)).unwrap();
        Some(scene.one().id)
    }),
    ("event-contradicts", |scene| {
        let (from, to) = (scene.told("started"), scene.told("stopped"));
        fs::copy(from, to).unwrap();
        Some(scene.one().id)
    }),
    ("event-unreadable", |scene| {
        fs::write(scene.told("started"), "{").unwrap();
        Some(scene.one().id)
    }),
    ("event-without-chain", |scene| {
        let mut other = Host::new("db1");
        let session = other.record(&other.plan(&scene.world, 1));
        scene.tell(other.last(), who(session.id, an_hour_ago()), "started");
        Some(session.id)
    }),
    ("chain-behind-events", |scene| {
        // The store is shown an older chain than the events prove.
        let mut ahead = Scene { world: World::new(), host: Host::new("x"), sessions: Vec::new() };
        std::mem::swap(&mut ahead.host, &mut scene.host);
        let session = ahead.host.record(&ahead.host.plan(&scene.world, 1));
        std::mem::swap(&mut ahead.host, &mut scene.host);
        scene.tell(scene.entry(session.id, "started"), who(session.id, an_hour_ago()), "started");
        Some(session.id)
    }),
    ("unrecorded", |scene| Some(scene.notice(What::Unrecorded))),
];
