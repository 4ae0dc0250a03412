//! A machine without systemd, such as a container: whatever starts the agent there, the package does not.

use std::process::{Child, Stdio};

use hansard_tests::call::code;
use hansard_tests::{SOON, process, wait_until};

use crate::machine::{GUEST, Machine};
use crate::packages::Version;

/// The agent with the rights that its unit would give it, in the place of a supervisor.
fn start_agent(machine: &Machine) -> Child {
    let capabilities = "+chown,+kill,+sys_ptrace";
    let call = machine.call("setpriv").args(["--reuid", "hansard", "--regid", "hansard", "--init-groups"]);
    let call = call.args(["--inh-caps", capabilities, "--ambient-caps", capabilities]);
    let call = call.args(["/usr/bin/hansard-record", "agent", "--config", "/etc/hansard/record.toml"]);
    let agent = call.command().stdin(Stdio::null()).spawn().expect("nsenter runs");
    wait_until("the agent answers", SOON, || (code(&machine.run("hansard-record status")) == 0).then_some(()));
    agent
}

/// Stops it in an orderly way, and gives its number inside.
fn stop(mut agent: Child) {
    // nsenter waits for what it started.
    for pid in process::descendants(agent.id()) {
        process::send(pid, rustix::process::Signal::TERM);
    }
    process::ended(&mut agent, SOON);
}

#[test]
fn the_package_works_where_nothing_runs_units() {
    let machine = Machine::without_systemd();
    machine.ok(&Machine::install(Version::Present));
    machine.configure();
    let agent = start_agent(&machine);
    machine.ok(&format!("hansard-record enroll {GUEST}"));
    let command = "i=0; while [ ! -e /tmp/enough ]; do i=$((i + 1)); echo line $i; sleep 0.02; done; exit 5";
    let output = std::thread::scope(|scope| {
        let looped = scope.spawn(|| machine.login(command));
        wait_until("the session runs", SOON, || machine.ok("hansard-record status").contains(GUEST).then_some(()));
        let said = machine.ok(&Machine::install(Version::Later));
        assert!(said.contains("is the agent of the version before"), "{said}");
        // Until somebody restarts it, the old one serves.
        machine.logs_in("echo by the old one", "by the old one\n");
        machine.settled(1);
        stop(agent);
        let agent = start_agent(&machine);
        machine.write_config("recipiants = []");
        let said = machine.ok(&Machine::install(Version::Earlier));
        assert!(said.contains("recipiants") && said.contains("was left as it is"), "{said}");
        machine.logs_in("echo by the later one", "by the later one\n");
        machine.write_config("");
        machine.settled(1);
        stop(agent);
        let agent = start_agent(&machine);
        machine.ok("touch /tmp/enough");
        let output = looped.join().expect("the loop");
        let recordings = machine.recordings(3);
        assert!(recordings.contains(&output.stdout), "the loop was recorded whole");
        stop(agent);
        output
    });
    assert_eq!(code(&output), 5, "{}", String::from_utf8_lossy(&output.stderr));
    machine.ok("dpkg --no-triggers -P hansard");
    assert_eq!(machine.ok(&format!("getent passwd {GUEST} | cut -d: -f7")), "/bin/bash\n");
    machine.refused("ls -d /var/lib/hansard /etc/hansard 2>/dev/null");
}
