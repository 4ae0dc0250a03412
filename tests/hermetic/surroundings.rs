//! The recorded program finds the surroundings that it would have without a recorder.
//!
//! Each test runs the same program twice, once recorded, and compares what the two were given. Blocked signals and
//! supplementary groups need programs of the outside: `real/surroundings.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs};
use rustix::termios::{InputModes, LocalModes, SpecialCodeIndex};

/// How something is run: as it is, or recorded.
fn recorded(home: &Home, call: &Call) -> Call {
    let mut call = call.clone().within(programs::recorder(), ["run", "--quiet", "--"]);
    call.dir = home.path().into();
    call
}

/// What `surroundings` wrote down.
fn facts(file: &PathBuf) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().map(str::to_owned).collect()
}

fn assert_same(without: &BTreeSet<String>, with: &BTreeSet<String>) {
    let lost: Vec<_> = without.difference(with).collect();
    let gained: Vec<_> = with.difference(without).collect();
    assert!(without.len() > 20, "too few facts to mean anything: {without:?}");
    assert!(lost.is_empty() && gained.is_empty(), "without the recorder only:\n{lost:#?}\nwith it only:\n{gained:#?}");
}

/// Runs `surroundings` both ways, each time set up by `setup` in a shell, without a terminal.
fn compare_exec(setup: &str) {
    let home = Home::new();
    let run = |name: &str, record: bool| {
        let file = home.join(name);
        let call = home.call(programs::own("surroundings")).arg(&file).args(["an argument", "", "\u{e9}"]);
        let call = if record { recorded(&home, &call) } else { call };
        let output = call.env("HANSARD_TEST", "a value").after(setup).output_with(b"");
        assert_eq!(code(&output), 0, "{}", said(&output));
        facts(&file)
    };
    assert_same(&run("without", false), &run("with", true));
}

/// The same on a terminal.
fn compare_terminal(setup: &str, prepare: impl Fn(&Terminal)) {
    let home = Home::new();
    let run = |name: &str, record: bool| {
        let file = home.join(name);
        let call = home.call(programs::own("surroundings")).arg(&file);
        let call = if record { recorded(&home, &call) } else { call };
        let mut terminal = Terminal::open();
        prepare(&terminal);
        terminal.run(&call.after(setup));
        assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
        facts(&file)
    };
    assert_same(&run("without", false), &run("with", true));
}

#[test]
fn without_a_terminal() {
    compare_exec("");
}

#[test]
fn with_a_umask_and_limits_of_the_parents() {
    compare_exec("umask 027; ulimit -S -n 200; ulimit -S -c 0; ulimit -S -s 4096; ulimit -H -u 5000 2>/dev/null");
}

#[test]
fn with_core_dumps_allowed() {
    compare_exec("ulimit -S -c $(ulimit -H -c)");
}

#[test]
fn with_descriptors_of_the_parents() {
    compare_exec("exec 3</dev/null 5>/dev/null 9</etc/passwd");
}

#[test]
fn with_standard_descriptors_closed_by_the_parent() {
    compare_exec("exec 0</dev/null");
}

#[test]
fn on_a_terminal() {
    compare_terminal("", |_| {});
}

#[test]
fn on_a_terminal_with_descriptors_and_a_umask() {
    compare_terminal("umask 077; exec 4</dev/null 7>/dev/null", |_| {});
}

#[test]
fn on_a_terminal_with_modes_and_a_size_of_its_own() {
    compare_terminal("", |terminal| {
        terminal.resize(132, 43);
        terminal.set_modes(|modes| {
            modes.input_modes.remove(InputModes::IXON);
            modes.input_modes.insert(InputModes::IUTF8);
            modes.local_modes.insert(LocalModes::NOFLSH);
            modes.local_modes.remove(LocalModes::ECHOK);
            modes.special_codes[SpecialCodeIndex::VINTR] = 0x18;
            modes.special_codes[SpecialCodeIndex::VERASE] = 0x08;
        });
    });
}

#[test]
fn on_a_terminal_of_no_size_and_of_a_huge_one() {
    compare_terminal("", |terminal| terminal.resize(0, 0));
    compare_terminal("", |terminal| terminal.resize(2000, 1500));
}

#[test]
fn on_a_raw_terminal() {
    compare_terminal("", |terminal| terminal.set_modes(rustix::termios::Termios::make_raw));
}

/// Lines of `/proc/self/status` that differ between any two processes.
const OWN: &[&str] = &[
    "Pid",
    "PPid",
    "Tgid",
    "Ngid",
    "NStgid",
    "NSpid",
    "NSpgid",
    "NSsid",
    "TracerPid",
    "FDSize",
    "Vm",
    "Rss",
    "Hugetlb",
    "SigQ",
    "voluntary",
    "nonvoluntary",
    "Threads",
    "untag_mask",
];

fn status_lines(text: &str) -> BTreeSet<String> {
    let own = |line: &str| OWN.iter().any(|name| line.starts_with(name));
    // A terminal adds CR before LF.
    text.lines()
        .map(str::trim_end)
        .filter(|line| line.contains(":\t") && !own(line))
        .map(process::without_library_signals)
        .collect()
}

/// What `cat /proc/self/status` says both ways: umask, groups, capabilities, and signals blocked, ignored, caught.
/// (`cat` changes none of them, where any program in Rust or a shell would.)
fn compare_status(setup: &str) {
    let home = Home::new();
    let cat = home.call(programs::outside("cat")).arg("/proc/self/status");
    let direct = cat.clone().after(setup).output();
    let through = recorded(&home, &cat).after(setup).output();
    let (without, with) = (said(&direct), said(&through));
    assert_same(&status_lines(&without), &status_lines(&with));

    let on_terminal = |call: Call| {
        let mut terminal = Terminal::running(&call.after(setup));
        assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
        String::from_utf8_lossy(&terminal.drained()).into_owned()
    };
    let (without, with) = (on_terminal(cat.clone()), on_terminal(recorded(&home, &cat)));
    assert_same(&status_lines(&without), &status_lines(&with));
}

#[test]
fn signals_as_they_are_by_default() {
    compare_status("");
}

#[test]
fn signals_that_the_parent_ignores() {
    // What nohup, cron's mailers and Python's subprocess leave behind.
    compare_status("trap '' PIPE");
    compare_status("trap '' HUP");
    compare_status("trap '' PIPE HUP INT QUIT TERM USR1 USR2 CHLD TSTP TTOU TTIN WINCH ALRM");
}

#[test]
fn a_umask_of_the_parents() {
    compare_status("umask 0137");
}
