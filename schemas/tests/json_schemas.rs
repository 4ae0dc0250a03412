//! The JSON Schemas in `json/`: they are what the types generate, and what is written follows them.
//!
//! After a change of a type, `HANSARD_BLESS=1 cargo test -p hansard-schemas --test json_schemas` writes them anew.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use hansard_schemas::cast::{Gap, GapWhat, GapWhy};
use hansard_schemas::chain::{self, Entry, Head, Kind, Part};
use hansard_schemas::event::{self, Checkpoint, Delivery, Event, Notice, Started, Stopped, Viewed, Viewer, What, Who};
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, Recipients, Wraps, generate_identity};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Compression, Header, HeaderSpec, SegmentWriter, Trailer};
use hansard_schemas::session::{
    Claimed, Footer, Identity, Kernel, Kind as Capture, LeftBehind, Stop, StopOutcome, StreamCount, Streams,
};
use hansard_schemas::{Digest, SessionId, Timestamp};
use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// A document of the format: its file, its schema, and examples as the code writes them.
struct Document {
    name: &'static str,
    schema: Value,
    examples: Vec<Value>,
}

/// The schema of what is written: a member that is always there is required.
fn schema<T: JsonSchema>(name: &str, constants: &[(&str, Value)]) -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["title"] = json!(format!("Hansard recording format, version 1: {name}"));
    for (member, value) in constants {
        schema["properties"][*member]["const"] = value.clone();
    }
    schema
}

fn documents() -> Vec<Document> {
    let segment = segment();
    let version = ("hansard", json!(1));
    // A trailer is signed as bytes, so its type does not hold the signature.
    let mut trailer = schema::<Trailer>("trailer line", &[]);
    trailer["properties"]["sig"] = json!({"type": "string", "pattern": "^[0-9a-f]{128}$"});
    trailer["required"].as_array_mut().expect("required members").push(json!("sig"));
    vec![
        Document {
            name: "header",
            schema: schema::<Header>("header line", &[version.clone(), ("suite", json!("zstd+A256GCM"))]),
            examples: segment.headers,
        },
        Document { name: "keys", schema: schema::<Wraps>("keys line", &[]), examples: segment.keys },
        Document { name: "footer", schema: schema::<Footer>("footer", &[]), examples: segment.footers },
        Document { name: "trailer", schema: trailer, examples: segment.trailers },
        Document { name: "entry", schema: schema::<Entry>("chain entry", &[version]), examples: entries() },
        Document { name: "identity", schema: schema::<Identity>("identity object", &[]), examples: identities() },
        Document { name: "event", schema: event_schema(), examples: events() },
        Document { name: "gap", schema: schema::<Gap>("gap", &[]), examples: gaps() },
    ]
}

/// What CloudEvents asks for, beside what the type says.
fn event_schema() -> Value {
    let constants = [("specversion", json!("1.0")), ("datacontenttype", json!("application/json"))];
    let mut schema = schema::<Event>("lifecycle event", &constants);
    schema["properties"]["id"]["minLength"] = json!(1);
    schema["properties"]["source"]["pattern"] = json!("^urn:hansard:(chain:[0-9a-f]{64}|session:[0-9a-f-]{36})$");
    schema
}

fn parsed(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("a document")
}

fn time() -> Timestamp {
    "2026-11-22T09:30:00.125Z".parse().expect("a time")
}

fn boot() -> BootId {
    "6f0c5c4e-5d0a-4a9b-8d37-0a1b2c3d4e5f".parse().expect("a boot id")
}

fn session() -> SessionId {
    SessionId::new(1_795_339_800_125, &[7; 10])
}

#[derive(Default)]
struct Segments {
    headers: Vec<Value>,
    keys: Vec<Value>,
    footers: Vec<Value>,
    trailers: Vec<Value>,
}

/// Two segments of one session.
fn segment() -> Segments {
    let mut all = Segments::default();
    let recipients = Recipients::parse_line(&generate_identity().1).expect("a recipient");
    let epoch = EpochSecret::generate();
    let keys = epoch.wrap(&recipients).expect("a keys line");
    all.keys.push(parsed(keys.bytes()));
    let signers = [SigningKey::generate(), SigningKey::generate()];
    let (public, mut prev) = (signers.each_ref().map(SigningKey::public), None);
    let (mut epoch, start) = (epoch, "{}".to_owned());
    for (number, signer) in (0..).zip(signers) {
        let last = number == 1;
        let (secret, rest) = epoch.advance();
        epoch = rest;
        let spec = HeaderSpec {
            session: session(),
            segment: number,
            start: time(),
            offset_ms: 0,
            epoch: 0,
            index: number,
            signer: signer.public(),
            entry: (number == 0).then(|| start.clone()),
        };
        let (writer, mut bytes) = new_writer(spec, &secret, &keys);
        all.headers.push(parsed(bytes.split(|byte| *byte == b'\n').next().expect("a line")));
        let footer = footer(last);
        all.footers.push(parsed(&footer.to_bytes().expect("bytes")));
        let closed = writer.finish(&footer, &mut bytes).expect("closes");
        let next = (!last).then_some(public[1]);
        let (line, digest) = closed.sign(prev, next, last, signer).expect("signs");
        all.trailers.push(parsed(&line));
        prev = Some(digest);
    }
    all
}

fn new_writer(
    spec: HeaderSpec,
    secret: &hansard_schemas::keys::SegmentSecret,
    keys: &hansard_schemas::keys::KeysLine,
) -> (SegmentWriter, Vec<u8>) {
    SegmentWriter::new(spec, secret, keys, Compression::default()).expect("begins")
}

fn footer(last: bool) -> Footer {
    let count = Some(StreamCount { events: 1, bytes: 5 });
    let stop = Stop {
        outcome: StopOutcome::Signalled,
        status: 143,
        signal: Some(15),
        left_behind: vec![LeftBehind { pid: 7, command: "sleep 5".into() }],
    };
    Footer {
        lines: 0,
        duration_ms: 0,
        streams: if last { Streams { o: count, e: count, i: count } } else { Streams::default() },
        stop: last.then_some(stop),
    }
}

/// One entry of each kind; those with optional members in both forms.
fn entries() -> Vec<Value> {
    let digest = Digest([0xab; 32]);
    let (mut entry, mut key) =
        chain::genesis("host", Some(digest), 1000, time(), boot(), SigningKey::generate()).expect("a chain");
    let mut all = vec![parsed(&entry.line)];
    let recovered = |segment, blocks, kept, head, continues| Kind::Recovered {
        session: session(),
        segment,
        blocks,
        kept,
        head,
        reason: "no trailer".into(),
        old_boot: boot(),
        continues,
    };
    let kinds = [
        Kind::Start { session: session(), signer: SigningKey::generate().public(), identity: digest },
        Kind::Checkpoint {
            open: vec![
                Head { session: session(), segment: Some(3), digest: Some(digest) },
                Head { session: session(), segment: None, digest: None },
            ],
            part: None,
        },
        Kind::Checkpoint { open: vec![], part: Some(Part { from: None, below: Some(session()) }) },
        Kind::End { session: session(), segment: 4, digest, outcome: "exited".into() },
        recovered(1, 2, Some(digest), Some(digest), Some(entry.next)),
        recovered(0, 0, None, None, None),
        Kind::Close,
    ];
    for kind in kinds {
        (entry, key) = chain::append(&entry, key, kind, time(), boot()).expect("an entry");
        all.push(parsed(&entry.line));
    }
    all
}

/// One event of each type.
fn events() -> Vec<Value> {
    let digest = Digest([0xab; 32]);
    let (entry, _) =
        chain::genesis("host", Some(digest), 1000, time(), boot(), SigningKey::generate()).expect("a chain");
    let mut all = Vec::new();
    for identity in identity_objects() {
        let who = Who::of(&identity, identity.kind == Capture::Exec);
        let (places, line) = (vec!["file:///srv/rec".to_owned()], event::line_of(&entry));
        let started = Started { who: who.clone(), places: places.clone(), entry: line.clone() };
        let mut stopped = Stopped {
            who: who.clone(),
            places: places.clone(),
            outcome: "recovered".into(),
            status: None,
            signal: None,
            duration_ms: None,
            bytes: None,
            segments: None,
            digest: None,
            left_behind: Vec::new(),
            entry: line.clone(),
        };
        all.push(event::of_session(&entry, &who, What::Started(started)));
        all.push(event::of_session(&entry, &who, What::Stopped(stopped.clone())));
        stopped.outcome = "signalled".into();
        (stopped.status, stopped.signal, stopped.duration_ms) = (Some(143), Some(15), Some(2_000));
        (stopped.bytes, stopped.segments, stopped.digest) = (Some(7), Some(3), Some(digest));
        stopped.left_behind = vec![LeftBehind { pid: 7, command: "sleep".into() }];
        all.push(event::of_session(&entry, &who, What::Stopped(stopped)));
        let notice = Notice { who: who.clone(), places: places.clone(), why: "by rule 2".into() };
        let checkpoint = Checkpoint { host: "host".into(), open: 1, places, entry: line };
        all.push(event::of_checkpoint(&entry, "zoë", checkpoint));
        let delivery = Delivery { who: who.clone(), sink: "s3://b/p".into(), lag_ms: 60_000, why: None };
        let refused = Delivery { why: Some("503".into()), ..delivery.clone() };
        for what in [What::Behind(delivery.clone()), What::Failing(refused), What::Recovered(delivery)] {
            all.push(event::of_delivery(&entry.chain, time(), &who, "00aa00aa00aa00aa", what));
        }
        for what in [What::Denied(notice.clone()), What::Unrecorded(notice.clone())] {
            all.push(event::of_start(&entry.chain, &who, what));
        }
        all.push(event::of_moment(&entry.chain, time(), &who, What::Stalled(notice)));
    }
    let viewer =
        Viewer { user: Some("kim".into()), uid: 1001, login_uid: None, host: "desk".into(), ssh_connection: None };
    let mut viewed = Viewed {
        session: session(),
        chain16: entry.chain.short(),
        store: "file:///srv/rec".into(),
        host: None,
        user: None,
        kind: None,
        how: "grep".into(),
        reason: None,
        viewer,
    };
    all.push(event::of_viewing(None, time(), 0, viewed.clone()));
    (viewed.host, viewed.user, viewed.kind) = (Some("host".into()), Some("zoë".into()), Some(Capture::Exec));
    (viewed.reason, viewed.viewer.login_uid) = (Some("INC-42".into()), Some(1001));
    viewed.viewer.ssh_connection = Some("192.0.2.1 50000 192.0.2.2 22".into());
    all.push(event::of_viewing(Some(&entry.chain), time(), 1, viewed));
    all.iter().map(|named| parsed(&named.event.to_bytes().expect("bytes"))).collect()
}

fn identities() -> Vec<Value> {
    identity_objects().iter().map(|identity| serde_json::to_value(identity).expect("a value")).collect()
}

fn identity_objects() -> Vec<Identity> {
    let mut identity = Identity {
        session: session(),
        started: time(),
        host: "host".into(),
        kind: Capture::Interactive,
        kernel: Kernel {
            uid: 1000,
            gid: 1000,
            groups: vec![4, 27],
            login_uid: None,
            ppid: 1,
            parent: None,
            tty: None,
            hostname: "host".into(),
            machine: None,
            boot: boot(),
            user: None,
            origin: None,
        },
        claimed: Claimed {
            command: vec!["sh".into(), "-c".into(), "true".into()],
            cwd: "/".into(),
            env: [("LANG".to_owned(), "C.UTF-8".to_owned())].into(),
            labels: [("ticket".to_owned(), "INC-42".to_owned())].into(),
            reason: None,
            ssh_connection: None,
            ssh_user_auth: None,
            ssh_key: None,
        },
    };
    let mut all = vec![identity.clone()];
    identity.kind = Capture::Exec;
    identity.kernel.login_uid = Some(1000);
    identity.kernel.parent = Some("/usr/sbin/sshd".into());
    identity.kernel.tty = Some("/dev/pts/3".into());
    identity.kernel.machine = Some(Digest([1; 32]));
    identity.kernel.user = Some("zoë".into());
    identity.claimed.reason = Some("a reason".into());
    identity.claimed.ssh_connection = Some("192.0.2.1 50000 192.0.2.2 22".into());
    identity.claimed.ssh_user_auth = Some("publickey ssh-ed25519 AAAA".into());
    all.push(identity);
    all
}

fn gaps() -> Vec<Value> {
    let full = Gap {
        bytes: Some(3),
        from_ms: Some(1),
        to_ms: Some(2),
        sha256: Some(Digest([1; 32])),
        ..Gap::new(GapWhat::Output, GapWhy::Bounded)
    };
    let all = [full, Gap::clock_step(-5_000), Gap::new(GapWhat::Input, GapWhy::Masked)];
    all.iter().map(|gap| parsed(gap.to_data().expect("data").as_bytes())).collect()
}

fn validator(document: &Document) -> Validator {
    jsonschema::draft202012::new(&document.schema).expect("a schema")
}

#[test]
fn the_files_are_what_the_types_generate() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json");
    let bless = std::env::var_os("HANSARD_BLESS").is_some();
    if bless {
        fs::create_dir_all(&folder).expect("a folder");
    }
    for document in documents() {
        let file = folder.join(document.name).with_extension("json");
        let text = format!("{:#}\n", document.schema);
        if bless {
            fs::write(&file, text).expect("writes");
        } else {
            let found = fs::read_to_string(&file).expect("the file of a schema");
            assert_eq!(found, text, "{} is out of date: run with HANSARD_BLESS=1", file.display());
        }
    }
}

#[test]
fn what_is_written_follows_the_schemas() {
    for document in documents() {
        let validator = validator(&document);
        assert!(!document.examples.is_empty());
        for example in &document.examples {
            if let Err(error) = validator.validate(example) {
                panic!("{}: {error}\n{example:#}", document.name);
            }
        }
    }
}

#[test]
fn json_4_unknown_members_follow_the_schemas() {
    for document in documents() {
        let validator = validator(&document);
        for mut example in document.examples {
            example["unknown"] = json!([1]);
            assert!(validator.is_valid(&example), "{}: {example:#}", document.name);
        }
    }
}

/// Members that only some documents of their type have.
const OPTIONAL: [&str; 8] = ["entry", "part", "stop", "bytes", "from_ms", "to_ms", "sha256", "note"];

#[test]
fn a_document_without_a_member_or_with_another_type_of_it_breaks_its_schema() {
    for document in documents() {
        let validator = validator(&document);
        for example in &document.examples {
            for member in example.as_object().expect("an object").keys() {
                let mut changed = example.clone();
                changed[member] = json!(-1);
                assert!(!validator.is_valid(&changed), "{}: {member} as a number below zero", document.name);
                changed.as_object_mut().expect("an object").remove(member);
                let optional = OPTIONAL.contains(&member.as_str());
                assert_eq!(validator.is_valid(&changed), optional, "{}: without {member}", document.name);
            }
        }
    }
}

#[test]
fn words_and_digests_of_another_form_break_the_schemas() {
    let find = |name: &str| documents().into_iter().find(|document| document.name == name).expect("a document");
    for (name, pointer, bad) in [
        ("header", "/hansard", json!(2)),
        ("header", "/suite", json!("none")),
        ("header", "/commit", json!("AB".repeat(32))),
        ("header", "/start", json!("2026-11-22T09:30:00Z")),
        ("trailer", "/sig", json!("ab".repeat(32))),
        ("entry", "/kind", json!("another")),
        ("entry", "/kind", json!("start")),
        ("identity", "/kind", json!("Interactive")),
        ("identity", "/kernel/uid", json!("root")),
        ("event", "/specversion", json!("0.3")),
        ("event", "/id", json!("")),
        ("event", "/source", json!("urn:hansard:chain:ab")),
        ("event", "/type", json!("hansard.session.another")),
        ("event", "/type", json!("hansard.session.stopped")),
        ("event", "/data/uid", json!("root")),
        ("gap", "/why", json!("because")),
        ("keys", "/wraps/0/recipients", json!([1])),
    ] {
        let document = find(name);
        let mut changed = document.examples[0].clone();
        *changed.pointer_mut(pointer).expect("a member") = bad;
        assert!(!validator(&document).is_valid(&changed), "{name}{pointer}: {changed:#}");
    }
}
