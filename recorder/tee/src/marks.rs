//! Marks of prompts and commands (OSC 133) in a shell that is about to be started, where the policy asks for them.
//!
//! Each shell has a way to read a file more at its start, and the files in `deploy/shell` see to it that all of the user's own
//! are read as they would be, and before: zsh by ZDOTDIR, which is put back at once; fish by an option; bash by an option in
//! place of ~/.bashrc, and as a login shell, which has no such option, by ENV in POSIX mode, which is left at once. Only
//! shells that somebody types at: what has a command to run, or any option that is not known here, is left alone, and so
//! is every program that is not one of these three by its name (`sh`, `rbash`, a wrapper). Not for the marks themselves.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::command::Command;

/// The files of the folder.
pub const MARK_FILES: [&str; 5] = ["start.bash", "hansard.bash", "zsh/.zshenv", "hansard.zsh", "hansard.fish"];

/// What a shell may have been given: that it is a login shell, or interactive. Nothing of it says what to run or to read.
const HARMLESS: [&str; 6] = ["-i", "-l", "-il", "-li", "--login", "--interactive"];

/// What zsh reads of a user's. Where none is there, it offers to make them, which ours must not keep it from.
const ZSH_FILES: [&str; 4] = [".zshenv", ".zprofile", ".zshrc", ".zlogin"];

/// With what a shell is started.
#[derive(Debug, Default, PartialEq, Eq)]
struct Start {
    first: Vec<OsString>,
    last: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// Files that it will need.
    files: Vec<PathBuf>,
}

/// Has a shell read the marks of this folder when it starts; false where the program is no shell that somebody types at. An
/// error, which leaves the command as it was, says which file cannot be read.
pub fn put_marks(command: &mut Command, folder: &Path) -> Result<bool, (PathBuf, io::Error)> {
    let Some(start) = start(command, folder, |name| std::env::var_os(name)) else { return Ok(false) };
    for path in start.files {
        File::open(&path).map_err(|e| (path, e))?;
    }
    command.args = start.first.into_iter().chain(command.args.drain(..)).chain(start.last).collect();
    command.env.extend(start.env);
    Ok(true)
}

fn start(command: &Command, folder: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Option<Start> {
    let name = Path::new(&command.program).file_name()?;
    let arg0 = command.arg0.as_ref().map_or(command.program.as_bytes(), |arg0| arg0.as_bytes());
    let dashed = arg0.strip_prefix(b"-");
    if Path::new(OsStr::from_bytes(dashed.unwrap_or(arg0))).file_name() != Some(name)
        || !command.args.iter().all(|arg| HARMLESS.iter().any(|harmless| arg == harmless))
    {
        return None;
    }
    let is_login = dashed.is_some() || command.args.iter().any(|arg| arg != "-i" && arg != "--interactive");
    let file = |name: &str| folder.join(name);
    // A variable of ours, and what it was, for the file that puts it back.
    let in_place_of = |name: &str, kept: &str, value: PathBuf| {
        let was = variable(name).map(|was| (kept.into(), was));
        [(name.into(), value.into())].into_iter().chain(was).collect()
    };
    match name.as_bytes() {
        b"bash" => {
            let (first, env) = if is_login {
                (vec!["--posix".into()], in_place_of("ENV", "HANSARD_ENV", file("start.bash")))
            } else {
                (vec!["--rcfile".into(), file("start.bash").into()], Vec::new())
            };
            Some(Start { first, env, files: vec![file("start.bash"), file("hansard.bash")], ..Start::default() })
        }
        b"zsh" => {
            let home = PathBuf::from(variable("ZDOTDIR").or_else(|| variable("HOME"))?);
            ZSH_FILES.iter().any(|name| home.join(name).exists()).then(|| Start {
                env: in_place_of("ZDOTDIR", "HANSARD_ZDOTDIR", file("zsh")),
                files: vec![file("zsh/.zshenv"), file("hansard.zsh")],
                ..Start::default()
            })
        }
        b"fish" => {
            let file = file("hansard.fish");
            let command = [b"--init-command=source ", file.as_os_str().as_bytes()].concat();
            Some(Start { last: vec![OsStr::from_bytes(&command).to_owned()], files: vec![file], ..Start::default() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a command line becomes; variables first. The first word is the program, and `argv[0]` where it has a dash.
    fn made(line: &[&str], variables: &[(&str, &str)]) -> Option<String> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let program = line[0].strip_prefix('-').unwrap_or(line[0]);
        let program = if program.contains('/') { program.to_owned() } else { format!("/bin/{program}") };
        let command =
            Command { program: program.into(), arg0: Some(line[0].into()), args: words(&line[1..]), env: Vec::new() };
        let of = |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into());
        let start = start(&command, Path::new("/m"), of)?;
        let env =
            start.env.into_iter().map(|(name, value)| [name, "=".into(), value].into_iter().collect::<OsString>());
        let all = env.chain(start.first).chain(command.args).chain(start.last);
        Some(all.map(|word| word.into_string().expect("text")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn shells_that_somebody_types_at_are_started_with_marks() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join(".zshrc"), "").expect("written");
        let home = home.path().to_str().expect("text");
        for (line, variables, expected) in [
            (&["bash"][..], &[][..], "--rcfile /m/start.bash"),
            (&["/opt/bash", "-i"], &[], "--rcfile /m/start.bash -i"),
            (&["-bash"], &[], "ENV=/m/start.bash --posix"),
            (&["bash", "-l"], &[("ENV", "/x")], "ENV=/m/start.bash HANSARD_ENV=/x --posix -l"),
            (&["-zsh"], &[("HOME", home)], "ZDOTDIR=/m/zsh"),
            (
                &["zsh", "-il"],
                &[("ZDOTDIR", home), ("HOME", "/x")],
                &format!("ZDOTDIR=/m/zsh HANSARD_ZDOTDIR={home} -il"),
            ),
            (&["-fish"], &[], "--init-command=source /m/hansard.fish"),
            (&["fish", "--interactive"], &[], "--interactive --init-command=source /m/hansard.fish"),
        ] {
            assert_eq!(made(line, variables).as_deref(), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn everything_else_is_started_as_it_is() {
        for line in [
            &["sh"][..],
            &["-sh"],
            &["rbash"],
            &["-dash"],
            &["bash", "-c", "true"],
            &["bash", "-ic", "true"],
            &["bash", "script"],
            &["bash", "--rcfile", "x"],
            &["bash", "--norc"],
            &["bash", "-r"],
            &["bash", "--posix"],
            &["zsh", "-f"],
            &["fish", "-C", "true"],
            &["python3"],
        ] {
            assert_eq!(made(line, &[("HOME", "/")]), None, "{line:?}");
        }
        // Whose files zsh would offer to make.
        assert_eq!(made(&["-zsh"], &[("HOME", "/nowhere")]), None);
        assert_eq!(made(&["-zsh"], &[]), None);
        // Restricted by its name alone.
        let command = Command { arg0: Some("-rbash".into()), ..Command::new("/bin/bash") };
        assert_eq!(start(&command, Path::new("/m"), |_| None), None);
    }

    #[test]
    fn without_its_files_a_shell_is_started_as_it_is() {
        let mut command = Command::new("bash");
        let missing = put_marks(&mut command, Path::new("/nowhere")).expect_err("no such folder");
        assert_eq!(missing.0, Path::new("/nowhere/start.bash"));
        assert_eq!(command, Command::new("bash"));
        assert!(!put_marks(&mut Command::new("cat"), Path::new("/nowhere")).expect("no shell"));
    }

    #[test]
    fn the_files_are_those_that_are_installed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/shell");
        MARK_FILES.iter().for_each(|name| assert!(folder.join(name).is_file(), "{name}"));
    }
}
