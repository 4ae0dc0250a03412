//! A home folder of its own for every test: configuration, identity, spool and store, kept when the test fails.
//!
//! The programs run in it with a stated environment and no configuration, so that what is tested is what a
//! person gets. Not for terminals: `terminal`.

use std::ffi::OsStr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::call::{Call, code, said};
use crate::{process, programs};

/// The identity that recordings of the tests are opened with; its secret is in this file, so it keeps nothing.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1DDZJQL7HD28ZJ5CDNS87FP0Z98EAJMJ40ZG4PJKMEJZLUSCM4HTQ6DVGE4";
/// The recipient that belongs to [`IDENTITY`].
pub const RECIPIENT: &str = "age1hunf4v4p03lx5yrjsyyv0ndyev964thhnk9kw8fw2laa5fumqunqu2v69s";
/// An identity that no recording was made for.
pub const STRANGER: &str = "AGE-SECRET-KEY-1WTW85YVRKR27VTYF0APL92MWDXZT56YWY8LU48X6AV34UW740J5S9LNFNK";
/// The recipient that belongs to [`STRANGER`].
pub const STRANGER_RECIPIENT: &str = "age1uvp8dg6cppsmrrm27fdk2k0p0wezgd4rad3r2z94azpd9sznx4tsrkrchu";

/// A temporary home.
pub struct Home {
    folder: Option<tempfile::TempDir>,
    root: PathBuf,
}

impl Home {
    /// A home in which nothing was ever recorded and no identity exists.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("hansard-").tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("its path");
        Self { folder: Some(folder), root }
    }

    /// A home whose identity exists already, so that nothing is announced.
    pub fn new() -> Self {
        let home = Self::empty();
        home.write_private(".config/hansard/identity.txt", &format!("# public key: {RECIPIENT}\n{IDENTITY}\n"));
        home
    }

    /// The same folder, as another home of the same user would be: copied with everything in it.
    pub fn copy(&self) -> Self {
        let copy = Self::empty();
        let status = std::process::Command::new("cp").arg("-a").arg(self.root.join(".")).arg(&copy.root).status();
        assert!(status.expect("cp").success(), "the home cannot be copied");
        copy
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// The folder where a recorder without configuration keeps recordings.
    pub fn store(&self) -> PathBuf {
        self.join(".local/share/hansard")
    }

    /// The spool of a recorder without configuration.
    pub fn spool(&self) -> PathBuf {
        self.join(".local/state/hansard/spool")
    }

    /// The identity file.
    pub fn identity(&self) -> PathBuf {
        self.join(".config/hansard/identity.txt")
    }

    /// Writes a file that only its owner may read, making folders above it.
    pub fn write_private(&self, path: &str, text: &str) -> PathBuf {
        let path = self.join(path);
        let folder = path.parent().expect("a folder");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("folders");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .expect("a file");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
        path
    }

    /// Writes the recorder's configuration.
    pub fn configure(&self, toml: &str) {
        self.write_private(".config/hansard/record.toml", toml);
    }

    /// A home whose recorder closes a segment after some hundred KiB.
    pub fn small_segments() -> Self {
        let home = Self::new();
        home.configure("[journal]\nmax_segment = 524288\n");
        home
    }

    /// A call with this home's environment: what a login on a quiet machine would have, and nothing else.
    pub fn call(&self, program: impl Into<PathBuf>) -> Call {
        Call::new(program, &self.root)
            .env("HOME", &self.root)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("USER", "tester")
            .env("LOGNAME", "tester")
    }

    /// `hansard-record ARGS…`.
    pub fn recorder<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call(programs::recorder()).args(args)
    }

    /// `hansard-record run --quiet -- COMMAND…`.
    pub fn record<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Call {
        self.recorder(["run", "--quiet", "--"]).args(command)
    }

    /// `hansard-record run --quiet -- /bin/sh -c SCRIPT`.
    pub fn record_sh(&self, script: &str) -> Call {
        self.record(["/bin/sh", "-c", script])
    }

    /// `hansard-replay ARGS…`.
    pub fn replay<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call(programs::replay()).args(args)
    }

    /// `hansard-replay export ID --as FORM`.
    pub fn export(&self, id: &str, form: &str) -> Vec<u8> {
        self.replay(["export", id, "--as", form]).ok()
    }

    /// The bytes that the terminal of a session got, or its standard output.
    pub fn raw(&self, id: &str) -> Vec<u8> {
        self.export(id, "raw")
    }

    /// One stream of a session without a terminal.
    pub fn raw_stream(&self, id: &str, stream: &str) -> Vec<u8> {
        self.replay(["export", id, "--as", "raw", "--stream", stream]).ok()
    }

    /// The commands of a session, as `hansard-replay timeline` tells them: text, status, and whether it guesses.
    pub fn commands(&self, id: &str) -> Vec<(String, Option<u64>, bool)> {
        let told = self.replay(["timeline", "--json", "--commands", id]).ok();
        let told = String::from_utf8(told).expect("text");
        let lines = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"));
        let command = |one: serde_json::Value| {
            let text = one["text"].as_str().unwrap_or("?").to_owned();
            (text, one["status"].as_u64(), one["guessed"] != false)
        };
        lines.map(command).collect()
    }

    /// `hansard-replay verify ARGS…`.
    pub fn verify<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Verified {
        let output = self.replay(["verify"]).args(args).output();
        Verified { code: code(&output), said: said(&output), output }
    }

    /// Everything verifies and is complete.
    pub fn assert_complete(&self) {
        let verified = self.verify::<&str>([]);
        assert_eq!(verified.code, 0, "{}", verified.said);
        assert!(verified.said.contains("complete"), "{}", verified.said);
    }

    /// The segments in the store, in order of session and number.
    pub fn segments(&self) -> Vec<PathBuf> {
        self.stored("hseg")
    }

    /// The chain objects in the store, in order.
    pub fn chains(&self) -> Vec<PathBuf> {
        self.stored("hchain")
    }

    fn stored(&self, extension: &str) -> Vec<PathBuf> {
        let mut files = process::files_below(&self.store());
        files.retain(|file| file.extension().is_some_and(|e| e == extension));
        files
    }

    /// The ids of the sessions that the store holds, oldest first.
    pub fn sessions(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .segments()
            .iter()
            .map(|file| {
                file.parent().and_then(Path::file_name).expect("a session's folder").to_string_lossy().into_owned()
            })
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the test's folder is kept: {}", folder.keep().display());
        }
    }
}

/// What `verify` said.
pub struct Verified {
    /// Its exit code.
    pub code: i32,
    /// All it printed.
    pub said: String,
    /// Its output, streams apart.
    pub output: Output,
}

impl Verified {
    /// It failed with the code of a failed verification, and with these words.
    pub fn assert_found(&self, words: &str) {
        assert_eq!(self.code, 1, "verify should fail and say `{words}`; it said:\n{}", self.said);
        assert!(self.said.contains(words), "verify should say `{words}`; it said:\n{}", self.said);
    }
}
