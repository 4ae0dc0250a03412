//! Two hundred hostile recordings, in their streams and in what they say of themselves, played and listed by the real
//! program on a terminal that keeps every byte: it is sent painting only (promise 9).

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hansard_schemas::cast::{CastHeader, Code};
use hansard_schemas::session::Kind;

use crate::attacks::{Numbers, attack};
use crate::painted::judge;
use crate::recorded::{Event, output, record_as};
use crate::store::{Host, Session, World, time};
use crate::terminal::Terminal;

const RECORDINGS: usize = 200;
/// Stores that hold them.
const GROUPS: usize = 25;
/// Each makes every kind of attack about once.
const ATTACKS: usize = 30;
const SEED: u64 = 0x0dd_ba11;
/// Characters of a hostile name: what it does is at its beginning.
const NAME: usize = 60;
/// Players at once. They mostly wait.
const AT_ONCE: usize = 6;

/// A name of hostile bytes.
fn name(numbers: &mut Numbers) -> String {
    let raw: Vec<u8> = (0..3).flat_map(|_| attack(numbers).into_iter().take(NAME)).collect();
    String::from_utf8_lossy(&raw).chars().take(NAME).collect()
}

/// Everything that a session says of itself is hostile.
fn disguise(cast: &mut CastHeader, numbers: &mut Numbers) {
    let sizes = [(80, 24), (132, 43), (1, 1), (0, 0), (300, 5), (10_000, 24)];
    // Huge screens cost seconds in a build that is not optimised.
    let most = if numbers.below(40) == 0 { sizes.len() } else { sizes.len() - 1 };
    (cast.term.cols, cast.term.rows) = sizes[numbers.below(most)];
    cast.term.kind = Some(name(numbers));
    cast.command = Some(name(numbers));
    let identity = &mut cast.hansard;
    identity.kind = [Kind::Interactive, Kind::Interactive, Kind::Exec][numbers.below(3)];
    identity.kernel.user = (numbers.below(8) > 0).then(|| name(numbers));
    identity.kernel.hostname = name(numbers);
    identity.kernel.tty = Some(name(numbers));
    identity.kernel.parent = Some(name(numbers));
    identity.kernel.origin = Some(name(numbers));
    let claimed = &mut identity.claimed;
    claimed.command = (0..3).map(|_| name(numbers)).collect();
    claimed.cwd = name(numbers);
    claimed.reason = Some(name(numbers));
    claimed.env = [(name(numbers), name(numbers))].into();
    claimed.labels = [(name(numbers), name(numbers)), ("import".into(), name(numbers))].into();
    claimed.ssh_connection = Some(name(numbers));
    claimed.ssh_user_auth = Some(name(numbers));
    claimed.ssh_key = Some(name(numbers));
}

/// Two segments of attacks.
fn events(numbers: &mut Numbers, huge: bool) -> [Vec<Event>; 2] {
    let mut at_ms = 0;
    [(); 2].map(|()| {
        let mut events: Vec<Event> = (0..ATTACKS / 2)
            .map(|_| {
                at_ms += numbers.below(3_000) as u64;
                let raw = attack(numbers);
                let note = String::from_utf8_lossy(&raw);
                match numbers.below(14) {
                    0 => {
                        let sizes = ["132x43", "1x1", "0x0", "300x5", "10000x24", "65535x65535"];
                        let size = sizes[numbers.below(if huge { sizes.len() } else { 4 })];
                        (at_ms, Code::Resize, size.into())
                    }
                    1 => (at_ms, Code::Marker, note.as_bytes().to_vec()),
                    2 => {
                        let gap = serde_json::json!({"what": "output", "why": note, "bytes": at_ms, "note": note});
                        (at_ms, Code::Gap, gap.to_string().into_bytes())
                    }
                    3 => (at_ms, Code::Error, raw),
                    // Cut in the middle: the rest comes with what is next.
                    4 => output(at_ms, &raw[..numbers.below(raw.len() + 1)]),
                    _ => output(at_ms, raw),
                }
            })
            .collect();
        // A title, a folder, a command that a shell marks, and a prompt with something behind it: for `timeline`.
        let said = name(numbers);
        let marked = format!("\r\n\x1b]0;{said}\x07\x1b]7;file://{said}\x07\x1b]133;A\x07$ \x1b]133;B\x07{said}\r\n\x1b]133;C\x07x\r\n\x1b]133;D;1\x07");
        events.push(output(at_ms, marked));
        events
    })
}

/// A store with some of them, ended and announced. Small: each call verifies the chains of its store.
struct Group {
    world: World,
    sessions: Vec<Session>,
}

fn group(number: usize) -> Group {
    let world = World::new();
    let mut numbers = Numbers(SEED ^ ((number as u64) << 32));
    let mut host = Host::new(&name(&mut numbers));
    let record = |n| {
        let segments = events(&mut numbers, n == 0 && number.is_multiple_of(20));
        let at = time(host.clock_ms);
        let session = record_as(&world, &mut host, &segments, |cast| disguise(cast, &mut numbers));
        let user = name(&mut numbers);
        host.announce(&world, &session, at, &user, "started");
        host.announce(&world, &session, time(host.clock_ms), &user, "stopped");
        session
    };
    let sessions = (0..RECORDINGS / GROUPS).map(record).collect();
    host.save(&world);
    Group { world, sessions }
}

/// A store with all that is in these, for a reviewer with all of their identities.
fn joined(groups: &[Group]) -> World {
    let all = World::new();
    let identity = |world: &World| world.root.join(".config/hansard/identity.txt");
    let mut identities = String::new();
    for Group { world, .. } in groups {
        identities.push_str(&fs::read_to_string(identity(world)).unwrap());
        identities.push('\n');
        for path in ["hseg", "hchain", "json"].iter().flat_map(|extension| world.files(extension)) {
            let to = all.store().join(path.strip_prefix(world.store()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::hard_link(path, to).unwrap();
        }
    }
    fs::write(identity(&all), identities).unwrap();
    all
}

/// Runs to its end on a terminal, which must be sent nothing but painting; gives what it was sent.
fn shown(world: &World, args: &[&str], codes: &[i32]) -> String {
    let (code, log) = Terminal::running(world.command(args), WINDOW).finish();
    painted(args, &log);
    let text = String::from_utf8_lossy(&log).into_owned();
    assert!(codes.contains(&code), "{args:?}: exit code {code}: {text}");
    text
}

const WINDOW: (u16, u16) = (110, 30);

fn painted(args: &[&str], log: &[u8]) {
    if let Err(wrong) = judge(log, WINDOW) {
        panic!("hansard-replay {args:?} sent a terminal {wrong}");
    }
}

/// Plays one to its end, then looks at it by keys.
fn play(command: Command, id: &str, seek: usize) -> usize {
    let mut terminal = Terminal::running(command, WINDOW);
    terminal.wait("\x1b[0;7m end ");
    terminal.type_in("0 ");
    terminal.wait("\x1b[0;7m paused 0:00.0");
    terminal.type_in(&format!("g{seek}\r"));
    terminal.wait(&format!("\x1b[0;7m paused 0:{seek:02}"));
    terminal.type_in("h");
    terminal.wait("search for a text on the screen");
    terminal.type_in("x/a\r");
    terminal.wait("search: a_");
    terminal.wait("\x1b[0;7m paused ");
    // One after the other, as fast as they go: what is drawn between them differs, what may be drawn does not.
    terminal.type_in("nN.,][}{)($q");
    let (code, log) = terminal.finish();
    painted(&["play", id], &log);
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&log));
    log.len()
}

/// Does something for each, some at once.
fn each<T: Sync>(all: &[T], work: impl Fn(usize, &T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(one) = all.get(number)
                {
                    work(number, one);
                }
            });
        }
    });
}

#[test]
fn promise_9_two_hundred_hostile_recordings_reach_a_terminal_as_painting_only() {
    let groups: Vec<Group> = (0..GROUPS).map(group).collect();
    let all = joined(&groups);
    // By names alone, and with all that is to be had.
    for args in [&["ls"][..], &["ls", "--long"]] {
        let text = shown(&all, args, &[0]);
        for session in groups.iter().flat_map(|group| &group.sessions) {
            assert!(text.contains(&session.id.to_string()), "{args:?}: {text}");
        }
    }
    let one_by_one: Vec<(&World, String)> =
        groups.iter().flat_map(|group| group.sessions.iter().map(|one| (&group.world, one.id.to_string()))).collect();
    assert_eq!(one_by_one.len(), RECORDINGS);
    let written = AtomicUsize::new(0);
    each(&one_by_one, |number, (world, id)| {
        let args = ["play", id, "--speed", "1000", "--idle-limit", "0.05"];
        written.fetch_add(play(world.command(&args), id, number % 5), Ordering::Relaxed);
        let others: [&[&str]; 7] = [
            &["show", id],
            &["timeline", id],
            &["timeline", id, "--json"],
            &["export", id, "--as", "txt"],
            &["tail", id],
            &["verify", id],
            &["grep", ".", id, "-C", "2"],
        ];
        // What a start costs, 200 times, is not what is tested.
        if number % 2 == 0 {
            shown(world, others[number / 2 % others.len()], &[0, 1]);
        }
    });
    assert!(written.into_inner() > 1 << 20);
}

#[test]
fn promise_9_messages_about_hostile_recordings_are_text() {
    let world = World::new();
    let mut numbers = Numbers(SEED);
    let evil = "\x1b]0;x\x07\u{9b}6n\u{202e}\u{200b}db\r\n";
    let mut hosts = [Host::new(evil), Host::new(evil)];
    let [first, second] = hosts.each_mut().map(|host| {
        let segments = events(&mut numbers, false);
        let session = record_as(&world, host, &segments, |cast| disguise(cast, &mut numbers));
        host.save(&world);
        session
    });
    // The second chain of a name that is known with another one, and a segment that was altered.
    let path = first.path(&world, 1);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (first, second) = (first.id.to_string(), second.id.to_string());
    shown(&world, &["keys", "trust", &hosts[0].id().to_string(), "--host", evil], &[0, 2]);
    let refused = [
        &["show", &first][..],
        &["verify"],
        &["verify", &second],
        &["audit"],
        &["play", &first],
        &["play", &second],
        &["timeline", &second],
        &["tail", &second],
        &["grep", "."],
        &["export", &first, "--as", "txt"],
        &["export", &first, "--as", "raw"],
        &["show", evil],
        &["play", "--from", evil],
        &["ls", "--from", &format!("file:///{evil}")],
        &["keys", "trust", evil],
        &["verify", &format!("/{evil}.hrec")],
    ];
    for args in refused {
        let text = shown(&world, args, &[1, 2, 3]);
        assert!(text.contains("hansard-replay: error: ") || args[0] != "play", "{args:?}: {text}");
    }
    // Forced, what is wrong is painted beside it.
    for (id, wrong) in [(&first, "altered"), (&second, "and so does chain")] {
        let args = ["play", id, "--force", "--speed", "1000", "--quit-at-end"];
        assert!(shown(&world, &args, &[0, 1]).contains(wrong));
    }
    world.remove_identity();
    shown(&world, &["play", &first], &[1, 4]);
    shown(&world, &["ls", "--long"], &[0, 4]);
}
