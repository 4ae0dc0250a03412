//! What only other programs can set up around a recorder: blocked signals, groups, niceness, and what then arrives inside.

use hansard_tests::call::{Call, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs};

/// `cat /proc/self/status`, run by `program ARGS…`, plain and recorded, without and with a terminal.
fn compare(program: &str, args: &[&str]) {
    let home = Home::new();
    let interesting = ["Sig", "Shd", "Umask", "Groups", "Uid", "Gid", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed"];
    let lines = |text: String| -> Vec<String> {
        let kept = |line: &&str| interesting.iter().any(|name| line.starts_with(name)) && !line.starts_with("SigQ");
        text.lines().map(str::trim_end).filter(kept).map(process::without_library_signals).collect()
    };
    let cat = home.call(programs::outside("cat")).arg("/proc/self/status");
    let plain = cat.clone().within(programs::outside(program), args);
    let recorded = cat.within(programs::recorder(), ["run", "--quiet", "--"]).within(programs::outside(program), args);
    let piped = |call: &Call| lines(said(&call.output()));
    let without = piped(&plain);
    assert!(without.len() > 10, "{without:?}");
    assert_eq!(piped(&recorded), without, "{program} {args:?}");
    let shown = |call: &Call| {
        let mut terminal = Terminal::running(call);
        assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
        lines(String::from_utf8_lossy(&terminal.drained()).into_owned())
    };
    assert_eq!(shown(&recorded), shown(&plain), "{program} {args:?}, on a terminal");
}

#[test]
fn blocked_signals() {
    compare("env", &["--block-signal=USR1"]);
    compare("env", &["--block-signal=TERM,HUP,CHLD,WINCH,PIPE,INT,TSTP"]);
}

#[test]
fn ignored_signals() {
    compare("env", &["--ignore-signal=PIPE,HUP"]);
    compare("env", &["--ignore-signal"]);
}

#[test]
fn groups() {
    compare("setpriv", &["--groups", "4,20,27"]);
    compare("setpriv", &["--clear-groups", "--no-new-privs"]);
}

#[test]
fn processors() {
    compare("taskset", &["-c", "0"]);
}
