//! A machine with systemd: the package from its installation to its downgrade, under sessions that run.

use hansard_tests::SOON;
use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;

use crate::machine::{GUEST, Machine};
use crate::packages::Version;

/// What `systemd-analyze security` may say at most, from 0 to 10. What is left: the three capabilities, the host's terminals,
/// processes and users, the network.
const EXPOSURE: f64 = 3.0;

#[test]
fn installing_records_nobody_and_is_ready_for_a_configuration() {
    let machine = Machine::with_systemd();
    let before = machine.ok("cat /etc/shells; cut -d: -f1,7 /etc/passwd");
    let said = machine.ok(&Machine::install(Version::Present));
    assert!(said.contains("there is no /etc/hansard/record.toml, so the agent is not started"), "{said}");

    let after = machine.ok("cat /etc/shells; cut -d: -f1,7 /etc/passwd | grep -v ^hansard:");
    assert_eq!(before, after, "no user has another shell, and none can choose hansard-shell");
    let state = machine.run("systemctl is-active hansard-agent.socket hansard-agent.service");
    assert_eq!(String::from_utf8_lossy(&state.stdout), "inactive\ninactive\n");
    machine.ok("systemctl is-enabled hansard-agent.socket hansard-agent.service");
    // Starting it without a configuration does nothing, and fails nothing.
    machine.ok("systemctl start hansard-agent.service");
    assert_eq!(code(&machine.run("systemctl is-active hansard-agent.service")), 3);

    let folders = "/etc/hansard /run/hansard /var/lib/hansard /var/lib/hansard/spool";
    assert_eq!(machine.ok(&format!("stat -c '%a %U' {folders}")), "755 root\n755 hansard\n711 root\n700 hansard\n");
    machine.ok("man -w hansard-record hansard-record-agent hansard-replay hansard-shell");
    machine.ok("dpkg -V hansard");
    assert_eq!(
        machine.ok("dpkg-query -f '${Conffiles}' -W hansard | awk '{ print $1 }'").trim(),
        "/etc/hansard/shell.conf"
    );
    let units = "hansard-agent.socket hansard-agent.service";
    assert_eq!(machine.ok(&format!("systemd-analyze verify {units} 2>&1 | grep -i hansard || true")), "");
    let judged = machine.ok("systemd-analyze security --no-pager hansard-agent.service | tail -n 1");
    let number = judged.split(' ').find_map(|word| word.parse::<f64>().ok()).expect("a number");
    assert!(number <= EXPOSURE, "{judged}");
}

#[test]
fn sessions_outlive_upgrade_and_downgrade_and_are_recorded_whole() {
    let machine = Machine::with_systemd();
    machine.ok(&Machine::install(Version::Present));
    machine.configure();
    machine.ok("systemctl start hansard-agent.service");
    machine.ok(&format!("hansard-record enroll {GUEST}"));
    machine.logs_in("echo hello", "hello\n");
    machine.settled(0);

    let mut terminal = Terminal::running(&machine.ssh(&["-t"]));
    let type_a_sum = |terminal: &Terminal, a: u32, b: u32| {
        terminal.type_in(format!("echo $(({a} + {b}))\r"));
        terminal.wait_text(&format!("{}\r\n", a + b));
    };
    type_a_sum(&terminal, 1_000, 1);
    what_the_hardening_leaves(&machine);
    let command = "i=0; while [ ! -e /tmp/enough ]; do i=$((i + 1)); echo line $i; sleep 0.02; done; exit 5";
    let running = std::thread::scope(|scope| {
        let looped = scope.spawn(|| machine.login(command));
        machine.settled(2);
        let first = machine.agent();
        let said = machine.ok(&Machine::install(Version::Later));
        assert!(!said.contains("error"), "{said}");
        let second = machine.agent();
        assert_ne!(first, second, "the new agent runs");
        assert_eq!(machine.ok(&format!("readlink /proc/{second}/exe")), "/usr/bin/hansard-record\n");
        type_a_sum(&terminal, 2_000, 2);

        a_broken_configuration_keeps_the_agent(&machine, &second);
        type_a_sum(&terminal, 3_000, 3);

        let third = machine.agent();
        machine.ok(&Machine::install(Version::Earlier));
        assert_ne!(third, machine.agent(), "the earlier agent runs");
        type_a_sum(&terminal, 4_000, 4);
        machine.ok("touch /tmp/enough");
        looped.join().expect("the loop")
    });
    terminal.type_in("exit 7\r");
    assert_eq!(terminal.status(SOON), 7, "{}", terminal.text());
    assert_eq!(code(&running), 5, "{}", String::from_utf8_lossy(&running.stderr));
    assert_eq!(machine.ok(&format!("getent passwd {GUEST} | cut -d: -f7")), "/usr/bin/hansard-shell\n");

    // The sessions of before and within the attempt, the terminal's, the loop's.
    let recordings = machine.recordings(4);
    assert!(recordings.contains(&running.stdout), "the loop was recorded whole");
    let text = String::from_utf8_lossy(&running.stdout).into_owned();
    let lines: String = (1..=text.lines().count()).map(|i| format!("line {i}\n")).collect();
    assert_eq!(text, lines, "each line once, in order");
    let typed = recordings.iter().map(|raw| String::from_utf8_lossy(raw)).find(|text| text.contains("1001")).unwrap();
    for sum in ["1001\r\n", "2002\r\n", "3003\r\n", "4004\r\n"] {
        assert_eq!(typed.matches(sum).count(), 1, "{sum:?} in {typed}");
    }
}

/// The agent's three capabilities work: the terminal is taken from its user, and the address is what sshd's own connection
/// says.
fn what_the_hardening_leaves(machine: &Machine) {
    let status: serde_json::Value = serde_json::from_str(&machine.ok("hansard-record status --json")).expect("json");
    let session = status.pointer("/sessions/0").unwrap_or_else(|| panic!("no session in {status:#}"));
    assert_eq!(session["bypass_possible"], false, "{status:#}");
    assert!(session["from"].as_str().is_some_and(|from| from.starts_with("127.")), "{status:#}");
    let tty = session["tty"].as_str().unwrap_or_else(|| panic!("no terminal: {status:#}"));
    assert_eq!(machine.ok(&format!("stat -c %U {tty}")), "hansard\n");
    let log = machine.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert!(log.contains("held_by_systemd=true"), "{log}");
}

fn a_broken_configuration_keeps_the_agent(machine: &Machine, agent: &str) {
    machine.write_config("recipiants = []");
    let said = machine.refused(&Machine::install(Version::Present));
    assert!(said.contains("recipiants") && said.contains("was left as it is"), "{said}");
    assert_eq!(machine.agent(), agent, "the agent that ran runs");
    machine.logs_in("echo still", "still\n");
    machine.settled(2);
    machine.write_config("");
    machine.ok("dpkg --no-triggers --configure hansard");
    assert_ne!(machine.agent(), agent, "the installed agent runs");
}

#[test]
fn a_configuration_that_is_there_first_is_looked_at_and_run_by() {
    let machine = Machine::with_systemd();
    // As configuration management does: the user and the files, then the package.
    machine.ok("useradd --system --home-dir /var/lib/hansard --shell /usr/sbin/nologin hansard; mkdir /etc/hansard");
    machine.configure();
    machine.write_config("grace = 'soon'");
    let said = machine.refused(&Machine::install(Version::Present));
    assert!(said.contains("grace"), "{said}");
    assert_eq!(code(&machine.run("systemctl is-active hansard-agent.socket")), 3, "nothing was started");
    machine.write_config("");
    machine.ok("dpkg --no-triggers --configure hansard");
    machine.ok(&format!("hansard-record enroll {GUEST}"));
    machine.logs_in("echo at once", "at once\n");
    machine.settled(0);
    // A login starts an agent that was stopped.
    machine.ok("systemctl stop hansard-agent.service");
    machine.logs_in("echo again", "again\n");
    machine.ok("systemctl is-active hansard-agent.service");
    machine.recordings(2);
    a_break_glass_entry_is_recorded_and_delivered_by_root(&machine);
}

fn a_break_glass_entry_is_recorded_and_delivered_by_root(machine: &Machine) {
    machine.ok(&format!(
        "groupadd -g 7300 oncall; gpasswd -a {GUEST} oncall
         sed -i 's/^# break_glass_gid.*/break_glass_gid = 7300/; s/^start_wait.*/start_wait = 1/' /etc/hansard/shell.conf
         install -m 644 /etc/hansard/record.toml /etc/hansard/break-glass.toml
         hansard-record enroll {GUEST}
         systemctl stop hansard-agent.socket hansard-agent.service"
    ));
    let output = machine.login("echo without an agent");
    assert_eq!((code(&output), output.stdout.as_slice()), (0, b"without an agent\n".as_slice()), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("This entry was reported (syslog)"), "{said}");
    // The user can neither see nor remove what others have there.
    machine.refused(&format!("runuser -u {GUEST} -- ls /var/lib/hansard/break-glass"));
    let spool = format!("/var/lib/hansard/break-glass/$(id -u {GUEST})");
    machine.ok(&format!("hansard-record ship --spool {spool} --config /etc/hansard/break-glass.toml"));
    // Wherever root took it to, nothing is left to deliver: a purge would not be refused.
    assert_eq!(machine.ok("find /var/lib/hansard/break-glass -path '*/sessions/*'"), "");
    let listed = machine.ok("hansard-replay ls --from file:///srv/recordings");
    assert!(listed.contains("SECOND CHAIN"), "{listed}");
}
