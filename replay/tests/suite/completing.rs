//! The completion of session ids, by the script in a real bash.

use std::process::Command;

use crate::store::{Host, World};

#[test]
fn bash_completes_verbs_options_and_the_ids_of_sessions() {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 1);
    session.save(&world);
    host.save(&world);
    let script = world.run(&["completions", "bash"]).out;
    std::fs::write(world.root.join("completion"), script).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_hansard-replay")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let complete = |words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "source ./completion; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9\n\
             function=$(complete -p hansard-replay | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \"$function\" hansard-replay {}\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1,
            quoted[words.len() - 1]
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).env_clear().env("HOME", &world.root).env("PATH", &path);
        let output = bash.current_dir(&world.root).output().expect("bash");
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(err, "", "{script}");
        out.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let id = session.id.to_string();
    assert!(complete(&["hansard-replay", "ver"]).contains(&"verify".into()));
    assert!(complete(&["hansard-replay", "play", "--sp"]).contains(&"--speed".into()));
    for verb in ["show", "play", "export", "verify"] {
        let offered = complete(&["hansard-replay", verb, ""]);
        assert!(offered.contains(&id) && offered.contains(&"latest".into()), "{verb}: {offered:?}");
        assert_eq!(complete(&["hansard-replay", verb, &id[..9]]), std::slice::from_ref(&id));
    }
}
