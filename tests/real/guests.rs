//! Accounts with passwords for the tests of masked input, without touching the machine's own.
//!
//! Everything runs in a mount namespace whose `/etc` is a copy with two users in it; `sudo`, `su`, `passwd` and PAM use it as
//! they would the real one. Needs root.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hansard_tests::call::Call;
use hansard_tests::home::Home;
use hansard_tests::programs;

/// The user who records.
pub const USER: &str = "hstester";
/// Another one.
pub const OTHER: &str = "hsother";
/// The password of [`USER`].
pub const PASSWORD: &str = "Kestrel-4711-quill";
/// The password of [`OTHER`].
pub const OTHER_PASSWORD: &str = "Heron-0815-vellum";

/// A home that belongs to [`USER`], with the programs in a place that he may read.
pub struct Guest {
    pub home: Home,
    bin: PathBuf,
}

impl Guest {
    pub fn new() -> Self {
        let home = Home::new();
        let bin = home.join("bin");
        std::fs::create_dir(&bin).expect("a folder");
        for program in [programs::recorder(), programs::replay(), programs::own("emit")] {
            std::fs::copy(&program, bin.join(program.file_name().expect("a name"))).expect("copied");
        }
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("its mode");
        Self { home, bin }
    }

    /// The recorder as `USER`, with `--input masked`, around `command`; `setup` runs before, as root, in the namespace.
    pub fn masked(&self, setup: &str, command: &[&str]) -> Call {
        let script = format!(
            "set -e
             home={home} etc={home}/etc; mkdir -p $etc; cp -a /etc/. $etc; mount --bind $etc /etc
             for name in {USER} {OTHER}; do
                 echo \"$name:x:$((7001 + i)):$((7001 + i))::{home}:/bin/bash\" >> /etc/passwd
                 echo \"$name:x:$((7001 + i)):\" >> /etc/group
                 echo \"$name:*:19000:0:99999:7:::\" >> /etc/shadow
                 i=$((i + 1))
             done
             printf '%s\\n' '{USER}:{PASSWORD}' '{OTHER}:{OTHER_PASSWORD}' | chpasswd
             printf '%s\\n' 'Defaults use_pty, timestamp_timeout=0, lecture=never' '{USER} ALL=(ALL:ALL) ALL' > /etc/sudoers
             rm -f /etc/sudoers.d/*
             {setup}
             chown -R 7001:7001 {home}/.config {home}/bin; chown 7001:7001 {home}
             exec setpriv --reuid 7001 --regid 7001 --clear-groups env \"PS1=$PROMPT\" \"$@\"",
            home = self.home.path().display(),
        );
        let call = self
            .home
            .call(self.bin.join("hansard-record"))
            .args(["run", "--quiet", "--input", "masked", "--"])
            .args(command);
        let call = call.within("/bin/bash", ["-c", &script, "bash"]);
        call.within(programs::outside("unshare"), ["--mount", "--propagation", "private"])
            .env("USER", USER)
            .env("LOGNAME", USER)
    }
}
