//! Recording without a terminal: the streams apart and exact, ends of file, statuses and pipes as without a recorder.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::{LONG, SOON, process, programs, stream, wait_until};
use sha2::{Digest, Sha256};

use crate::heavy;

#[test]
fn output_and_error_are_apart_and_exact() {
    let home = Home::new();
    let emit = programs::own("emit");
    let emit = emit.display();
    let script = format!("{emit} random 1 300000 4093; {emit} random 2 200000 1000 >&2; printf 'end\\377'");
    let output = home.record_sh(&script).output();
    let mut expected = stream::random(1, 300_000);
    expected.extend_from_slice(b"end\xff");
    assert_eq!(code(&output), 0);
    assert!(output.stdout == expected, "standard output is not exact");
    assert!(output.stderr == stream::random(2, 200_000), "standard error is not exact");
    assert!(home.raw_stream("latest", "output") == expected, "recorded output is not exact");
    assert!(home.raw_stream("latest", "error") == stream::random(2, 200_000), "recorded error is not exact");
    home.assert_complete();
}

#[test]
fn statuses_are_those_without_a_recorder() {
    let home = Home::new();
    for script in [
        "true",
        "false",
        "exit 3",
        "exit 125",
        "exit 255",
        "kill -TERM $$",
        "kill -KILL $$",
        "kill -HUP $$",
        "kill -PIPE $$",
    ] {
        let without = std::process::Command::new("/bin/sh").args(["-c", script]).output().expect("a shell");
        let with = home.record_sh(script).output();
        assert_eq!(with.status.code(), Some(code(&without)), "`{script}`: {}", said(&with));
    }
    let with = home.record_sh("kill -TERM $$").output();
    assert_eq!(with.status.code(), Some(143));
    home.assert_complete();
}

#[test]
fn a_command_that_cannot_run_has_the_usual_status() {
    let home = Home::new();
    let missing = home.record(["/nowhere/at/all"]).output();
    assert_eq!(code(&missing), 127, "{}", said(&missing));
    assert!(said(&missing).contains("/nowhere/at/all"), "{}", said(&missing));
    let file = home.write_private("not-a-program", "just text");
    let refused = home.record([&file]).output();
    assert_eq!(code(&refused), 126, "{}", said(&refused));
    assert!(said(&refused).contains("not-a-program"), "{}", said(&refused));
}

#[test]
fn end_of_file_reaches_the_command() {
    let home = Home::new();
    let emit = programs::own("emit");
    let output = home.record([emit.to_str().expect("a path"), "count"]).output_with(&stream::random(3, 1_000_000));
    assert_eq!((code(&output), &*output.stdout), (0, &b"1000000\n"[..]), "{}", said(&output));
    let empty = home.record(["cat"]).output();
    assert_eq!((code(&empty), &*empty.stdout), (0, &b""[..]));
}

#[test]
fn a_loop_reads_its_whole_list() {
    // A recorder that read ahead would eat the lines of the loop around it.
    let home = Home::new();
    let list = home.write_private("list", "alpha\nbeta\ngamma\ndelta\n");
    let recorder = programs::recorder();
    let script =
        format!("while read h; do {} run --quiet -- /bin/echo \"<$h>\"; done < {}", recorder.display(), list.display());
    let output = home.call("/bin/sh").args(["-c", &script]).output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<alpha>\n<beta>\n<gamma>\n<delta>\n", "{}", said(&output));
    assert_eq!(home.sessions().len(), 4);
    home.assert_complete();
}

#[test]
fn a_command_that_reads_one_line_leaves_the_rest() {
    let home = Home::new();
    let list = home.write_private("list", "first\nsecond\nthird\n");
    let script = format!(
        "{{ {} run --quiet -- /bin/sh -c 'read x; echo \"inner $x\"'; while read y; do echo \"outer $y\"; done; }} < {}",
        programs::recorder().display(),
        list.display()
    );
    let output = home.call("/bin/sh").args(["-c", &script]).output();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "inner first\nouter second\nouter third\n",
        "{}",
        said(&output)
    );
}

#[test]
fn a_gigabyte_passes_through_in_little_memory() {
    let _heavy = heavy();
    let home = Home::new();
    let (emit, length) = (programs::own("emit"), 1_u64 << 30);
    let mut source = home.call(&emit).args(["zeros", &length.to_string()]).command();
    let mut source = source.stdout(Stdio::piped()).spawn().expect("emit runs");
    let mut recorder = home
        .record(["cat"])
        .command()
        .stdin(source.stdout.take().expect("a pipe"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the recorder runs");
    let mut pipe = recorder.stdout.take().expect("a pipe");
    let counted = std::thread::spawn(move || {
        let (mut buffer, mut total, mut other) = (vec![0; 1 << 20], 0_u64, 0);
        loop {
            match pipe.read(&mut buffer).expect("its output") {
                0 => return (total, other),
                n => {
                    total += n as u64;
                    other += buffer[..n].iter().filter(|b| **b != 0).count();
                }
            }
        }
    });
    let started = Instant::now();
    let mut peak = 0;
    let status = loop {
        // Read while it lives: the kernel forgets with the process.
        peak = peak.max(process::peak_memory(recorder.id()).unwrap_or(0));
        if let Some(status) = process::ended_within(&mut recorder, Duration::from_millis(20)) {
            break status;
        }
        assert!(started.elapsed() < LONG, "a gigabyte took more than {LONG:?}");
    };
    source.wait().expect("emit");
    assert!(status.success(), "{status}");
    assert_eq!(counted.join().expect("the reader"), (length, 0));
    assert!(peak > 0 && peak < 64 << 20, "the recorder held {} MiB", peak >> 20);
    println!("1 GiB through a pipe in {:.1?}, {} MiB at most", started.elapsed(), peak >> 20);
    home.assert_complete();
}

#[test]
fn a_stream_over_its_limit_is_bounded_and_says_so() {
    let _heavy = heavy();
    let home = Home::new();
    let emit = programs::own("emit");
    let length = 80_usize << 20;
    let mut recorder = home
        .record([emit.to_str().expect("a path"), "random", "5", &length.to_string(), "65536"])
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the recorder runs");
    let mut whole = Vec::new();
    recorder.stdout.take().expect("a pipe").read_to_end(&mut whole).expect("its output");
    assert!(process::ended(&mut recorder, LONG).success());
    assert!(whole == stream::random(5, length), "what passed through is not exact");

    let kept = home.raw_stream("latest", "output");
    assert!(kept.len() < length && kept.len() >= 32 << 20, "{} bytes were kept", kept.len());
    assert!(whole.starts_with(&kept[..16 << 20]), "the head is not the stream's");
    assert!(whole.ends_with(&kept[kept.len() - 1024..]), "the tail is not the stream's");
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    let digest = hex::encode(Sha256::digest(&whole));
    let gaps: Vec<&str> = cast.lines().filter(|line| line.contains("\"g\"") && line.contains("bounded")).collect();
    assert!(gaps.iter().any(|gap| gap.contains(&digest)), "no gap has the digest of the whole: {gaps:?}");
}

#[test]
fn a_closed_pipe_ends_the_command_as_without_a_recorder() {
    let home = Home::new();
    let emit = programs::own("emit");
    let mut recorder = home
        .record([emit.to_str().expect("a path"), "bulk"])
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the recorder runs");
    let mut pipe = recorder.stdout.take().expect("a pipe");
    let mut some = [0; 1000];
    pipe.read_exact(&mut some).expect("its output");
    drop(pipe);
    process::ended(&mut recorder, SOON);
    assert!(home.raw_stream("latest", "output").starts_with(&some), "what was read is not recorded");
    home.assert_complete();
    // In a shell: `yes | head` as everybody writes it ends with the status of `head`.
    let script = format!("{} run --quiet -- yes | head -n 1", programs::recorder().display());
    let output = home.call("/bin/sh").args(["-c", &script]).output();
    assert_eq!((code(&output), &*output.stdout), (0, &b"y\n"[..]));
}

#[test]
fn the_command_sees_no_terminal() {
    let home = Home::new();
    let script = "for n in 0 1 2; do if [ -t $n ]; then echo $n is a terminal; else echo $n is none; fi; done";
    let output = home.record_sh(script).output_with(b"");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0 is none\n1 is none\n2 is none\n");
}

#[test]
fn a_job_in_the_background_holds_the_pipe_as_without_a_recorder() {
    // `ssh host cmd` ends when the command is gone and its pipes are closed; the job holds them for two seconds.
    let home = Home::new();
    let script = "sleep 2 & echo hi";
    let timed = |call: &mut std::process::Command| {
        let started = Instant::now();
        let output = call.stdin(Stdio::null()).output().expect("it runs");
        assert_eq!(output.stdout, b"hi\n");
        started.elapsed()
    };
    let without = timed(std::process::Command::new("/bin/sh").args(["-c", script]));
    let with = timed(&mut home.record_sh(script).command());
    assert!(
        with + Duration::from_millis(100) >= without,
        "it ended after {with:?}, without the recorder after {without:?}"
    );
    assert!(with < without + Duration::from_secs(2), "it ended after {with:?}, without the recorder after {without:?}");
}

#[test]
fn a_job_in_the_background_that_lets_go_of_the_pipe_is_not_waited_for() {
    let home = Home::new();
    let started = Instant::now();
    let output = home.record_sh("sleep 20 >/dev/null 2>&1 </dev/null & echo hi").output();
    assert_eq!((code(&output), &*output.stdout), (0, &b"hi\n"[..]));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "it waited {:?} for a job that holds nothing",
        started.elapsed()
    );
}

#[test]
fn output_arrives_while_the_command_runs() {
    let home = Home::new();
    let mut recorder = home
        .record_sh("echo now; read x; echo then")
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the recorder runs");
    let mut pipe = recorder.stdout.take().expect("a pipe");
    let mut line = [0; 4];
    pipe.read_exact(&mut line).expect("the first line");
    assert_eq!(&line, b"now\n");
    recorder.stdin.take().expect("a pipe").write_all(b"\n").expect("typed");
    let mut rest = String::new();
    pipe.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "then\n");
    assert!(process::ended(&mut recorder, SOON).success());
}

#[test]
fn signals_to_the_recorder_reach_the_command() {
    let home = Home::new();
    for (signal, status) in
        [(rustix::process::Signal::TERM, 7), (rustix::process::Signal::INT, 8), (rustix::process::Signal::HUP, 9)]
    {
        let mut recorder = home
            .record_sh(
                "trap 'exit 7' TERM; trap 'exit 8' INT; trap 'exit 9' HUP; echo ready; while :; do sleep 0.05; done",
            )
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the recorder runs");
        let mut line = [0; 6];
        recorder.stdout.as_mut().expect("a pipe").read_exact(&mut line).expect("ready");
        process::send(recorder.id(), signal);
        let ended = process::ended(&mut recorder, SOON);
        assert_eq!(ended.code(), Some(status), "after {signal:?}: {ended}");
    }
}

#[test]
fn many_at_once_share_one_spool() {
    let _heavy = heavy();
    let home = Home::new();
    let mut running: Vec<_> = (0..8)
        .map(|n| {
            let call = home.record_sh(&format!("echo session {n}; exit {n}"));
            call.command().stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the recorder runs")
        })
        .collect();
    for (n, recorder) in running.iter_mut().enumerate() {
        assert_eq!(process::ended(recorder, SOON).code(), Some(n as i32));
    }
    let ids = wait_until("eight sessions in the store", SOON, || Some(home.sessions()).filter(|ids| ids.len() == 8));
    let mut said: Vec<String> = ids.iter().map(|id| String::from_utf8_lossy(&home.raw(id)).into_owned()).collect();
    said.sort();
    assert_eq!(said, (0..8).map(|n| format!("session {n}\n")).collect::<Vec<_>>());
    home.assert_complete();
}
