//! Exec sessions: streams apart and exact, ends passed on, signals, what is left running; in one process and in two.
#![allow(clippy::unwrap_used)]

mod harness;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{Folder, kill, sh, tee, until};

/// Both ways to run an exec session.
const WAYS: [&str; 2] = ["--exec", "--front"];

fn run(folder: &Folder, options: &[&str], script: &str) -> Output {
    tee(folder, options).args(sh(script)).stdin(Stdio::null()).output().unwrap()
}

/// Past the exit of a front, its worker writes the end.
fn ended(folder: &Folder) -> String {
    until("the end", || folder.path("out.exit").exists() && !folder.exit().is_empty());
    folder.exit()
}

#[test]
fn streams_are_apart_and_exact() {
    for way in WAYS {
        let folder = Folder::new();
        let data: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        fs::write(folder.path("data"), &data).unwrap();
        let script = format!("cat {0}; cat {0} {0} >&2", folder.path("data").display());
        for late in [&[way][..], &[way, "--late-us", "300"]] {
            let output = run(&folder, late, &script);
            assert!(output.status.success());
            assert!(output.stdout == data && folder.output() == data, "{late:?}");
            assert!(output.stderr == data.repeat(2) && folder.error() == output.stderr, "{late:?}");
        }
    }
}

#[test]
fn statuses_and_signals_are_as_without() {
    for way in WAYS {
        for (script, status, words) in [
            ("exit 0", 0, "0 None Exited []"),
            ("exit 200", 200, "200 None Exited []"),
            ("kill -TERM $$", 143, "143 Some(15) Signalled []"),
            ("kill -KILL $$", 137, "137 Some(9) Signalled []"),
        ] {
            let folder = Folder::new();
            assert_eq!(run(&folder, &[way], script).status.code(), Some(status), "{way} {script}");
            assert_eq!(ended(&folder), words, "{way} {script}");
        }
        for (program, status) in [("/no/such/program", 127), ("no-such-program", 127), ("/etc", 126)] {
            let folder = Folder::new();
            let output = tee(&folder, &[way]).arg(program).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{way} {program}");
            assert!(ended(&folder).starts_with("error "), "{way} {program}");
        }
    }
}

#[test]
fn the_child_sees_no_terminal_and_keeps_group_and_session() {
    for way in WAYS {
        let folder = Folder::new();
        let script = "test -t 0 || test -t 1 || test -t 2 || echo no terminal; cut -d' ' -f5,6 /proc/self/stat";
        let bare = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap();
        let teed = run(&folder, &[way], script);
        assert_eq!(String::from_utf8_lossy(&teed.stdout), String::from_utf8_lossy(&bare.stdout), "{way}");
    }
}

#[test]
fn input_that_is_off_is_the_childs_own() {
    for way in WAYS {
        let folder = Folder::new();
        fs::write(folder.path("list"), "one\ntwo\nthree\n").unwrap();
        let script = format!(
            "while read h; do {} {way} {} echo host $h; done < {}",
            harness::demo().display(),
            folder.out().display(),
            folder.path("list").display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "host one\nhost two\nhost three\n", "{way}");
    }
}

#[test]
fn captured_input_of_a_file_gives_back_what_was_not_read() {
    for way in WAYS {
        let folder = Folder::new();
        fs::write(folder.path("list"), "one\ntwo\nthree\n").unwrap();
        let script = format!(
            "while read h; do {} {way} --input {} echo host $h; done < {}",
            harness::demo().display(),
            folder.out().display(),
            folder.path("list").display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "host one\nhost two\nhost three\n", "{way}");
    }
}

#[test]
fn the_end_of_input_is_passed_on_and_all_before_it() {
    for way in WAYS {
        for options in [&[way][..], &[way, "--input"], &[way, "--input", "--late-us", "300"]] {
            let folder = Folder::new();
            let mut command = tee(&folder, options);
            let mut child = command.args(["wc", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let data = vec![b'x'; 1_000_000];
            child.stdin.take().unwrap().write_all(&data).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1000000", "{options:?}");
            if options.len() > 1 {
                assert!(folder.input() == data);
                assert_eq!(folder.log(), "end\n");
            }
        }
    }
}

#[test]
fn a_closed_pipe_ends_the_writer_as_without() {
    for way in WAYS {
        let folder = Folder::new();
        // `yes` is ended by SIGPIPE, not by its error message: the disposition is the original one.
        let script = format!(
            "{{ env --default-signal=PIPE {} {way} {} yes; echo $? > {}; }} | head -n 3",
            harness::demo().display(),
            folder.out().display(),
            folder.path("status").display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "y\ny\ny\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        until("the status", || folder.path("status").exists());
        assert_eq!(fs::read_to_string(folder.path("status")).unwrap(), "141\n", "{way}");
    }
}

#[test]
fn an_output_that_the_child_closes_ends_for_its_reader() {
    for way in WAYS {
        let folder = Folder::new();
        let mut child = tee(&folder, &[way])
            .args(sh("echo hi; exec >&-; exec sleep 60"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        let begun = Instant::now();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi\n");
        assert!(begun.elapsed() < Duration::from_secs(20), "{way}");
        kill("TERM", child.id());
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }
}

#[test]
fn a_signal_from_a_process_is_passed_on_once() {
    for way in WAYS {
        for signal in ["TERM", "INT", "HUP", "USR1", "QUIT"] {
            let folder = Folder::new();
            let mut command = tee(&folder, &[way]);
            let script = format!(
                "trap 'echo caught' {signal}; echo ready; i=0; while test $i -lt 15; do sleep 0.02; i=$((i+1)); done; exit 9"
            );
            let mut child = command.args(sh(script)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            until("ready", || folder.path("out.o").exists() && folder.output() == b"ready\n");
            kill(signal, child.id());
            let mut text = String::new();
            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "ready\ncaught\n", "{way} {signal}");
            assert_eq!(child.wait().unwrap().code(), Some(9));
        }
    }
}

#[test]
fn a_keyboard_interrupt_is_the_groups_and_not_doubled() {
    for way in WAYS {
        let folder = Folder::new();
        // The recorder's standard input is no terminal, but its process group is in the terminal's foreground.
        let script = format!(
            "{} {way} {} sh -c 'trap \"echo caught\" INT; echo ready; i=0; while test $i -lt 20; do sleep 0.02; i=$((i+1)); done; exit 9' < /dev/null; echo status $?",
            harness::demo().display(),
            folder.out().display()
        );
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "-i", "-c", &script]);
        let mut terminal = harness::Terminal::run(&command);
        terminal.wait_for("ready");
        terminal.type_in("\x03");
        terminal.wait_for("status 9");
        assert_eq!(terminal.text().matches("caught").count(), 1, "{way} {}", terminal.text());
        assert_eq!(String::from_utf8(folder.output()).unwrap(), "ready\ncaught\n");
    }
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for way in WAYS {
        let folder = Folder::new();
        let mut terminal = harness::shell();
        // Not a loop in sh: its vfork may be stopped halfway, and then it hangs, with and without a recorder.
        let line = format!(
            "{} {way} {} sh -c 'echo ready; exec sleep 0.5' < /dev/null\n",
            harness::demo().display(),
            folder.out().display()
        );
        terminal.type_in(line);
        terminal.wait_for("ready\r\n");
        terminal.type_in("\x1a");
        terminal.wait_for("Stopped");
        terminal.wait_for_prompt();
        terminal.type_in("fg\n");
        terminal.wait_for_prompt();
        terminal.type_in("exit 0\n");
        assert!(terminal.finish().success());
        assert_eq!(ended(&folder), "0 None Exited []", "{way}");
    }
}

#[test]
fn what_is_left_running_delays_the_reader_but_not_the_shell() {
    let folder = Folder::new();
    let mut command = tee(&folder, &["--front"]);
    let script = "(sleep 1.5; echo late) & echo hi; exit 3";
    let begun = Instant::now();
    let mut child = command.args(sh(script)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1400), "the caller waited: {:?}", begun.elapsed());
    assert_eq!(status.code(), Some(3));
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hi\nlate\n");
    assert!(begun.elapsed() > Duration::from_millis(1400));
    assert_eq!(ended(&folder), "3 None Exited []");
    assert_eq!(folder.output(), b"hi\nlate\n");
}

#[test]
fn one_process_waits_for_what_is_left_running() {
    let folder = Folder::new();
    let output = run(&folder, &["--exec"], "(sleep 0.3; echo late) & echo hi");
    assert_eq!(output.stdout, b"hi\nlate\n");
}

#[test]
fn a_killed_worker_is_the_fronts_own_failure() {
    let folder = Folder::new();
    let mut command = tee(&folder, &["--front"]);
    let script = "echo ready; sleep 0.3; echo lost; exit 0";
    let mut child = command.args(sh(script)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    until("ready", || folder.path("out.o").exists() && folder.output() == b"ready\n");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let worker = children.split_whitespace().next().unwrap();
    let name = fs::read_to_string(format!("/proc/{worker}/comm")).unwrap();
    assert_eq!(name, "tee_demo\n", "the worker was forked first: {children}");
    kill("KILL", worker);
    assert_eq!(child.wait().unwrap().code(), Some(125));
}

#[test]
fn a_recorder_that_fails_or_must_end_ends_the_command() {
    for way in WAYS {
        let folder = Folder::new();
        let output = run(&folder, &[way, "--fatal-after", "8"], "echo 12345; sleep 0.1; echo more; exec sleep 60");
        assert_eq!(output.status.code(), Some(125), "{way}");
        assert_eq!(output.stdout, b"12345\n");
        assert_eq!(ended(&folder), "error the limit of this test is reached");
        let folder = Folder::new();
        let output = run(&folder, &[way, "--end-ms", "200"], "echo 12345; exec sleep 60");
        assert_eq!(output.status.code(), Some(143), "{way}");
        assert_eq!(ended(&folder), "143 Some(15) MaxDuration []");
    }
}

#[test]
fn held_output_comes_when_there_is_room() {
    for way in WAYS {
        let folder = Folder::new();
        let output = run(&folder, &[way, "--full-ms", "0", "400"], "echo one; echo two >&2");
        assert_eq!(output.stdout, b"one\n", "{way}");
        assert_eq!(output.stderr, b"[held]two\n");
        assert_eq!(folder.error(), b"two\n");
        assert_eq!(folder.log(), "notice [held]\n");
    }
}

#[test]
fn a_large_pipe_takes_little_memory() {
    for way in WAYS {
        let folder = Folder::new();
        let script = "head -c 268435456 /dev/zero";
        let mut child = tee(&folder, &[way]).args(sh(script)).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut bytes = vec![0; 1 << 16];
        let (mut total, mut peak) = (0, 0);
        loop {
            let count = stdout.read(&mut bytes).unwrap();
            if count == 0 {
                break;
            }
            total += count;
            if peak == 0 && total > 200_000_000 {
                peak = peak_kib(child.id()) + worker_of(child.id()).map_or(0, peak_kib);
            }
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(total, 268_435_456);
        assert!((1..16 * 1024).contains(&peak), "{way}: {peak} KiB");
    }
}

fn worker_of(front: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{front}/task/{front}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_shared_file_keeps_its_offset_and_flags() {
    for way in WAYS {
        let folder = Folder::new();
        let log = folder.path("log");
        let script = format!(
            "{{ echo before; {} {way} {} sh -c 'echo out; echo err >&2'; echo after; }} > {} 2>&1",
            harness::demo().display(),
            folder.out().display(),
            log.display()
        );
        assert_eq!(Command::new("sh").args(["-c", &script]).status().unwrap().into_raw(), 0);
        let mut lines: Vec<String> = fs::read_to_string(&log).unwrap().lines().map(Into::into).collect();
        assert_eq!((lines.remove(0), lines.pop()), ("before".into(), Some("after".into())));
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
    }
}

/// In this order: what was read before the limit is accepted late, what comes behind it need not be accepted.
#[test]
fn what_is_over_the_limit_passes_and_is_summed_up() {
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for way in WAYS {
        for late in [&[way][..], &[way, "--late-us", "3000"]] {
            let folder = Folder::new();
            fs::write(folder.path("data"), &data).unwrap();
            let input = fs::File::open(folder.path("data")).unwrap();
            let options = [late, &["--input", "--limit", "100000"]].concat();
            let output = tee(&folder, &options).args(sh("cat; echo error >&2")).stdin(input).output().unwrap();
            assert!(output.status.success() && output.stderr == b"error\n", "{options:?}");
            assert!(output.stdout == data, "{options:?}");
            ended(&folder);
            assert!(folder.output() == data[..100_000] && folder.input() == data[..100_000], "{options:?}");
            let log = folder.log();
            let count = |line: &str| log.lines().filter(|one| *one == line).count();
            assert!(count("passing") >= 2 && count("rest with a tail of 65536 bytes") == 2, "{options:?}: {log}");
        }
    }
}
