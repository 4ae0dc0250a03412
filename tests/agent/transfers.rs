//! Files over ssh: scp in both of its ways, sftp, rsync, git; recorded as transfers, bounded, and the files are the same.

use std::path::Path;

use hansard_tests::call::code;
use hansard_tests::programs;

use crate::scene::{GUEST, PLAIN, Scene, fine, limited};

const BYTES: usize = 300_000;

/// Every byte value, in no order that compresses.
fn content() -> Vec<u8> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..BYTES).map(next).collect()
}

#[test]
fn scp_sftp_and_rsync_carry_files_both_ways() {
    let scene = Scene::new();
    let content = content();
    let local = scene.home.join("local.bin");
    std::fs::write(&local, &content).unwrap();
    let client = scene.client();
    let run = |program: &str, args: &[&str]| {
        let call = scene.home.call(programs::outside(program)).args(args);
        let output = limited(call).output();
        fine(&output);
    };
    let config = client.to_str().unwrap();
    let rsh = format!("ssh -F {config}");
    let mut sessions = 0;
    for user in [GUEST, PLAIN] {
        let folder = scene.of(user);
        let remote = |name: &str| format!("{user}@host:{name}");
        let from = local.to_str().unwrap();
        for (name, extra) in [("new.bin", None), ("old.bin", Some("-O"))] {
            let options: Vec<&str> = ["-F", config, "-q"].into_iter().chain(extra).collect();
            run("scp", &[&options[..], &[from, &remote(name)]].concat());
            assert_eq!(std::fs::read(folder.join(name)).unwrap(), content, "{user} {name}");
            let back = scene.home.join("back.bin");
            run("scp", &[&options[..], &[&remote(name), back.to_str().unwrap()]].concat());
            assert_eq!(std::fs::read(&back).unwrap(), content, "{user} {name}");
            sessions += 2;
        }
        run("rsync", &["-a", "-e", &rsh, from, &remote("rsync.bin")]);
        assert_eq!(std::fs::read(folder.join("rsync.bin")).unwrap(), content, "{user}");
        let back = scene.home.join("rsynced.bin");
        run("rsync", &["-a", "-e", &rsh, &remote("rsync.bin"), back.to_str().unwrap()]);
        assert_eq!(std::fs::read(&back).unwrap(), content, "{user}");
        sessions += 2;
        let batch = scene.home.join("batch");
        std::fs::write(&batch, format!("put {from} sftp.bin\nls -l\nget sftp.bin {}\n", back.display())).unwrap();
        run("sftp", &["-F", config, "-q", "-b", batch.to_str().unwrap(), &format!("{user}@host")]);
        assert_eq!(std::fs::read(folder.join("sftp.bin")).unwrap(), content, "{user}");
        sessions += 1;
    }
    for session in scene.sessions(sessions / 2) {
        assert_eq!(session.at("/identity/kind"), "transfer", "{:#}", session.shown);
        let whole = scene.home.raw(&session.id).len() + scene.home.raw_stream(&session.id, "input").len();
        assert!(whole < BYTES, "bounded: {whole}");
    }
}

#[test]
fn git_clones_over_ssh() {
    let scene = Scene::new();
    for user in [GUEST, PLAIN] {
        let made = "git init -q --bare r.git && git init -q w && cd w && git config user.email a@example.org && \
                    git config user.name a && echo text > file && git add file && git commit -qm one && \
                    git push -q ../r.git HEAD:refs/heads/main && git --git-dir ../r.git symbolic-ref HEAD refs/heads/main";
        fine(&scene.run(user, made));
        let to = scene.home.join(format!("clone-{user}"));
        let rsh = format!("ssh -F {}", scene.client().display());
        let call = scene.home.call(programs::outside("git")).env("GIT_SSH_COMMAND", rsh);
        let call = call.args(["clone", "-q", &format!("{user}@host:r.git")]).arg(&to);
        fine(&limited(call).output());
        assert_eq!(std::fs::read(to.join("file")).unwrap(), b"text\n");
    }
    for session in scene.sessions(2) {
        assert_eq!(session.at("/identity/kind"), "exec");
    }
}

/// As a fleet is kept: over one connection that stays, a program and its input for each task.
#[test]
fn ansible_reaches_a_recorded_user() {
    let ansible = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".ci/venv/bin/ansible");
    assert!(ansible.is_file(), "this suite needs {}: `.ci/run prepare` makes it", ansible.display());
    let scene = Scene::new();
    let local = scene.home.join("local.bin");
    std::fs::write(&local, content()).unwrap();
    let mut said = Vec::new();
    for user in [GUEST, PLAIN] {
        let to = scene.of(user).join("copied.bin");
        let run = |module: &str, args: &str| {
            let call = scene.home.call(&ansible).args(["all", "-i", "host,", "-u", user, "-m", module, "-a", args]);
            let call = call.env("ANSIBLE_SSH_ARGS", format!("-F {} -o ControlMaster=auto", scene.client().display()));
            let call = call.env("ANSIBLE_SSH_CONTROL_PATH", scene.home.join(format!("control-{user}")).as_os_str());
            let call = call.env("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3");
            let output =
                limited(call.env("ANSIBLE_LOAD_CALLBACK_PLUGINS", "1").env("ANSIBLE_STDOUT_CALLBACK", "oneline"))
                    .output();
            fine(&output)
        };
        let ping = run("ping", "data=there");
        assert!(ping.contains("SUCCESS") && ping.contains("there"), "{ping}");
        let copied = run("copy", &format!("src={} dest={}", local.display(), to.display()));
        assert!(copied.contains("CHANGED"), "{copied}");
        assert_eq!(std::fs::read(&to).unwrap(), content(), "{user}");
        said.push(crate::scene::neutral(ping.as_bytes(), user));
        let close = scene
            .ssh(user, ["-o", &format!("ControlPath={}/control-{user}", scene.home.path().display()), "-O", "exit"]);
        close.output();
    }
    assert_eq!(said[0], said[1], "the same for both");
    let sessions = scene.sessions(scene.log().matches("session started").count());
    let of_kind = |kind: &str| sessions.iter().filter(|session| session.at("/identity/kind") == kind).count();
    assert!(
        of_kind("transfer") >= 1 && of_kind("exec") > 3,
        "{} transfers, {} commands",
        of_kind("transfer"),
        of_kind("exec")
    );
}

#[test]
fn what_only_looks_like_a_transfer_is_recorded_as_a_command() {
    let scene = Scene::new();
    scene.plant(GUEST, "bin/scp", "#!/bin/bash\necho fake scp \"$@\"\n", 0o755);
    let commands = [
        "PATH=~/bin:$PATH; scp -t /tmp",
        "~/bin/scp -t /tmp",
        "rsync --server -logDtpre.iLsfxCIvu . /tmp </dev/null; echo more",
        "rsync --server --daemon . </dev/null",
        "scp -t `echo /tmp` </dev/null",
    ];
    for command in commands {
        let got = scene.run(GUEST, command);
        assert_ne!(code(&got), 125, "{command}");
    }
    for (session, command) in scene.sessions(commands.len()).iter().zip(commands) {
        assert_eq!(session.at("/identity/kind"), "exec", "{command}");
    }
}
