//! Shells that the recorder starts with marks (`shell_marks`): the timeline is told exactly, and but for that nothing in the
//! session is otherwise, whatever its user's own start files do.

use std::path::Path;

use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, programs};

/// What every prompt ends with when the shell marks it.
const READY: &str = "\x1b]133;B";

/// A home with these files, whose recorder has shells mark their commands.
fn home(files: &[(&str, &str)]) -> Home {
    let home = Home::new();
    home.configure(&format!(
        "[interactive]\nshell_marks = true\nshell_marks_dir = \"{}\"\n",
        programs::shell_marks().canonicalize().unwrap().display()
    ));
    for (name, text) in files {
        home.write_private(name, text);
    }
    // Where it is not there, fish makes completions of all manual pages at its first start.
    std::fs::create_dir_all(home.join(".local/share/fish/generated_completions")).unwrap();
    home
}

/// Runs a shell in a recording, and types these lines, each at a prompt that ends with `ready`; the last one ends it.
fn typed(home: &Home, options: &[&str], shell: &[&str], ready: &str, lines: &[&str]) -> (i32, String) {
    let call = home.recorder(["run", "--quiet"]).args(options).arg("--").args(shell);
    let mut terminal = Terminal::running(&call.env("ENV", "/tmp/of the user's").env("HISTFILE", "/dev/null"));
    let mut from = 0;
    for line in lines {
        terminal.wait_text_after(from, ready);
        from = terminal.shown();
        terminal.type_in(format!("{line}\r"));
    }
    let status = terminal.status(SOON);
    (status, String::from_utf8_lossy(&terminal.drained()).into_owned())
}

/// What a shell is asked, and with which status it ends.
const LINES: [(&str, Option<u64>); 3] = [("echo hello", Some(0)), ("sh -c 'exit 7'", Some(7)), ("exit 3", None)];

fn told_exactly(home: &Home, shell: &[&str]) {
    let lines = LINES.map(|(line, _)| line);
    let (status, shown) = typed(home, &[], shell, READY, &lines);
    assert_eq!(status, 3, "{shell:?}: {shown}");
    let mut commands = home.commands("latest");
    // Of the command that ends them, shells but fish say no status.
    commands.iter_mut().skip(2).for_each(|last| last.1 = None);
    let expected = LINES.map(|(line, status)| (line.to_owned(), status, false));
    assert_eq!(commands, expected, "{shell:?}: {shown:?}");
}

const BASH: &[(&str, &str)] = &[
    (".bashrc", "PS1='\\w\\nready> '\nPROMPT_COMMAND='true; false'\necho \"rc ${0} $-\"\n"),
    (".bash_profile", "echo profile; . ~/.bashrc\n"),
    (".bash_logout", "echo logged out\n"),
];

#[test]
fn bash_is_told_exactly_with_a_prompt_command_and_a_prompt_of_two_lines() {
    let home = home(BASH);
    told_exactly(&home, &["bash"]);
    told_exactly(&home, &["bash", "-i", "-l"]);
    for more in ["export PROMPT_COMMAND='echo at'", "PROMPT_COMMAND=(true false)", "readonly PROMPT_COMMAND"] {
        home.write_private(".bashrc", &format!("{}{more}\n", BASH[0].1));
        told_exactly(&home, &["bash"]);
        let profile = typed(&home, &[], &["bash", "--login"], READY, &["exit 0"]).1;
        assert!(profile.contains("profile\r\n") && profile.contains("logged out"), "{more}: {profile}");
    }
    // A status other than 0 ends this shell: ours has none.
    home.write_private(".bashrc", "PS1='ready> '\nset -eu\n");
    for shell in [&["bash"][..], &["bash", "-l"]] {
        assert_eq!(typed(&home, &[], shell, READY, &["true", "exit 3"]).0, 3);
    }
}

#[test]
fn zsh_is_told_exactly_with_hooks_and_files_of_its_own() {
    let rc = "PS1=$'%~\\nready> '\nRPROMPT=right\nprecmd() { true }\nprecmd_functions+=(mine); mine() { false }\nalias printf=false\n";
    let home = home(&[(".zshrc", rc), ("own/.zshenv", "echo own $ZDOTDIR\n"), ("own/.zshrc", rc)]);
    told_exactly(&home, &["zsh"]);
    told_exactly(&home, &["zsh", "--login"]);
    // As it is set by many: in ~/.zshenv, for all files but that one.
    let own = home.join("own");
    home.write_private(".zshenv", &format!("export ZDOTDIR='{}'\n", own.display()));
    std::fs::write(own.join(".zlogin"), "echo login\n").unwrap();
    told_exactly(&home, &["zsh", "-l"]);
    let shown = typed(&home, &[], &["zsh", "-il"], READY, &["echo is $ZDOTDIR", "exit 0"]).1;
    assert!(shown.contains("login\r\n") && shown.contains(&format!("is {}", own.display())), "{shown}");
}

#[test]
fn fish_is_told_exactly_with_a_prompt_of_its_own() {
    let rc = "function fish_prompt; echo line; echo -n 'ready> '; end\nstatus is-login; and echo login\n";
    let home = home(&[(".config/fish/config.fish", rc)]);
    told_exactly(&home, &["fish"]);
    told_exactly(&home, &["fish", "-l"]);
}

/// Variables and settings, as the shell itself has them, with and without marks.
#[test]
fn nothing_else_in_the_session_is_otherwise() {
    let zsh = ("own/.zshrc", "PS1='ready> '\n");
    let fish = (".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n");
    let home = home(&[BASH, &[zsh, fish, (".zshenv", "export ZDOTDIR=~/own\n")]].concat());
    let out = home.join("out");
    let bash = "{ env; shopt; set -o; echo $0 $- $HISTFILE $MAILCHECK $PPID; trap; alias; }";
    for (shell, dump) in [
        (&["bash"][..], bash),
        (&["bash", "-l"], bash),
        (&["zsh"], "{ env; setopt; echo $0 $- $ZDOTDIR; alias }"),
        (&["zsh", "-l"], "{ env; setopt; echo $0 $- $ZDOTDIR; alias }"),
        (&["fish"], "begin; env; status is-login; echo $status $argv; abbr; end"),
    ] {
        let facts = |marks: &str| {
            let line = format!("{dump} > {}", out.display());
            let shown = typed(&home, &[marks], shell, "ready> ", &[&line, "exit 0"]).1;
            assert_eq!(shown.contains(READY), marks.ends_with("true"), "{shell:?}: {shown}");
            let text = std::fs::read_to_string(&out).unwrap();
            assert!(text.lines().count() > 10, "{text}");
            // The recorder is another process each time.
            text.lines().filter(|line| !line.starts_with("_=")).map(without_ppid).collect::<Vec<_>>()
        };
        assert_eq!(facts("--shell-marks=true"), facts("--shell-marks=false"), "{shell:?}");
    }
}

fn without_ppid(line: &str) -> String {
    line.rsplit_once(' ')
        .filter(|(_, last)| last.parse::<u32>().is_ok_and(|n| n > 600))
        .map_or(line, |(front, _)| front)
        .into()
}

#[test]
fn a_shell_whose_files_are_broken_is_started_all_the_same() {
    let broken = "if [ ; then\n(";
    let home = home(&[
        (".bashrc", broken),
        (".bash_profile", broken),
        (".zshenv", broken),
        (".zshrc", broken),
        (".config/fish/config.fish", broken),
    ]);
    for shell in [&["bash"][..], &["bash", "-l"], &["zsh"], &["zsh", "-l"], &["fish"], &["fish", "-l"]] {
        told_exactly(&home, shell);
    }
    // So is one for which ours are not there, and it is said.
    home.configure("[interactive]\nshell_marks = true\nshell_marks_dir = '/nowhere'\n");
    let call = home.recorder(["run", "--", "bash", "--login"]);
    let mut terminal = Terminal::running(&call.env("PS1", "ready> "));
    terminal.wait_text("the shell will not mark its commands: cannot read /nowhere/start.bash");
    terminal.type_in("echo $((40 + 2)); exit 5\r");
    terminal.wait_text("42\r\n");
    assert_eq!(terminal.status(SOON), 5);
}

/// A command, a restricted shell, another program: as without the policy.
#[test]
fn what_nobody_types_at_gets_nothing() {
    let home = home(BASH);
    let rbash = programs::outside("rbash");
    let command = |shell: &[&str]| {
        let facts = |options: &[&str]| {
            let call = home.recorder(["run", "--quiet"]).args(options).arg("--").args(shell);
            let mut terminal = Terminal::running(&call);
            assert_eq!(terminal.status(SOON), 0, "{shell:?}: {}", terminal.text());
            String::from_utf8(terminal.drained()).unwrap()
        };
        let with = facts(&["--shell-marks"]);
        assert_eq!(with, facts(&["--shell-marks=false"]), "{shell:?}");
        assert!(with.contains("HOME=") && !with.contains("HANSARD"), "{with}");
    };
    command(&["env"]);
    command(&["bash", "-c", "env; tr '\\0' ' ' < /proc/$$/cmdline"]);
    command(&["bash", "-lc", "env; tr '\\0' ' ' < /proc/$$/cmdline"]);
    command(&["zsh", "-c", "env"]);
    command(&["fish", "-c", "env"]);
    let call = home.recorder(["run", "--quiet", "--shell-marks", "--"]).arg(Path::new(&rbash));
    let mut terminal = Terminal::running(&call.env("HISTFILE", "/dev/null"));
    terminal.wait_text("ready> ");
    terminal.type_in("exit 4\r");
    assert_eq!(terminal.status(SOON), 4);
    assert!(!terminal.text().contains("133;"), "{}", terminal.text());
}
