//! A machine that is thrown away: this one's files under an overlay, processes of its own, with systemd as the first or
//! without it; and an sshd in it.
//!
//! What is installed and written there is in memory, and gone with the machine. The client of ssh is outside. Needs root.

use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::Duration;

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::{Home, IDENTITY, RECIPIENT};
use hansard_tests::namespace::Namespace;
use hansard_tests::{programs, sshd, wait_until};

use crate::packages::{self, Version};

/// The user who is enrolled.
pub const GUEST: &str = "hsguest";
/// Where its agent delivers to.
const STORE: &str = "/srv/recordings";
/// An installation, or the start of a system, on a slow and busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A running machine.
pub struct Machine {
    home: Home,
    namespace: Namespace,
    sshd: Child,
    systemd: bool,
}

impl Machine {
    /// A machine that systemd runs.
    pub fn with_systemd() -> Self {
        Self::new(true)
    }

    /// A machine like a container: no systemd runs, though its tools may be there.
    pub fn without_systemd() -> Self {
        Self::new(false)
    }

    fn new(systemd: bool) -> Self {
        let home = Home::empty();
        let namespace = namespace(&home, systemd);
        let sshd = sshd(&home, &namespace);
        let machine = Self { home, namespace, sshd, systemd };
        if systemd {
            wait_until("systemd has started the machine", LONG, || {
                let state = machine.run("systemctl is-system-running");
                ["running\n", "degraded\n"].iter().any(|s| s.as_bytes() == state.stdout).then_some(())
            });
        }
        machine
    }

    /// A call of a program in it.
    pub fn call(&self, program: &str) -> Call {
        inside(&self.home, &self.namespace, program)
    }

    /// Runs a script in it as root, to its end.
    pub fn run(&self, script: &str) -> Output {
        let limited = self.call("/bin/sh").args(["-c", script]);
        limited.within(programs::outside("timeout"), ["-k", "1", "120"]).output()
    }

    /// The same; fails unless it succeeds. Gives what it printed.
    pub fn ok(&self, script: &str) -> String {
        let output = self.run(script);
        assert_eq!(code(&output), 0, "{script}\n{}\n{}", said(&output), self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same; fails unless it fails. Gives all that it said.
    pub fn refused(&self, script: &str) -> String {
        let output = self.run(script);
        assert_ne!(code(&output), 0, "{script}\n{}\n{}", said(&output), self.log());
        said(&output)
    }

    /// The command that installs a version of the package. Triggers are of other packages: the index of all manuals.
    pub fn install(version: Version) -> String {
        format!("dpkg --no-triggers --force-downgrade -i /packages/{} 2>&1", version.file())
    }

    /// What the agent's unit logged.
    pub fn log(&self) -> String {
        if !self.systemd {
            return String::new();
        }
        let output = self.call("journalctl").args(["--no-pager", "-q", "-u", "hansard-agent*"]).output();
        said(&output)
    }

    /// The agent's process, by its number inside.
    pub fn agent(&self) -> String {
        self.ok("systemctl show -P MainPID hansard-agent.service").trim().into()
    }

    /// `ssh OPTIONS… guest@machine`.
    pub fn ssh(&self, options: &[&str]) -> Call {
        let config = self.home.join("ssh_config");
        self.home.call(programs::outside("ssh")).arg("-F").arg(config).args(options).arg(format!("{GUEST}@machine"))
    }

    /// The same; fails unless all that it wrote is this, and it ended with 0.
    pub fn logs_in(&self, command: &str, wrote: &str) {
        let output = self.login(command);
        assert_eq!((code(&output), said(&output)), (0, wrote.into()), "ssh machine {command:?}\n{}", self.log());
    }

    /// `ssh guest@machine COMMAND`, to its end.
    pub fn login(&self, command: &str) -> Output {
        self.ssh(&[]).arg(command).within(programs::outside("timeout"), ["-k", "1", "60"]).output()
    }

    /// A configuration by which the agent records into a folder of the machine.
    pub fn configure(&self) {
        self.ok(&format!(
            "install -d -o hansard -g hansard {STORE}
             mkdir -p /etc/systemd/system/hansard-agent.service.d
             printf '[Service]\\nReadWritePaths={STORE}\\n' > /etc/systemd/system/hansard-agent.service.d/store.conf
             [ ! -d /run/systemd/system ] || systemctl daemon-reload"
        ));
        self.write_config("");
    }

    /// The same configuration, with something more in it.
    pub fn write_config(&self, more: &str) {
        let text = format!(
            "{more}\nto = [\"file://{STORE}\"]\nrecipients = [\"{RECIPIENT}\"]\n\
             [spool]\ndir = \"/var/lib/hansard/spool\"\n[ship]\ninterval = \"1s\"\n"
        );
        self.ok(&format!(
            "cat > /etc/hansard/record.toml <<'END'\n{text}END\n\
             chown root:hansard /etc/hansard/record.toml; chmod 640 /etc/hansard/record.toml"
        ));
    }

    /// Waits until so many sessions are left in the spool: those that run. One that ended just before its agent waits there
    /// for `agent.grace`.
    pub fn settled(&self, running: usize) {
        let left = || self.ok("ls /var/lib/hansard/spool/sessions").lines().count() == running;
        wait_until("what is over was delivered", LONG, || left().then_some(()));
    }

    /// Waits until so many sessions are whole in the store and nothing is left in the spool; gives what each showed on its
    /// standard output or terminal.
    pub fn recordings(&self, count: usize) -> Vec<Vec<u8>> {
        let ids = wait_until("all sessions are in the store", LONG, || {
            let verified = self.run(&format!("hansard-replay verify --from file://{STORE} 2>&1"));
            let waiting = self.ok("ls /var/lib/hansard/spool/sessions");
            let listed = self.ok(&format!("ls -d {STORE}/segments/*/*/*/*/* 2>/dev/null | sort || true"));
            let ids: Vec<String> =
                listed.lines().filter_map(|path| Some(path.rsplit_once('/')?.1.to_owned())).collect();
            assert!(ids.len() <= count, "more sessions than were begun: {ids:?}");
            (ids.len() == count && code(&verified) == 0 && waiting.is_empty()).then_some(ids)
        });
        let raw = |id: &String| {
            let export = format!(
                "umask 077; printf '%s\\n' '{IDENTITY}' > /tmp/identity
                 hansard-replay export {id} --from file://{STORE} --identity /tmp/identity --as raw"
            );
            self.call("/bin/sh").args(["-c", &export]).ok()
        };
        ids.iter().map(raw).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
        self.namespace.end();
        let _ = self.sshd.wait();
        // Empty groups of processes would stay.
        let script = format!(
            "mkdir -p groups; mount -t cgroup2 cgroup2 groups; find groups/{} -depth -type d -exec rmdir {{}} ';'",
            group(&self.home)
        );
        let mut clean = Command::new(programs::outside("unshare"));
        clean.args(["--mount", "--propagation", "private", "/bin/sh", "-ec", &script]).current_dir(self.home.path());
        let _ = clean.status();
    }
}

/// The name of its group of processes.
fn group(home: &Home) -> String {
    home.path().file_name().expect("a name").to_string_lossy().into_owned()
}

fn inside(home: &Home, namespace: &Namespace, program: impl Into<PathBuf>) -> Call {
    let call = home.call(program).env("HOME", "/root").env("USER", "root").env("LOGNAME", "root");
    let call = call.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
    namespace.enter(call, &["-u", "-i", "-C"])
}

/// Services of this machine that are of no use to that one, or that would touch the kernel's settings.
const NOT_STARTED: &str = "systemd-sysctl systemd-modules-load systemd-remount-fs systemd-binfmt systemd-random-seed \
    systemd-udevd systemd-udev-trigger systemd-timesyncd systemd-update-utmp systemd-hwdb-update systemd-journal-flush \
    systemd-tmpfiles-setup apparmor";

/// Makes its files, a user with a key, and starts its first process.
fn namespace(home: &Home, systemd: bool) -> Namespace {
    let first = if systemd {
        "exec /lib/systemd/systemd --unit=basic.target --log-target=null --show-status=no"
    } else {
        "exec /bin/bash -c 'read -r forever'"
    };
    // What a container manager gives its containers.
    let script = format!(
        r#"set -e
        cd {home}; mkdir memory groups; mount -t tmpfs -o mode=755 tmpfs memory
        mkdir memory/upper memory/work memory/root
        mount -t overlay overlay -o lowerdir=/,upperdir=memory/upper,workdir=memory/work memory/root
        mount -t cgroup2 cgroup2 groups; mkdir groups/{group}; echo 0 > groups/{group}/cgroup.procs; umount groups
        ssh-keygen -q -t ed25519 -N '' -f host_key; ssh-keygen -q -t ed25519 -N '' -f client_key
        cd memory/root
        mount -t proc proc proc; mount --bind proc/sys proc/sys; mount -o remount,bind,ro proc/sys
        mount -t sysfs -o ro sysfs sys
        mount -t tmpfs -o mode=755 tmpfs run; mount -t tmpfs -o mode=1777 tmpfs tmp
        mount -t tmpfs -o mode=755 tmpfs dev
        for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
        mkdir dev/pts dev/shm; mount -t tmpfs tmpfs dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
        ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd; touch dev/console
        mkdir packages; mount --bind -o ro {packages} packages
        mkdir -p run/sshd etc/hs; cp {home}/host_key {home}/client_key.pub etc/hs/
        echo 0123456789abcdef0123456789abcdef > etc/machine-id
        # Images have a policy by which packages start nothing.
        rm -rf etc/hansard srv/recordings var/lib/hansard usr/sbin/policy-rc.d
        for name in {NOT_STARTED}; do ln -sf /dev/null etc/systemd/system/$name.service; done
        ln -sf /dev/null etc/systemd/system/timers.target
        chroot . useradd -m -s /bin/bash -p '*' {GUEST}
        mkdir old; pivot_root . old; cd /
        exec unshare --cgroup /bin/bash -ec '
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
            umount -l /old; echo ready; export container=hansard; {first}'"#,
        home = home.path().display(),
        packages = packages::folder().display(),
        group = group(home),
        first = first.replace('\'', r"'\''"),
    );
    Namespace::new(home.call("/bin/bash").args(["-c", &script]), &["--uts", "--ipc"])
}

/// An sshd in it.
fn sshd(home: &Home, namespace: &Namespace) -> Child {
    let address = sshd::address();
    sshd::client(home, "machine", address);
    let write = format!(
        "cat > /etc/hs/sshd_config <<'END'\nListenAddress {address}\nHostKey /etc/hs/host_key\n\
         AuthorizedKeysFile /etc/hs/client_key.pub\n{}END",
        sshd::SERVER
    );
    inside(home, namespace, "/bin/sh").args(["-c", &write]).ok();
    let call = inside(home, namespace, "/usr/sbin/sshd");
    sshd::start(&call.args(["-D", "-f", "/etc/hs/sshd_config", "-E", "/etc/hs/sshd.log"]), address)
}
