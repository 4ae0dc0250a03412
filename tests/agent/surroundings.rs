//! What a recorded user's programs find around them is what they would find without a recorder.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use hansard_tests::call::{code, said};
use hansard_tests::{SOON, process, programs, wait_until};

use crate::scene::{GUEST, PLAIN, Scene, fine, uid};

#[test]
fn environment_limits_signals_and_groups_are_the_same() {
    for shell in ["/bin/bash", "/bin/dash", "/usr/bin/zsh"] {
        let scene = Scene::with_shell(Path::new(shell));
        for user in [GUEST, PLAIN] {
            scene.plant(user, ".zshrc", "", 0o644);
        }
        let commands = [
            "env | grep -v -e ^SSH_ -e ^_= -e ^SHLVL= | sort",
            "umask; pwd; ulimit -a",
            "id; groups",
            "grep -E '^(Sig(Ign|Blk|Cgt)|NoNewPrivs|CapEff|Groups)' /proc/self/status",
            "echo $SHELL $0; ls -l /proc/self/fd | wc -l",
            "cat /proc/self/oom_score_adj; nice",
        ];
        for command in commands {
            let got = scene.alike(&[], command, b"");
            assert_eq!(code(&got), 0, "{shell} {command}");
        }
        scene.sessions(commands.len());
    }
}

/// As some install it, so that only this program reaches the agent's socket: the linker then hides variables from it, and the
/// group must not reach what the user runs.
#[test]
fn a_shell_that_is_setgid_takes_nothing_and_passes_its_group_to_nobody() {
    const GROUP: u32 = 7300;
    let scene = Scene::new();
    let shell = scene.home.join("hansard-shell");
    chown(&shell, None, Some(GROUP)).unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o2755)).unwrap();
    chown(scene.socket(), None, Some(GROUP)).unwrap();
    std::fs::set_permissions(scene.socket(), std::fs::Permissions::from_mode(0o660)).unwrap();
    let as_guest = |program: &Path, command: &str| {
        let number = uid(GUEST).to_string();
        let call = scene.inside(programs::outside("setpriv")).args(["--reuid", &number, "--regid", &number]);
        let variables =
            ["PATH=/usr/bin:/bin", "HOME=/", "TMPDIR=/var/tmp", "LD_LIBRARY_PATH=/nowhere", "NLSPATH=x=y", "A=b"];
        call.args(["--clear-groups", "env", "-i"]).args(variables).arg(program).args(["-c", command]).output()
    };
    let commands = ["env | grep -v -e ^_= -e ^SHLVL= | sort", "id; grep -E '^(Uid|Gid|Groups)' /proc/self/status"];
    for command in commands {
        let ours = fine(&as_guest(&shell, command));
        assert_eq!(ours, fine(&as_guest(Path::new("/bin/bash"), command)));
        assert!(!ours.contains(&GROUP.to_string()) && ours.lines().count() >= 3, "{ours}");
    }
    let connect = format!("import socket; socket.socket(socket.AF_UNIX).connect({:?})", scene.socket());
    let refused = as_guest(Path::new("/usr/bin/python3"), &connect);
    assert!(code(&refused) == 1 && said(&refused).contains("PermissionError"), "{}", said(&refused));
    // It does have the group itself.
    let run = scene.begin("sleep 2");
    let tee = wait_until("it runs", SOON, || scene.tees().pop());
    let groups = process::status_field(tee, "Gid").unwrap();
    assert_eq!(groups.split_whitespace().nth(1), Some(&*GROUP.to_string()), "{groups}");
    run.join().unwrap();
    scene.sessions(commands.len() + 1);
}
