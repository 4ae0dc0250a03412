//! What a recorded user's programs find around them is what they would find without a recorder.

use std::path::Path;

use hansard_tests::call::code;

use crate::scene::{GUEST, PLAIN, Scene};

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
