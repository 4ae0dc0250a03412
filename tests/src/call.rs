//! One call of a program: path, arguments, the whole environment and the directory, stated and not inherited.
//!
//! Not for how it is attached: `output` gives it pipes, `terminal::Terminal::run` a terminal.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program that is about to be run.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is run.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its directory.
    pub dir: PathBuf,
}

impl Call {
    /// A call without arguments or environment.
    pub fn new(program: impl Into<PathBuf>, dir: &Path) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), dir: dir.into() }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().into()));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.into(), value.as_ref().into()));
        self
    }

    /// The same call, made by `program ARGS… -- call`: a shell that sets up what a parent would have.
    pub fn within<S: AsRef<OsStr>>(self, program: impl Into<PathBuf>, args: impl IntoIterator<Item = S>) -> Self {
        let mut outer =
            Self { program: program.into(), args: Vec::new(), env: self.env.clone(), dir: self.dir.clone() };
        outer.args.extend(args.into_iter().map(|a| a.as_ref().into()));
        outer.args.push(self.program.into());
        outer.args.extend(self.args);
        outer
    }

    /// The same call, `exec`ed by `/bin/sh` after `setup` (for `trap '' PIPE`, `ulimit`, `umask`, redirections).
    pub fn after(self, setup: &str) -> Self {
        self.within("/bin/sh", ["-c", &format!("{setup}\nexec \"$@\""), "sh"])
    }

    /// As a command of the standard library, unattached.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().map(|(n, v)| (n, v))).current_dir(&self.dir);
        command
    }

    /// Runs it to its end with `input` on a pipe, and gives what it wrote and its status.
    pub fn output_with(&self, input: &[u8]) -> Output {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", self.program.display()));
        let mut pipe = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // A program that stops reading is the caller's business: its status says so.
            let _ = pipe.write_all(&input);
        });
        let output = child.wait_with_output().expect("its output");
        writer.join().expect("the writer");
        output
    }

    /// Runs it to its end with nothing on standard input.
    pub fn output(&self) -> Output {
        self.command().stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{}: {e}", self.program.display()))
    }

    /// Runs it and fails unless it ends with status 0; gives its standard output.
    pub fn ok(&self) -> Vec<u8> {
        let output = self.output();
        assert!(output.status.success(), "{self:?}\nended with {}:\n{}", output.status, said(&output));
        output.stdout
    }
}

/// Everything that a program said, for messages and searches.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The status as a shell would show it.
pub fn code(output: &Output) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0))
}
