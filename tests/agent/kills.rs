//! Agents that are killed, again and again at random instants, under sessions that print: every byte that a terminal showed
//! is recorded once, and no session ends.
//!
//! `HANSARD_KILLS` kills under `HANSARD_SESSIONS` sessions, half of them on terminals.

use std::time::Duration;

use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, SOON, form, wait_until};

use crate::scene::{GUEST, Scene};

/// Numbers that spread, the same in every run.
struct Random(u64);

impl Random {
    fn ms(&mut self, below: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(self.0 % below)
    }
}

/// What the recorder says where an agent is away for long is recorded as soon as there is one again, after what that agent's
/// predecessor had in its journal and nobody had seen: the same text, and maybe not at the same place.
const HELD: &str = "\r\nhansard: output is held: the recording agent does not answer\r\n";

/// A session's own bytes, and how often the recorder spoke.
fn apart(bytes: Vec<u8>) -> (String, usize) {
    let text = String::from_utf8(bytes).expect("what was printed is text");
    (text.replace(HELD, ""), text.matches(HELD).count())
}

#[test]
fn an_agent_that_is_killed_loses_and_doubles_nothing() {
    let kills = form("HANSARD_KILLS", 5);
    let sessions = usize::try_from(form("HANSARD_SESSIONS", 8)).expect("a number of sessions");
    let mut scene = Scene::new();
    let stop = scene.of(GUEST).join("stop");
    // Five hundred lines a second in all, at most: each takes a process, and the machine is to have time for agents.
    let pause = Duration::from_millis(10.max(2 * sessions as u64)).as_secs_f64();
    let command = |n: usize| {
        format!(
            "i=0; while [ ! -e {} ]; do echo session {n} line $((i += 1)); sleep {pause}; done; exit 5",
            stop.display()
        )
    };
    let (on_terminals, on_pipes): (Vec<usize>, Vec<usize>) = (0..sessions).partition(|n| n % 2 == 0);
    let mut terminals: Vec<Terminal> = Vec::new();
    for n in on_terminals {
        // `-tt` with standard input elsewhere: nothing echoes what the test did not type.
        terminals.push(Terminal::running(&scene.ssh(GUEST, ["-t"]).arg(command(n))));
    }
    let pipes: Vec<_> = on_pipes.into_iter().map(|n| scene.begin_unlimited(&command(n))).collect();
    wait_until("all sessions run", LONG, || (scene.log().matches("session started").count() >= sessions).then_some(()));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for kill in 0..kills {
        if kill % 10 == 9 {
            // A tee waits for an agent for `agent.grace`, a minute: some agent must live until it has had time for everybody.
            wait_until("all sessions are taken up", LONG, || (scene.running().len() == sessions).then_some(()));
        }
        std::thread::sleep(random.ms(700));
        scene.kill_agent();
        std::thread::sleep(random.ms(300));
        scene.start_agent();
    }
    // Each of them goes on after the last of the kills.
    let seen: Vec<usize> = terminals.iter().map(Terminal::shown).collect();
    for (terminal, seen) in terminals.iter().zip(seen) {
        assert!(terminal.waits(SOON, |bytes| bytes.len() > seen + 100), "{}", terminal.text());
    }
    std::fs::write(&stop, "").expect("written");
    let mut shown: Vec<Vec<u8>> = Vec::new();
    for mut terminal in terminals {
        assert_eq!(terminal.status(SOON), 5, "{}", terminal.text());
        shown.push(terminal.drained());
    }
    for pipe in pipes {
        let output = pipe.join().expect("its output");
        assert_eq!(code(&output), 5, "{}", String::from_utf8_lossy(&output.stderr));
        shown.push(output.stdout);
    }
    let recorded = scene.delivered(sessions).into_iter().map(|id| scene.home.raw(&id));
    let mut shown: Vec<(String, usize)> = shown.into_iter().map(apart).collect();
    let mut recorded: Vec<(String, usize)> = recorded.map(apart).collect();
    shown.sort();
    recorded.sort();
    for (shown, recorded) in shown.iter().zip(&recorded) {
        assert_eq!(recorded, shown);
        let numbers = shown.0.lines().filter_map(|line| line.rsplit_once(" line ")?.1.parse().ok());
        let numbers: Vec<usize> = numbers.collect();
        assert!(!numbers.is_empty() && numbers.iter().copied().eq(1..=numbers.len()), "each line once, in order");
    }
    assert_eq!(shown.len(), recorded.len());
    // They say that they were interrupted, and are otherwise what they claim to be.
    assert_eq!(scene.home.verify::<&str>([]).code, 0, "recovered, and nothing altered");
}
