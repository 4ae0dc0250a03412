//! A host that records: makes chains and sessions as a recorder would, and a folder to read them in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hansard_schemas::cast::{CastHeader, Code, Encoder, Term};
use hansard_schemas::chain::{self, Entry, Head, Kind};
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, KeysLine, Recipients, generate_identity};
use hansard_schemas::names::{ChainName, EventName, SegmentName};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{HeaderSpec, SegmentWriter};
use hansard_schemas::session::{Claimed, Footer, Identity, Kernel, Stop, StopOutcome, StreamCount, Streams};
use hansard_schemas::{ChainId, Digest, SessionId, Timestamp};

/// Milliseconds since 1970 at which the first host begins: an hour ago.
pub fn an_hour_ago() -> u64 {
    u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap() - 3_600_000
}

pub fn time(ms: u64) -> Timestamp {
    Timestamp::new(chrono::DateTime::from_timestamp_millis(i64::try_from(ms).unwrap()).unwrap())
}

pub fn boot(n: u8) -> BootId {
    format!("00000000-0000-4000-8000-0000000000{n:02x}").parse().unwrap()
}

/// A reviewer's folder: home, identity, store.
pub struct World {
    folder: Option<tempfile::TempDir>,
    pub root: PathBuf,
    pub recipient: String,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let (secret, recipient) = generate_identity();
        fs::create_dir_all(root.join(".config/hansard")).unwrap();
        fs::create_dir_all(root.join(".local/share/hansard")).unwrap();
        fs::write(root.join(".config/hansard/identity.txt"), secret.as_bytes()).unwrap();
        Self { folder: Some(folder), root, recipient }
    }

    pub fn store(&self) -> PathBuf {
        self.root.join(".local/share/hansard")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::programs::replay());
        command.env_clear().env("HOME", &self.root).env("TZ", "UTC").current_dir(&self.root).args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.command(args).output().unwrap())
    }

    pub fn remove_identity(&self) {
        fs::remove_file(self.root.join(".config/hansard/identity.txt")).unwrap();
    }

    /// The files of the store with this extension, in order.
    pub fn files(&self, extension: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        below(&self.store(), &mut found);
        found.retain(|path| path.extension().is_some_and(|e| e == extension));
        found.sort();
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the test's folder is kept: {}", folder.keep().display());
        }
    }
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// What a call said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Ended with this code, and said all of these words on one of the streams.
    pub fn expect(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "`{word}` is not in {self:#?}");
        }
        self
    }
}

/// A closed segment, as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub bytes: Vec<u8>,
    pub digest: Digest,
}

/// A session as recorded.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub chain: ChainId,
    pub segments: Vec<Stored>,
}

impl Session {
    pub fn name(&self, number: usize) -> String {
        let number_u32 = u32::try_from(number).unwrap();
        SegmentName::new(&self.chain, self.id, number_u32, &self.segments[number].digest).path()
    }

    pub fn path(&self, world: &World, number: usize) -> PathBuf {
        world.store().join(self.name(number))
    }

    pub fn save(&self, world: &World) {
        for number in 0..self.segments.len() {
            put(world, &self.name(number), &self.segments[number].bytes);
        }
    }

    pub fn joined(&self) -> Vec<u8> {
        self.segments.iter().flat_map(|segment| segment.bytes.clone()).collect()
    }
}

pub fn put(world: &World, name: &str, bytes: &[u8]) {
    let path = world.store().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What a session is made of.
pub struct Plan {
    pub segments: usize,
    /// Whether the last segment says that it is the last.
    pub closed: bool,
    pub user: String,
    pub command: Vec<String>,
    pub recipients: Vec<String>,
    /// Someone for whom another secret is wrapped, so that he would read another text.
    pub deceived: Option<String>,
    pub machine: Option<Digest>,
    /// Where the session begins.
    pub at_ms: u64,
    /// A segment whose footer, rightly sealed and signed, counts what is not there.
    pub miscounted: Option<usize>,
}

/// A host with its chain.
pub struct Host {
    pub name: String,
    pub entries: Vec<Entry>,
    pub key: SigningKey,
    pub clock_ms: u64,
    pub boot: BootId,
}

impl Host {
    pub fn new(name: &str) -> Self {
        Self::at(name, an_hour_ago())
    }

    pub fn at(name: &str, clock_ms: u64) -> Self {
        let genesis = SigningKey::generate();
        let (entry, key) = chain::genesis(name, None, 1000, time(clock_ms), boot(1), genesis).unwrap();
        Self { name: name.into(), entries: vec![entry], key, clock_ms: clock_ms + 1000, boot: boot(1) }
    }

    pub fn id(&self) -> ChainId {
        self.entries[0].chain
    }

    pub fn last(&self) -> &Entry {
        self.entries.last().unwrap()
    }

    pub fn append(&mut self, kind: Kind) -> Entry {
        let key = std::mem::replace(&mut self.key, SigningKey::generate());
        let (entry, key) = chain::append(self.last(), key, kind, time(self.clock_ms), self.boot).unwrap();
        self.key = key;
        self.clock_ms += 1000;
        self.entries.push(entry.clone());
        entry
    }

    pub fn plan(&self, world: &World, segments: usize) -> Plan {
        Plan {
            segments,
            closed: true,
            user: "ada".into(),
            command: vec!["bash".into()],
            recipients: vec![world.recipient.clone()],
            deceived: None,
            machine: None,
            at_ms: self.clock_ms,
            miscounted: None,
        }
    }

    /// Records a session of some segments, from `start` to `end`.
    pub fn session(&mut self, world: &World, segments: usize) -> Session {
        let plan = self.plan(world, segments);
        let session = self.record(&plan);
        self.end(&session);
        session
    }

    pub fn end(&mut self, session: &Session) {
        let last = session.segments.last().unwrap();
        let segment = u32::try_from(session.segments.len() - 1).unwrap();
        let outcome = "exited".to_owned();
        self.append(Kind::End { session: session.id, segment, digest: last.digest, outcome });
    }

    pub fn checkpoint(&mut self, open: &[&Session]) {
        let open = open.iter().map(|session| Head {
            session: session.id,
            segment: session.segments.len().checked_sub(1).map(|n| u32::try_from(n).unwrap()),
            digest: session.segments.last().map(|segment| segment.digest),
        });
        self.append(Kind::Checkpoint { open: open.collect(), part: None });
    }

    /// Records a session without its `end`.
    pub fn record(&mut self, plan: &Plan) -> Session {
        let mut random = [0; 10];
        random.copy_from_slice(&SigningKey::generate().to_bytes()[..10]);
        let id = SessionId::new(plan.at_ms, &random);
        let header = header(id, &self.name, plan);
        let (line, identity) = header.to_line().unwrap();
        let mut signer = SigningKey::generate();
        let start = self.append(Kind::Start { session: id, signer: signer.public(), identity });

        let mut recipients = Recipients::new();
        for recipient in &plan.recipients {
            recipients.extend(Recipients::parse_line(recipient).unwrap());
        }
        let mut epoch = EpochSecret::generate();
        let mut keys = epoch.wrap(&recipients).unwrap();
        if let Some(deceived) = &plan.deceived {
            let other = EpochSecret::generate().wrap(&Recipients::parse_line(deceived).unwrap()).unwrap();
            keys = both(&keys, &other);
        }
        let mut segments: Vec<Stored> = Vec::new();
        let mut encoder = Encoder::new();
        for number in 0..plan.segments {
            let last = plan.closed && number + 1 == plan.segments;
            let (secret, advanced) = epoch.advance();
            epoch = advanced;
            let following = SigningKey::generate();
            let spec = HeaderSpec {
                session: id,
                segment: u32::try_from(number).unwrap(),
                start: time(plan.at_ms + encoder.offset_ms()),
                offset_ms: encoder.offset_ms(),
                epoch: 0,
                index: u32::try_from(number).unwrap(),
                signer: signer.public(),
                entry: (number == 0).then(|| String::from_utf8(start.line.clone()).unwrap().trim_end().to_owned()),
            };
            let first = (number == 0).then_some(&line[..]);
            let miscounted = plan.miscounted == Some(number);
            let (bytes, closed) = segment(spec, &secret, &keys, first, &mut encoder, (last, miscounted));
            let next = (!last).then(|| following.public());
            let prev = segments.last().map(|segment| segment.digest);
            let (trailer, digest) = closed.sign(prev, next, last, signer).unwrap();
            segments.push(Stored { bytes: [bytes, trailer].concat(), digest });
            signer = following;
        }
        Session { id, chain: self.id(), segments }
    }

    /// Puts the chain into the store, three entries an object.
    pub fn save(&self, world: &World) {
        for entries in self.entries.chunks(3) {
            self.save_entries(world, entries);
        }
    }

    /// Puts an event of a session into the store, `started` or `stopped`, as its name says it.
    pub fn announce(&self, world: &World, session: &Session, at: Timestamp, user: &str, word: &str) {
        let name = EventName::new(&self.id(), Some(session.id), at, "interactive", &self.name, user, word);
        put(world, &name.path(), b"{}");
    }

    pub fn save_entries(&self, world: &World, entries: &[Entry]) {
        let name = ChainName { chain: self.id(), first: entries[0].seq, last: entries[entries.len() - 1].seq };
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.line.clone()).collect();
        put(world, &name.path(), &bytes);
    }
}

/// A world with one session of some segments, and its host's chain; the footer of `miscounted` counts what is not there.
pub fn recorded(segments: usize, miscounted: Option<usize>) -> (World, Session) {
    let world = World::new();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, segments);
    plan.miscounted = miscounted;
    let session = host.record(&plan);
    host.end(&session);
    session.save(&world);
    host.save(&world);
    (world, session)
}

/// A keys line with the wraps of two.
fn both(one: &KeysLine, two: &KeysLine) -> KeysLine {
    let text = |line: &KeysLine| String::from_utf8(line.bytes().to_vec()).unwrap();
    let (one, two) = (text(one), text(two));
    let wraps =
        |text: &str| text.trim_end().strip_prefix("{\"wraps\":[").unwrap().strip_suffix("]}").unwrap().to_owned();
    KeysLine::parse(format!("{{\"wraps\":[{},{}]}}\n", wraps(&one), wraps(&two)).as_bytes()).unwrap()
}

/// The text of segment n: what `export` must show.
pub fn shown(number: usize) -> String {
    format!("segment {number}: caf\u{e9}\r\n")
}

pub fn header(id: SessionId, host: &str, plan: &Plan) -> CastHeader {
    CastHeader {
        term: Term { cols: 80, rows: 24, kind: Some("xterm".into()) },
        timestamp: plan.at_ms / 1000,
        command: Some(plan.command.join(" ")),
        hansard: Identity {
            session: id,
            started: time(plan.at_ms),
            host: host.into(),
            kind: hansard_schemas::session::Kind::Interactive,
            kernel: Kernel {
                uid: 1000,
                gid: 1000,
                groups: vec![1000],
                login_uid: None,
                ppid: 1,
                parent: Some("/usr/sbin/sshd".into()),
                tty: Some("/dev/pts/3".into()),
                hostname: host.into(),
                machine: plan.machine,
                boot: boot(1),
                user: Some(plan.user.clone()),
                origin: None,
            },
            claimed: Claimed {
                command: plan.command.clone(),
                cwd: "/home/ada".into(),
                env: [("LANG".to_owned(), "C.UTF-8".to_owned())].into(),
                labels: [("ticket".to_owned(), "INC-42".to_owned())].into(),
                reason: None,
                ssh_connection: None,
                ssh_user_auth: None,
                ssh_key: None,
            },
        },
    }
}

fn segment(
    spec: HeaderSpec,
    secret: &hansard_schemas::keys::SegmentSecret,
    keys: &KeysLine,
    first: Option<&[u8]>,
    encoder: &mut Encoder,
    (last, miscounted): (bool, bool),
) -> (Vec<u8>, hansard_schemas::segment::Closed) {
    let number = usize::try_from(spec.segment).unwrap();
    let offset = spec.offset_ms;
    let (mut writer, mut bytes) = SegmentWriter::new(spec, secret, keys, 3).unwrap();
    let mut lines = Vec::new();
    match first {
        Some(line) => lines.extend_from_slice(line),
        None => drop(encoder.text(&mut lines, Code::Resize, offset + 5, "80x24")),
    }
    let mut count = StreamCount { events: 0, bytes: 0 };
    let mut position = u64::try_from(number).unwrap() * 10;
    let text = shown(number);
    for (n, part) in [text.as_bytes(), &[0xff, 0, b'x'][..]].into_iter().enumerate() {
        encoder.stream(&mut lines, Code::Output, offset + 100 * (n as u64 + 1), part);
        count.events += 1;
        count.bytes += part.len() as u64;
        position += 1;
        writer.seal(&lines, position, &mut bytes).unwrap();
        lines.clear();
    }
    if last {
        encoder.text(&mut lines, Code::Exit, offset + 300, "0");
        writer.seal(&lines, position, &mut bytes).unwrap();
    }
    count.bytes += u64::from(miscounted);
    let stop = Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: Vec::new() };
    let footer = Footer {
        lines: writer.lines(),
        duration_ms: encoder.offset_ms() - offset,
        streams: Streams { o: Some(count), e: None, i: None },
        stop: last.then_some(stop),
    };
    let closed = writer.finish(&footer, &mut bytes).unwrap();
    (bytes, closed)
}
