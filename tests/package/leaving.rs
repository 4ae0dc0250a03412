//! Removing and purging: nobody is left without a shell, and nothing that was recorded is deleted before it was delivered.

use hansard_tests::call::code;

use crate::machine::{GUEST, Machine};
use crate::packages::Version;

const REMOVE: &str = "dpkg --no-triggers -r hansard 2>&1";
const PURGE: &str = "dpkg --no-triggers -P hansard 2>&1";

fn shell(machine: &Machine, user: &str) -> String {
    machine.ok(&format!("getent passwd {user} | cut -d: -f7")).trim().into()
}

fn recording(machine: &Machine) {
    machine.ok(&Machine::install(Version::Present));
    machine.configure();
    machine.ok("systemctl start hansard-agent.service");
    machine.ok(&format!("hansard-record enroll {GUEST}"));
    machine.logs_in("echo recorded", "recorded\n");
}

#[test]
fn a_removal_gives_shells_back_and_a_purge_leaves_nothing() {
    let machine = Machine::with_systemd();
    recording(&machine);
    machine.recordings(1);
    machine.ok(REMOVE);
    assert_eq!(shell(&machine, GUEST), "/bin/bash");
    machine.logs_in("echo plain", "plain\n");
    assert_eq!(code(&machine.run("systemctl is-active hansard-agent.socket")), 3);
    machine.ok("test -e /etc/hansard/record.toml -a -d /var/lib/hansard/spool");
    let said = machine.ok(PURGE);
    assert!(!said.contains("not purged"), "{said}");
    machine.refused("ls -d /var/lib/hansard /etc/hansard /run/hansard 2>/dev/null");
    machine.refused("find /etc/systemd /lib/systemd /var/lib/systemd -name 'hansard-agent.s*' ! -name '*.d' | grep .");
}

#[test]
fn a_removal_that_cannot_give_all_shells_back_changes_nothing() {
    let machine = Machine::with_systemd();
    recording(&machine);
    machine.ok("useradd -m -s /bin/sh hstwo; hansard-record enroll hstwo");
    // The second of the two cannot be changed.
    machine.ok("cp /usr/sbin/usermod /usr/sbin/usermod.real
         printf '%s\\n' '#!/bin/sh' 'case \"$*\" in *hstwo) echo refused >&2; exit 1 ;; esac' \
           'exec /usr/sbin/usermod.real \"$@\"' > /tmp/usermod
         chmod 755 /tmp/usermod; mount --bind /tmp/usermod /usr/sbin/usermod");
    let said = machine.refused(REMOVE);
    assert!(said.contains("not removed") && said.contains("could not log in any more: hstwo"), "{said}");
    for user in [GUEST, "hstwo"] {
        assert_eq!(shell(&machine, user), "/usr/bin/hansard-shell", "{said}");
    }
    machine.logs_in("echo recorded", "recorded\n");
    machine.ok("umount /usr/sbin/usermod");
    machine.ok(REMOVE);
    assert_eq!([shell(&machine, GUEST), shell(&machine, "hstwo")], ["/bin/bash", "/bin/sh"]);
}

#[test]
fn what_was_not_delivered_survives_a_purge() {
    let machine = Machine::with_systemd();
    recording(&machine);
    machine.recordings(1);
    // The store refuses.
    machine.ok("systemctl stop hansard-agent.service; chown -R root: /srv/recordings");
    machine.logs_in("echo only in the spool", "only in the spool\n");
    let said = machine.ok(REMOVE);
    assert!(said.contains("not everything could be delivered"), "{said}");
    let said = machine.ok(PURGE);
    assert!(said.contains("not purged: 1 sessions"), "{said}");
    machine.ok("test -e /etc/hansard/record.toml");
    // Installed again, it delivers.
    machine.ok("chown -R hansard: /srv/recordings");
    machine.ok(&Machine::install(Version::Present));
    let recordings = machine.recordings(2);
    assert!(recordings.contains(&b"only in the spool\n".to_vec()));
    let said = machine.ok(PURGE);
    assert!(!said.contains("not purged"), "{said}");
    machine.refused("ls -d /var/lib/hansard 2>/dev/null");
}
