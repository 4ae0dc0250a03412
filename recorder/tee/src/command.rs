//! What is to be run, and where execvp would look for it.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use crate::error::TeeError;
use crate::sys;

/// Remembers which descriptors our parent passed on: they are the command's. To be called before anything is opened by
/// libraries that may forget close-on-exec; what they open later is nobody's but theirs.
pub fn remember_descriptors() {
    sys::remember();
}

/// A program with its arguments; environment and all else are inherited untouched, but for variables that are named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// A path, or a name that is looked for in PATH.
    pub program: OsString,
    /// The arguments after argv[0].
    pub args: Vec<OsString>,
    /// argv[0], if it is not the program as given (a login shell's begins with `-`).
    pub arg0: Option<OsString>,
    /// Variables that it gets in place of those of the same name, or beside the others.
    pub env: Vec<(OsString, OsString)>,
}

/// Where execvp looks when there is no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

impl Command {
    /// A program without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), args: Vec::new(), arg0: None, env: Vec::new() }
    }

    /// The same with these arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Becomes this program, with the surroundings that our parent gave us; returns only where that is refused.
    pub fn replace(&self) -> TeeError {
        match self.prepare() {
            Ok(program) => TeeError::of_exec(&self.program, sys::replace(&program)),
            Err(e) => TeeError::of_exec(&self.program, e),
        }
    }

    pub(crate) fn prepare(&self) -> io::Result<sys::Program> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let arg0 = self.arg0.as_ref().unwrap_or(&self.program);
        let argv = std::iter::once(arg0).chain(&self.args).map(|a| c_string(a)).collect::<io::Result<_>>()?;
        Ok(sys::Program { candidates: candidates(&self.program, &path)?, argv, env: self.environment()? })
    }

    /// The whole environment, where it is not what we were given.
    fn environment(&self) -> io::Result<Option<Vec<CString>>> {
        if self.env.is_empty() {
            return Ok(None);
        }
        let inherited = std::env::vars_os().filter(|(name, _)| self.env.iter().all(|(other, _)| other != name));
        let all = inherited.chain(self.env.iter().cloned());
        all.map(|(name, value)| c_string(OsStr::from_bytes(&[name.as_bytes(), b"=", value.as_bytes()].concat())))
            .collect::<io::Result<_>>()
            .map(Some)
    }
}

fn candidates(program: &OsStr, path: &OsStr) -> io::Result<Vec<CString>> {
    let name = program.as_bytes();
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.contains(&b'/') {
        return Ok(vec![c_string(program)?]);
    }
    path.as_bytes()
        .split(|b| *b == b':')
        .map(|dir| {
            // An empty element is the current directory.
            let whole = if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() };
            c_string(OsStr::from_bytes(&whole))
        })
        .collect()
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &str, path: &str) -> Vec<String> {
        let all = candidates(program.as_ref(), path.as_ref()).expect("no NUL in it");
        all.into_iter().map(|c| c.into_string().expect("ASCII")).collect()
    }

    #[test]
    fn names_are_looked_for_where_execvp_would() {
        assert_eq!(found("ls", "/bin::/usr/bin"), ["/bin/ls", "ls", "/usr/bin/ls"]);
        assert_eq!(found("./ls", "/bin"), ["./ls"]);
        assert_eq!(found("ls", ""), ["ls"]);
        assert!(found("", "/bin").is_empty());
    }

    #[test]
    fn variables_replace_those_of_the_same_name() {
        let mut command = Command::new("sh");
        assert!(command.prepare().expect("a program").env.is_none(), "as it came");
        command.env = vec![("PATH".into(), "/nowhere".into()), ("NEW".into(), "a=b".into())];
        let all = command.prepare().expect("a program").env.expect("an environment");
        let count = |beginning: &[u8]| all.iter().filter(|one| one.as_bytes().starts_with(beginning)).count();
        assert_eq!((count(b"PATH="), count(b"PATH=/nowhere"), count(b"NEW=a=b")), (1, 1, 1));
        assert_eq!(all.len(), std::env::vars_os().filter(|(name, _)| name != "PATH").count() + 2);
    }

    #[test]
    fn a_nul_is_refused() {
        assert!(Command::new("a\0b").prepare().is_err());
        assert!(Command::new("a").args(["b\0"]).prepare().is_err());
    }
}
