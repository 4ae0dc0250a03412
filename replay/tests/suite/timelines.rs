//! `timeline`: of real shells with the marks of `recorder/deploy/shell`, of one without, and of sessions without a
//! terminal; what it prints, and that nothing of it acts on the terminal.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hansard_schemas::cast::Code;
use hansard_schemas::session::Kind;
use serde_json::Value;

use crate::recorded::{Event, output, record};
use crate::store::{Host, World};

/// How long a shell may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn snippet(shell: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder/deploy/shell").join(format!("hansard.{shell}"))
}

/// What a shell shows on a terminal when it is told to do these things, one after the other as it asks for them.
fn shown(command: &str, home: &Path, ready: &str, lines: &[&str]) -> Vec<Event> {
    let mut child = Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("TERM", "xterm"), ("LANG", "C.UTF-8")])
        .env("HOME", home)
        .env("ZDOTDIR", home)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(n) = shown.read(&mut piece) {
            if n == 0 || sender.send(piece[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    let started = Instant::now();
    let mut events: Vec<Event> = Vec::new();
    let mut all = String::new();
    for (asked, line) in lines.iter().enumerate() {
        while all.matches(ready).count() <= asked {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let piece = receiver.recv_timeout(left).unwrap_or_else(|_| panic!("{command} never asked: {all:?}"));
            all.push_str(&String::from_utf8_lossy(&piece));
            events.push(output(u64::try_from(started.elapsed().as_millis()).unwrap(), piece));
        }
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\r").unwrap();
    }
    while let Ok(piece) = receiver.recv_timeout(PATIENCE) {
        events.push(output(u64::try_from(started.elapsed().as_millis()).unwrap(), piece));
    }
    child.wait().unwrap();
    reader.join().unwrap();
    events
}

fn world(size: (u16, u16), kind: Kind, events: Vec<Event>) -> World {
    let world = World::new();
    let mut host = Host::new("web1");
    record(&world, &mut host, size, kind, &[events]);
    host.save(&world);
    world
}

fn documents(world: &World, args: &[&str]) -> Vec<Value> {
    let said = world.run(&[&["timeline", "--json"], args].concat());
    said.expect(0, &[]);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Commands that were run in a shell with marks: as they were typed, with their statuses and what they put out.
fn marked(command: &str, home: &Path) {
    let dir = home.join("a dir é");
    std::fs::create_dir_all(&dir).unwrap();
    let lines = ["echo hello", "", "false", "cd 'a dir é'", "sleep 0.3; printf %0300d 0; sh -c 'exit 7'", "exit"];
    let events = shown(command, home, "133;B", &lines);
    let world = world((80, 24), Kind::Interactive, events);
    let all = documents(&world, &[]);
    let commands: Vec<&Value> = all.iter().filter(|one| one["what"] == "command").collect();
    let texts: Vec<&str> = commands.iter().map(|one| one["text"].as_str().unwrap_or("?")).collect();
    let typed: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
    assert_eq!(texts, typed, "{command}: {all:#?}");
    let statuses: Vec<Option<u64>> = commands.iter().map(|one| one["status"].as_u64()).collect();
    assert_eq!(statuses[..4], [Some(0), Some(1), Some(0), Some(7)], "{command}: {all:#?}");
    assert!(commands.iter().all(|one| one["guessed"] == false));
    assert!(commands[3]["duration_ms"].as_u64().unwrap() >= 250, "{command}: {all:#?}");
    let bytes = |at: usize| commands[at]["output_bytes"].as_u64().unwrap();
    // What it printed, and the sequences with which shells begin and end a line: zsh fills one with blanks.
    assert!((7..150).contains(&bytes(0)) && bytes(1) < 150 && (300..450).contains(&bytes(3)), "{command}: {all:#?}");
    let directories: Vec<&str> =
        all.iter().filter(|one| one["what"] == "directory").map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(directories, [home.to_str().unwrap(), dir.to_str().unwrap()], "{command}");
}

#[test]
fn bash_with_its_marks_is_told_exactly() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let rc = format!("PS1='\\w \\$ '\nPROMPT_COMMAND='true; false'\n. '{}'\n", snippet("bash").display());
    std::fs::write(home.join("rc"), rc).unwrap();
    marked("bash --noprofile --rcfile rc -i", &home);
    // Read twice, and with a list of commands before the prompt.
    let rc = format!("PS1='> '\nPROMPT_COMMAND=(true false)\n. '{0}'\n. '{0}'\n", snippet("bash").display());
    std::fs::write(home.join("rc"), rc).unwrap();
    marked("bash --noprofile --rcfile rc -i", &home);
}

#[test]
#[cfg(feature = "outside")]
fn zsh_with_its_marks_is_told_exactly() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let rc = format!("PS1='%~ %# '\nRPROMPT='right'\n. '{}'\n", snippet("zsh").display());
    std::fs::write(home.join(".zshrc"), rc).unwrap();
    marked("zsh -d -i", &home);
}

#[test]
#[cfg(feature = "outside")]
fn fish_with_its_marks_is_told_exactly() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let conf = home.join(".config/fish/conf.d");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::copy(snippet("fish"), conf.join("hansard.fish")).unwrap();
    // Where it is not there, the first start makes completions of all manual pages.
    std::fs::create_dir_all(home.join(".local/share/fish/generated_completions")).unwrap();
    marked("fish -i", &home);
}

#[test]
fn a_shell_without_marks_is_guessed_and_said_to_be() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("rc"), "PS1='ready \\$ '\n").unwrap();
    let lines = ["echo hello", "false", "printf 'a\\nb\\n'", "exit"];
    let prompt = if rustix::process::getuid().is_root() { "ready # " } else { "ready $ " };
    let world =
        world((80, 24), Kind::Interactive, shown("bash --noprofile --rcfile rc -i", home.path(), prompt, &lines));
    let all = documents(&world, &["--commands"]);
    let texts: Vec<&str> = all.iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(texts, lines);
    assert!(all.iter().all(|one| one["guessed"] == true && one["status"].is_null()), "{all:#?}");
    world.run(&["timeline"]).expect(0, &["echo hello  (guessed)", "4 of the commands are guessed"]);
}

#[test]
fn a_session_without_a_terminal_is_one_command() {
    let events = || vec![output(100, "12345"), (200, Code::Error, b"67\n".to_vec())];
    for (kind, word) in [(Kind::Exec, "command"), (Kind::Transfer, "transfer")] {
        let world = world((0, 0), kind, events());
        let all = documents(&world, &[]);
        assert_eq!(all.len(), 1);
        let told = ["what", "text", "status", "output_bytes", "duration_ms"].map(|name| all[0][name].clone());
        assert_eq!(told, [Value::from(word), "bash".into(), 0.into(), 8.into(), 200.into()]);
    }
}

#[test]
fn the_table_is_for_people_and_safe() {
    let marks = "\x1b]133;A\x07$ \x1b]133;B\x07ls \u{202e}evil\r\n\x1b]133;C\x07out\r\n";
    let title = "\x1b]0;owned\u{202e}\u{9b}2J\x07";
    let events = vec![
        output(0, title),
        output(1_500, marks),
        (1_600, Code::Marker, "look\u{1b}[2J here".into()),
        output(3_661_500, "\x1b]133;D;127\x07\x1b[?1049h\x1b[?1049l"),
    ];
    let world = world((80, 24), Kind::Interactive, events);
    let said = world.run(&["timeline", "latest"]);
    said.expect(
        0,
        &["TIME", "STATUS", "1:01:00.000", "127", "5 B", "ls \u{fffd}evil", "full screen", "title: owned\\u{202e}"],
    );
    said.expect(0, &["marker: look\\x1b[2J here"]);
    for said in [said, world.run(&["timeline", "latest", "--json"])] {
        let bad = said.out.chars().find(|c| (c.is_control() && *c != '\n') || matches!(u32::from(*c), 0x202a..=0x202e));
        assert_eq!(bad, None, "{said:?}");
    }
    assert_eq!(world.run(&["timeline", "--commands"]).out.lines().count(), 2);
    world.run(&["timeline", "ffffffff"]).expect(1, &["no session matches"]);
    world.remove_identity();
    world.run(&["timeline"]).expect(4, &["identity"]);
}
