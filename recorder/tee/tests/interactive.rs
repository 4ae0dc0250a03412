//! Interactive sessions on real terminals: bytes, sizes, signals, job control, every way to end.
#![allow(clippy::unwrap_used)]

mod harness;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Folder, Terminal, contains, kill, sh, shell, tee, until};
use rustix::termios::LocalModes;

#[test]
fn all_byte_values_pass_both_ways() {
    let folder = Folder::new();
    let script = "stty raw -echo; printf ready; head -c 256 | od -An -v -tx1 | tr -d ' \\n'";
    let mut terminal = Terminal::run(tee(&folder, &["--input"]).args(sh(script)));
    terminal.wait_for("ready");
    let all: Vec<u8> = (0..=255).collect();
    terminal.type_in(&all);
    assert!(terminal.finish().success());
    let hex: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(terminal.text(), format!("ready{hex}"));
    assert_eq!(folder.input(), all);
}

/// A recorder that accepts within the call, and one that does so on a thread of its own.
const WAYS: [&[&str]; 2] = [&[], &["--late-us", "300"]];

#[test]
fn what_is_shown_is_what_was_recorded() {
    for way in WAYS {
        let folder = Folder::new();
        let data: Vec<u8> = (0..10_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        fs::write(folder.path("data"), &data).unwrap();
        let script = format!("stty raw; cat {}", folder.path("data").display());
        let mut terminal = Terminal::run(tee(&folder, way).args(sh(script)));
        assert!(terminal.finish().success());
        assert!(terminal.seen == data, "{way:?}: {} of {} bytes shown, or others", terminal.seen.len(), data.len());
        assert!(folder.output() == data, "{way:?}: the record is not what was written");
    }
}

#[test]
fn nothing_is_shown_before_it_is_in_the_record() {
    let folder = Folder::new();
    let script = "stty raw; for i in 1 2 3 4 5 6 7 8; do head -c 70000 /dev/zero | tr '\\0' $i; sleep 0.01; done";
    let mut terminal = Terminal::run(tee(&folder, &["--late-us", "5000"]).args(sh(script)));
    while terminal.read(Duration::from_millis(20)) && terminal.seen.len() < 560_000 {
        let recorded = folder.output();
        assert!(recorded.starts_with(&terminal.seen), "{} shown, {} recorded", terminal.seen.len(), recorded.len());
    }
    assert!(terminal.finish().success());
    assert_eq!(terminal.seen.len(), 560_000);
}

#[test]
fn what_waits_for_a_recorder_is_bounded() {
    let folder = Folder::new();
    // The second message is accepted after half a minute: until then the writer must come to a stop.
    let script = "stty raw; i=0; while :; do head -c 50000 /dev/zero; i=$((i+1)); echo $i > count; done";
    let mut command = tee(&folder, &["--late-us", "30000000"]);
    let mut terminal = Terminal::run(command.current_dir(folder.path("")).args(sh(script)));
    let count = || fs::read_to_string(folder.path("count")).unwrap_or_default().trim().parse().unwrap_or(0_usize);
    let mut last = (0, Instant::now());
    until("the writer waits", || {
        if count() != last.0 {
            last = (count(), Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(700)
    });
    assert!(count() * 50_000 < 1_000_000, "{} writes", count());
    assert!(terminal.seen.is_empty());
    terminal.child.kill().unwrap();
}

#[test]
fn a_slow_reader_loses_nothing() {
    let folder = Folder::new();
    let script = "stty raw; head -c 600000 /dev/zero | tr '\\0' x; printf END";
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    // Long enough for every buffer on the way to be full.
    std::thread::sleep(Duration::from_millis(300));
    assert!(terminal.finish().success());
    assert_eq!(terminal.seen.len(), 600_003);
    assert!(folder.output() == terminal.seen);
}

#[test]
fn modes_and_size_are_the_outer_ones_before_the_program_starts() {
    for (cols, rows) in [(80, 24), (0, 0), (1500, 1200)] {
        let folder = Folder::new();
        let mut bare = Terminal::run_at(Command::new("stty").arg("-a"), cols, rows);
        assert!(bare.finish().success());
        let mut teed = Terminal::run_at(tee(&folder, &[]).args(["stty", "-a"]), cols, rows);
        assert!(teed.finish().success());
        assert!(bare.text().contains(&format!("rows {rows}; columns {cols}")), "{}", bare.text());
        assert_eq!(teed.text(), bare.text());
    }
}

#[test]
fn a_new_size_reaches_the_program_and_the_record() {
    let folder = Folder::new();
    let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    terminal.wait_for("ready");
    terminal.resize(132, 50);
    terminal.wait_for("50 132");
    assert!(terminal.finish().success());
    assert!(folder.log().contains("size 132x50\n"), "{}", folder.log());
}

#[test]
fn the_exit_status_is_the_childs() {
    for (script, status, words) in [
        ("exit 0", 0, "0 None Exited []"),
        ("exit 7", 7, "7 None Exited []"),
        ("exit 255", 255, "255 None Exited []"),
        ("kill -TERM $$", 143, "143 Some(15) Signalled []"),
        ("kill -KILL $$", 137, "137 Some(9) Signalled []"),
    ] {
        let folder = Folder::new();
        let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
        assert_eq!(terminal.finish().code(), Some(status), "{script}");
        assert_eq!(folder.exit(), words, "{script}");
    }
}

#[test]
fn a_program_that_cannot_be_run_has_envs_status_and_the_terminal_back() {
    let folder = Folder::new();
    fs::write(folder.path("data"), "not a program").unwrap();
    fs::write(folder.path("script"), "echo \"ran as $0 with $1\"\n").unwrap();
    let chmod = Command::new("chmod").arg("755").arg(folder.path("script")).status().unwrap();
    assert!(chmod.success());
    for (program, status) in [("/no/such/program", 127), ("no-such-program", 127), ("/", 126)] {
        let mut terminal = Terminal::run(tee(&folder, &[]).arg(program));
        assert_eq!(terminal.finish().code(), Some(status), "{program}");
    }
    let mut terminal = Terminal::run(tee(&folder, &[]).arg(folder.path("data")));
    assert_eq!(terminal.finish().code(), Some(126));
    // As execvp does, a script without a first line is the shell's.
    let mut terminal = Terminal::run(tee(&folder, &[]).arg(folder.path("script")).arg("one"));
    assert_eq!(terminal.finish().code(), Some(0));
    assert!(terminal.text().contains("/script with one"), "{}", terminal.text());
}

#[test]
fn a_child_that_stops_gives_the_terminal_to_the_shell_and_comes_back() {
    let folder = Folder::new();
    let mut terminal = shell();
    let line = format!(
        "{} {} sh -c 'kill -STOP $$; stty size; read word; echo got $word'\n",
        harness::demo().display(),
        folder.out().display()
    );
    terminal.type_in(line);
    terminal.wait_for("Stopped");
    terminal.wait_for_prompt();
    terminal
        .type_in("stty -a | tr ' ' '\\n' | grep -x -e icanon -e -icanon -e echo -e -echo | tr '\\n' ' '; echo now\n");
    terminal.wait_for("icanon echo now");
    terminal.wait_for_prompt();
    terminal.resize(101, 33);
    terminal.type_in("fg\n");
    terminal.wait_for("33 101");
    terminal.type_in("back\n");
    terminal.wait_for("got back");
    // What is typed before the shell is back was typed at the program, as with any terminal in a terminal.
    terminal.wait_for_prompt();
    terminal.type_in("exit 0\n");
    assert!(terminal.finish().success());
    assert_eq!(folder.exit(), "0 None Exited []");
}

#[test]
fn the_terminal_is_as_it_was_found() {
    let folder = Folder::new();
    let mut terminal = shell();
    for options in ["", "--fatal-after 3", "--end-ms 100", "--panic"] {
        terminal.forget();
        let line = format!(
            "stty -a > {0}1; {1} {options} {0} sh -c 'stty raw -echo; echo hello; sleep 0.3'; echo status $?; stty -a > {0}2\n",
            folder.out().display(),
            harness::demo().display(),
        );
        terminal.type_in(line);
        terminal.wait_for("status ");
        terminal.wait_for_prompt();
        until("the second stty", || folder.path("out2").exists());
        until("as it was", || fs::read(folder.path("out1")).unwrap() == fs::read(folder.path("out2")).unwrap());
        fs::remove_file(folder.path("out2")).unwrap();
    }
}

#[test]
fn signals_sent_to_the_recorder_reach_the_inner_foreground() {
    for signal in ["TERM", "INT", "USR1", "USR2", "QUIT"] {
        let folder = Folder::new();
        let script = format!("trap 'echo caught; exit 5' {signal}; echo ready; while :; do sleep 0.02; done");
        let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
        terminal.wait_for("ready");
        kill(signal, terminal.child.id());
        terminal.wait_for("caught");
        assert_eq!(terminal.finish().code(), Some(5), "{signal}");
    }
}

#[test]
fn ctrl_c_interrupts_inside() {
    let folder = Folder::new();
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh("echo ready; exec sleep 60")));
    terminal.wait_for("ready");
    terminal.type_in("\x03");
    assert_eq!(terminal.finish().code(), Some(130));
    assert_eq!(folder.exit(), "130 Some(2) Signalled []");
}

#[test]
fn a_hang_up_reaches_the_program_and_ends_the_session() {
    let folder = Folder::new();
    let marker = folder.path("hup");
    let script =
        format!("trap 'echo hup > {}; exit 3' HUP; echo ready; while :; do sleep 0.02; done", marker.display());
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    terminal.wait_for("ready");
    let pid = terminal.child.id();
    hang_up(terminal);
    until("the end", || folder.path("out.exit").exists() && !folder.exit().is_empty());
    assert_eq!(folder.exit(), "3 None Disconnected []");
    assert!(marker.exists());
    until("the recorder is gone", || !is_running(pid));
}

#[test]
fn a_program_that_ignores_the_hang_up_is_killed_after_five_seconds() {
    let folder = Folder::new();
    let script = "trap '' HUP; echo ready; while :; do sleep 0.1; done";
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    terminal.wait_for("ready");
    let begun = Instant::now();
    hang_up(terminal);
    until("the end", || folder.path("out.exit").exists() && !folder.exit().is_empty());
    assert_eq!(folder.exit(), "137 Some(9) Disconnected []");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(9), "{took:?}");
}

/// Closes the emulator's side without killing what runs on it.
fn hang_up(mut terminal: Terminal) {
    let null = fs::File::open("/dev/null").unwrap();
    terminal.master = null.into();
    let pid = terminal.child.id();
    until("the program ends", || terminal.child.try_wait().unwrap().is_some());
    assert!(!is_running(pid));
}

fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn what_is_left_behind_is_named_and_waited_for_by_nobody() {
    let folder = Folder::new();
    let script = "trap '' HUP; sleep 61 & echo $! > pid; echo started; exit 4";
    let mut terminal = Terminal::run(tee(&folder, &[]).current_dir(folder.path("")).args(sh(script)));
    let begun = Instant::now();
    assert_eq!(terminal.finish().code(), Some(4));
    kill("KILL", fs::read_to_string(folder.path("pid")).unwrap().trim());
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(terminal.text().contains("started"));
    assert_eq!(folder.exit(), "4 None Exited [\"sleep\"]");
}

#[test]
fn the_last_words_of_a_program_are_shown_and_recorded() {
    for round in 0..20 {
        let folder = Folder::new();
        let script = "stty raw; head -c 65536 /dev/zero | tr '\\0' y";
        let way: &[&str] = if round % 4 == 0 { &["--late-us", "20000"] } else { &[] };
        let mut terminal = Terminal::run(tee(&folder, way).args(sh(script)));
        assert!(terminal.finish().success());
        assert_eq!(terminal.seen.len(), 65536, "round {round}");
        assert!(folder.output() == terminal.seen);
    }
}

#[test]
fn held_output_is_not_shown_and_keys_pass() {
    let folder = Folder::new();
    let script = "trap 'echo interrupted > int' INT; echo ready; sleep 0.6; echo after";
    let mut command = tee(&folder, &["--full-ms", "0", "2500"]);
    command.current_dir(folder.path(""));
    let mut terminal = Terminal::run(command.args(sh(script)));
    terminal.wait_for("[held]");
    terminal.type_in("\x03");
    until("the interrupt", || folder.path("int").exists());
    assert_eq!(terminal.text(), "[held]", "nothing else before it was accepted");
    assert!(terminal.finish().success());
    let text = terminal.text();
    assert!(text.starts_with("[held]ready\r\n"), "{text}");
    assert_eq!(folder.log(), "notice [held]\n");
    assert_eq!(folder.output(), terminal.seen);
}

#[test]
fn captured_input_waits_for_room_but_an_interrupt_does_not() {
    let folder = Folder::new();
    let script = "trap 'echo interrupted > int' INT; echo ready; until read word; do :; done; echo got $word";
    let mut command = tee(&folder, &["--input", "--full-ms", "0", "2500"]);
    command.current_dir(folder.path(""));
    let mut terminal = Terminal::run(command.args(sh(script)));
    terminal.wait_for("[held]");
    terminal.type_in("\x03");
    until("the interrupt", || folder.path("int").exists());
    assert_eq!(terminal.text(), "[held]");
    terminal.type_in("word\n");
    assert!(terminal.finish().success());
    assert!(terminal.text().contains("got word"), "{}", terminal.text());
    assert_eq!(folder.input(), b"\x03word\n");
}

#[test]
fn captured_input_is_passed_on_once_it_is_accepted() {
    let folder = Folder::new();
    let script = "echo ready; read a; read b; echo \"$a and $b\"";
    let mut terminal = Terminal::run(tee(&folder, &["--input", "--late-us", "30000"]).args(sh(script)));
    terminal.wait_for("ready");
    terminal.type_in("one\n");
    terminal.type_in("two\n");
    terminal.wait_for("one and two");
    assert!(terminal.finish().success());
    assert_eq!(folder.input(), b"one\ntwo\n");
    assert_eq!(folder.output(), terminal.seen);
}

#[test]
fn what_was_written_before_a_stop_is_shown_before_the_prompt() {
    for way in ["", "--late-us 20000"] {
        let folder = Folder::new();
        let mut terminal = shell();
        let demo = harness::demo();
        let line = format!("{} {way} {} sh -c 'echo before; kill -STOP $$'\n", demo.display(), folder.out().display());
        terminal.type_in(line);
        terminal.wait_for("Stopped");
        let text = terminal.text();
        assert!(text.find("before\r\n") < text.find("Stopped"), "{way}: {text}");
        terminal.wait_for_prompt();
        terminal.type_in("fg\n");
        terminal.wait_for_prompt();
        terminal.type_in("exit 0\n");
        assert!(terminal.finish().success());
    }
}

#[test]
fn hidden_input_is_said_to_be_hidden() {
    let folder = Folder::new();
    let script = "stty -echo; echo ready; read word; stty echo; echo again; read word; echo done";
    let mut terminal = Terminal::run(tee(&folder, &["--input"]).args(sh(script)));
    terminal.wait_for("ready");
    terminal.type_in("secret\n");
    terminal.wait_for("again");
    terminal.type_in("open\n");
    assert!(terminal.finish().success());
    assert_eq!(folder.input(), b"secret\nopen\n");
    assert_eq!(folder.log(), format!("hidden {:?}\n", b"secret\n"));
}

#[test]
fn a_session_that_must_end_ends() {
    let folder = Folder::new();
    let mut terminal = Terminal::run(tee(&folder, &["--end-ms", "200"]).args(sh("echo hello; exec sleep 60")));
    assert_eq!(terminal.finish().code(), Some(129));
    assert_eq!(folder.exit(), "129 Some(1) MaxDuration []");
    assert!(contains(&terminal.seen, b"hello"));
}

#[test]
fn a_recorder_that_fails_ends_the_session() {
    let folder = Folder::new();
    let script = "echo 12345; sleep 0.2; echo more; exec sleep 60";
    let mut terminal = Terminal::run(tee(&folder, &["--fatal-after", "8"]).args(sh(script)));
    assert_eq!(terminal.finish().code(), Some(125));
    assert_eq!(folder.exit(), "error the limit of this test is reached");
    assert!(!contains(&terminal.seen, b"more"));
}

#[test]
fn a_character_cut_in_two_writes_stays_exact() {
    let shown = "\u{1f600}";
    for pause in ["0.01", "0.05"] {
        let folder = Folder::new();
        let script = format!("printf '\\360\\237'; sleep {pause}; printf '\\230\\200'; sleep 0.1");
        let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
        assert!(terminal.finish().success());
        assert_eq!(terminal.text(), shown);
        assert_eq!(folder.output(), shown.as_bytes());
    }
}

#[test]
fn a_program_that_closes_its_terminal_can_open_it_again() {
    let folder = Folder::new();
    let script = "exec <&- >&- 2>&-; sleep 0.2; exec >/dev/tty; echo back";
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "back\r\n");
}

#[test]
fn a_killed_recorder_leaves_the_terminal_as_it_was() {
    let folder = Folder::new();
    let script = format!(
        "{} --guard {} sh -c 'echo $PPID > {}; exec sleep 60'; echo status $?; read word",
        harness::demo().display(),
        folder.out().display(),
        folder.path("pid").display()
    );
    let mut terminal = Terminal::run(Command::new("sh").args(["-c", &script]));
    let modes = || rustix::termios::tcgetattr(&terminal.master).unwrap().local_modes;
    // Asked for by name: by now it may be raw already.
    let edits = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    until("raw", || {
        !modes().intersects(edits) && fs::read_to_string(folder.path("pid")).is_ok_and(|pid| pid.ends_with('\n'))
    });
    kill("KILL", fs::read_to_string(folder.path("pid")).unwrap().trim());
    until("as it was", || modes().contains(edits));
    terminal.wait_for("status 137");
    terminal.type_in("word\n");
    assert!(terminal.finish().success());
}

#[test]
fn a_chattering_process_left_behind_delays_the_end_by_half_a_second_at_most() {
    let folder = Folder::new();
    let script = "trap '' HUP; yes & echo $! > pid; exit 4";
    let mut terminal = Terminal::run(tee(&folder, &[]).current_dir(folder.path("")).args(sh(script)));
    let begun = Instant::now();
    assert_eq!(terminal.finish().code(), Some(4));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(folder.output(), terminal.seen);
    // It ends by itself: its terminal is gone.
    let pid: u32 = fs::read_to_string(folder.path("pid")).unwrap().trim().parse().unwrap();
    until("the end of yes", || !is_running(pid));
}

#[test]
fn a_user_who_reads_nothing_costs_no_processor_time() {
    let folder = Folder::new();
    let script = "stty raw; head -c 300000 /dev/zero | tr '\\0' x; exit 5";
    let mut terminal = Terminal::run(tee(&folder, &[]).args(sh(script)));
    let pid = terminal.child.id();
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after = stat.rsplit(')').next().unwrap();
        after.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    };
    std::thread::sleep(Duration::from_millis(500));
    let before = ticks();
    std::thread::sleep(Duration::from_millis(500));
    // Half a second is 50 ticks.
    assert!(ticks() - before < 10, "{} ticks", ticks() - before);
    assert_eq!(terminal.finish().code(), Some(5));
    assert_eq!(terminal.seen.len(), 300_000);
}

#[test]
fn ctrl_z_stops_a_program_that_runs_without_a_shell() {
    let folder = Folder::new();
    let mut terminal = shell();
    terminal.type_in(format!("{} {} cat\n", harness::demo().display(), folder.out().display()));
    until("cat", || folder.path("out.o").exists());
    terminal.type_in("one\n");
    terminal.wait_for("one\r\none\r\n");
    terminal.type_in("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for_prompt();
    terminal.type_in("fg\n");
    terminal.type_in("two\n");
    terminal.wait_for("two\r\ntwo\r\n");
    terminal.type_in("\x04");
    terminal.wait_for_prompt();
    terminal.type_in("exit 0\n");
    assert!(terminal.finish().success());
    assert_eq!(folder.exit(), "0 None Exited []");
}
