//! What a program finds around it, with the recorder and without: nothing may differ.
#![allow(clippy::unwrap_used)]

mod harness;

use std::fs;
use std::process::Command;

use harness::{Folder, Terminal};

/// What the kernel says of the program that reads it, but for what differs between any two runs.
fn told(text: &str) -> Vec<&str> {
    const OF_A_PROCESS: [&str; 17] = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "NoNewPrivs",
        "Seccomp",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "SigPnd",
        "ShdPnd",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "Max",
    ];
    text.lines().map(str::trim_end).filter(|line| OF_A_PROCESS.iter().any(|key| line.starts_with(key))).collect()
}

/// A parent that gives unusual surroundings and then becomes the command.
fn parent(folder: &Folder, command: &str) -> Command {
    let mut parent = Command::new("sh");
    let script = format!(
        "umask 027; ulimit -n 99; ulimit -c 0; ulimit -s 4096; cd /usr; exec 7< /etc/passwd 9> {}; \
         exec env --ignore-signal=PIPE,HUP,USR2 --block-signal=ALRM,WINCH,USR1 nice -n 3 {command}",
        folder.path("nine").display()
    );
    parent.args(["-c", &script]).env("A_VARIABLE", "with = and\nlines");
    parent
}

const FILES: &str = "cat /proc/self/status /proc/self/limits";

#[test]
fn status_and_limits_are_the_same() {
    let folder = Folder::new();
    let bare = parent(&folder, FILES).output().unwrap();
    let bare = String::from_utf8(bare.stdout).unwrap();
    let bare = told(&bare);
    // That the comparison can fail: the unusual is there.
    assert!(bare.contains(&"Umask:\t0027"), "{bare:?}");
    assert!(bare.iter().any(|line| line.starts_with("SigIgn:\t") && !line.ends_with("0000000000000000")), "{bare:?}");
    assert!(bare.iter().any(|line| line.starts_with("SigBlk:\t") && !line.ends_with("0000000000000000")), "{bare:?}");
    assert!(bare.iter().any(|line| line.starts_with("Max open files") && line.contains("99")), "{bare:?}");
    for way in ["--exec", "--front"] {
        let command = format!("{} {way} {} {FILES}", harness::demo().display(), folder.out().display());
        let teed = parent(&folder, &command).output().unwrap();
        assert_eq!(told(&String::from_utf8(teed.stdout).unwrap()), bare, "{way}");
    }
    let command = format!("{} {} {FILES}", harness::demo().display(), folder.out().display());
    let mut terminal = Terminal::run(&parent(&folder, &command));
    assert!(terminal.finish().success(), "{}", terminal.text());
    let mut expected = Terminal::run(&parent(&folder, FILES));
    assert!(expected.finish().success());
    assert_eq!(told(&terminal.text()), told(&expected.text()));
    assert!(told(&terminal.text()).len() > 20);
}

#[test]
fn no_signal_is_ignored_that_was_not() {
    let folder = Folder::new();
    let default = "env --default-signal=PIPE,HUP,CHLD,INT,QUIT,TERM grep -E ^Sig(Ign|Blk) /proc/self/status";
    for way in ["--exec", "--front"] {
        let words = default.replacen(
            "grep",
            &format!("{} {way} {} grep", harness::demo().display(), folder.out().display()),
            1,
        );
        let bare = Command::new("env").args(default.split(' ').skip(1)).output().unwrap();
        let teed = Command::new("env").args(words.split(' ').skip(1)).output().unwrap();
        assert!(!bare.stdout.is_empty());
        assert_eq!(String::from_utf8_lossy(&teed.stdout), String::from_utf8_lossy(&bare.stdout), "{way}");
    }
}

#[test]
fn environment_directory_priority_and_oom_score_are_the_same() {
    for files in
        ["cat /proc/self/environ", "pwd -P", "nice", "cat /proc/self/oom_score_adj", "id -G", "cat /proc/self/cgroup"]
    {
        let folder = Folder::new();
        let bare = parent(&folder, files).output().unwrap();
        assert!(!bare.stdout.is_empty(), "{files}");
        for way in ["--exec", "--front"] {
            let command = format!("{} {way} {} {files}", harness::demo().display(), folder.out().display());
            let teed = parent(&folder, &command).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&teed.stdout), String::from_utf8_lossy(&bare.stdout), "{way} {files}");
        }
        let command = format!("{} {} {files}", harness::demo().display(), folder.out().display());
        let mut teed = Terminal::run(&parent(&folder, &command));
        let mut bare = Terminal::run(&parent(&folder, files));
        assert!(teed.finish().success() && bare.finish().success());
        assert_eq!(teed.text(), bare.text(), "{files}");
    }
}

#[test]
fn descriptors_are_the_same_and_none_is_ours() {
    let folder = Folder::new();
    let list = "ls -l --time-style=+ /proc/self/fd";
    // The list's own descriptor on the folder is in it, the pipes and terminals have numbers of their own.
    let numbers = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| line.split_once(" -> ").map(|(left, to)| (left, to.trim_end())));
        let mut rows: Vec<String> = names
            .map(|(left, to)| {
                let number = left.rsplit(' ').next().unwrap_or_default();
                let to = match to {
                    _ if to.starts_with("pipe:") => "a pipe",
                    _ if to.starts_with("/dev/pts/") => "a terminal",
                    _ if to.starts_with("/proc/") => "the list",
                    to => to,
                };
                format!("{} {number} -> {to}", left.split(' ').next().unwrap_or_default())
            })
            .collect();
        rows.sort();
        rows
    };
    let bare = numbers(&String::from_utf8(parent(&folder, list).output().unwrap().stdout).unwrap());
    assert!(bare.iter().any(|row| row.ends_with("7 -> /etc/passwd")), "{bare:?}");
    for way in ["--exec", "--front"] {
        let command = format!("{} {way} {} {list}", harness::demo().display(), folder.out().display());
        let teed = parent(&folder, &command).output().unwrap();
        assert_eq!(numbers(&String::from_utf8(teed.stdout).unwrap()), bare, "{way}");
    }
    let mut bare = Terminal::run(&parent(&folder, list));
    let command = format!("{} {} {list}", harness::demo().display(), folder.out().display());
    let mut teed = Terminal::run(&parent(&folder, &command));
    assert!(teed.finish().success() && bare.finish().success());
    assert_eq!(numbers(&teed.text()), numbers(&bare.text()));
    assert!(!numbers(&teed.text()).is_empty());
}

#[test]
fn what_was_closed_stays_closed() {
    let folder = Folder::new();
    for way in ["--exec", "--front"] {
        for closed in ["<&-", "2>&-", "<&- 2>&-"] {
            let list = "exec ls /proc/self/fd";
            let bare = Command::new("sh").args(["-c", &format!("{list} {closed}")]).output().unwrap();
            let script =
                format!("exec {} {way} {} {} {closed}", harness::demo().display(), folder.out().display(), &list[5..]);
            let teed = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&teed.stdout), String::from_utf8_lossy(&bare.stdout), "{way} {closed}");
        }
    }
}

#[test]
fn an_inherited_descriptor_is_only_the_childs() {
    for way in ["--exec", "--front"] {
        let folder = Folder::new();
        // Who reads descriptor 5 to its end waits for the child to close it, not for the recorder.
        let script = format!(
            "{{ {} {way} {} sh -c 'echo word >&5; exec 5>&-; exec sleep 60' 5>&1 >/dev/null 2>&1 & echo $! > {}; }} | cat; echo end",
            harness::demo().display(),
            folder.out().display(),
            folder.path("pid").display()
        );
        let output = Command::new("timeout").args(["20", "sh", "-c", &script]).output().unwrap();
        harness::kill("TERM", fs::read_to_string(folder.path("pid")).unwrap().trim());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "word\nend\n", "{way}");
    }
}

#[test]
fn shared_open_files_stay_blocking() {
    let folder = Folder::new();
    // bash's own check: a non-blocking standard input or output would show in the flags.
    let flags = "grep flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2";
    let script = format!(
        "{flags} > {0}a; {1} {0} sh -c 'sleep 0.3' & sleep 0.15; {flags} > {0}b; wait; {flags} > {0}c",
        folder.out().display(),
        harness::demo().display()
    );
    let mut terminal = Terminal::run(Command::new("sh").args(["-c", &script]));
    assert!(terminal.finish().success());
    let [a, b, c] = ["outa", "outb", "outc"].map(|name| fs::read_to_string(folder.path(name)).unwrap());
    let terminal_flags = |text: &str| text.lines().filter(|line| !line.contains("/1:")).collect::<Vec<_>>().join("\n");
    assert!(a.contains("flags"));
    assert_eq!(terminal_flags(&b), terminal_flags(&a));
    assert_eq!(terminal_flags(&c), terminal_flags(&a));
}
