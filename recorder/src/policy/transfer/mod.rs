//! File transfers: command lines that are a known server mode of a known program, and nothing else.
//!
//! A transfer is run without a shell, from a fixed place, and recorded bounded. What could make it another program is
//! the reason for every line here: a line that holds any character with a meaning for a shell, an option that is not on
//! the list of its program, a program elsewhere. Such a line is no transfer but an exec session, which runs through the
//! user's shell and is recorded whole; nobody is refused for it.
//!
//! Three things the line does not show are for whoever runs it: that the file is root's (`is_trusted`), that the
//! environment does not load other code into it (`Transfer::variables`), and that the directory is the user's own.

mod rsync;
mod trusted;

use std::path::{Path, PathBuf};

pub use trusted::{is_roots, is_trusted};

use super::command::words;

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// `scp -t`, `scp -f`.
    Scp,
    /// `sftp-server`, `internal-sftp`.
    Sftp,
    /// `rsync --server`.
    Rsync,
}

/// A transfer, ready to be run: `program` with `args`, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Where the program lies.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Which server it is.
    pub what: What,
}

/// What the usual clients call them, and where each may lie; the first that exists is taken.
const SCP: [&str; 2] = ["/usr/bin/scp", "/bin/scp"];
const RSYNC: [&str; 2] = ["/usr/bin/rsync", "/bin/rsync"];
const SFTP: [&str; 5] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
];
/// sshd's word for its own; it is the same server.
const INTERNAL: &str = "internal-sftp";

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Scp => "scp",
            Self::Sftp => INTERNAL,
            Self::Rsync => "rsync",
        }
    }

    fn places(self) -> &'static [&'static str] {
        match self {
            Self::Scp => &SCP,
            Self::Sftp => &SFTP,
            Self::Rsync => &RSYNC,
        }
    }

    fn takes(self, args: &[String]) -> bool {
        match self {
            Self::Scp => takes_scp(args),
            Self::Sftp => takes_sftp(args),
            Self::Rsync => rsync::takes(args),
        }
    }
}

/// A line that is a transfer, before anything was looked up.
struct Known {
    what: What,
    /// Where it may lie, as far as the line leaves that open.
    places: Vec<&'static str>,
    args: Vec<String>,
}

fn known(line: &str) -> Option<Known> {
    let words = words(line)?;
    if words.iter().any(|word| word.quoted) {
        return None;
    }
    let mut words = words.into_iter().map(|word| word.text);
    let first = words.next()?;
    let args: Vec<String> = words.collect();
    [What::Scp, What::Sftp, What::Rsync].into_iter().find_map(|what| {
        let is_bare = first == what.name();
        let places: Vec<_> = what.places().iter().copied().filter(|place| is_bare || *place == first).collect();
        (!places.is_empty() && what.takes(&args)).then(|| Known { what, places, args: args.clone() })
    })
}

/// The transfer that this command line is, if it is one and its program is there.
///
/// Looks whether files exist, and at nothing else of them: see [`is_trusted`].
pub fn transfer(command: &str) -> Option<Transfer> {
    transfer_where(command, Path::is_file)
}

fn transfer_where(command: &str, exists: impl Fn(&Path) -> bool) -> Option<Transfer> {
    let known = known(command)?;
    let program = known.places.iter().map(PathBuf::from).find(|place| exists(place))?;
    Some(Transfer { program, args: known.args, what: known.what })
}

/// The names that a transfer's program goes by in rules: its fixed places, and the word that clients send.
pub(super) fn names(command: &str) -> Option<Vec<&'static str>> {
    known(command).map(|known| {
        let mut names = known.places;
        names.push(known.what.name());
        names
    })
}

impl Transfer {
    /// The variables of the user's environment that may reach the server, as `hansard_tee::passes` reads them. Those that are
    /// known to be harmless may; among the others are some that load code (`LD_PRELOAD`, `OPENSSL_CONF`, `GCONV_PATH`). rsync
    /// gets no `HOME` either: until it has seen `--server` it reads `~/.popt`, where old versions let that very option run
    /// another program. It uses `HOME` for nothing else.
    pub fn variables(&self) -> Vec<&'static str> {
        let own = if self.what == What::Rsync { "RSYNC_*" } else { "HOME" };
        VARIABLES.into_iter().chain([own]).collect()
    }
}

/// Of every transfer.
const VARIABLES: [&str; 17] = [
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "MAIL",
    "TERM",
    "TZ",
    "TMPDIR",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "KRB5CCNAME",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_USER_AUTH",
    "XDG_SESSION_ID",
    "XDG_RUNTIME_DIR",
];

/// The flags of scp's own server modes, then where: one place to write to, or what to read.
///
/// Letters may stand together, as other clients send them. None of them runs anything: those that do (`-S`, `-o`, `-F`,
/// `-D`, `-J`) are the client's.
fn takes_scp(args: &[String]) -> bool {
    let (mut to, mut from) = (0, 0);
    let mut rest = args.iter();
    let mut paths = Vec::new();
    let mut flags = true;
    for arg in rest.by_ref() {
        match arg.strip_prefix('-') {
            Some("-") if flags => flags = false,
            Some(letters) if flags => {
                if letters.is_empty() || !letters.chars().all(|letter| "vrpdqtf".contains(letter)) {
                    return false;
                }
                to += letters.matches('t').count();
                from += letters.matches('f').count();
            }
            _ => {
                flags = false;
                paths.push(arg);
            }
        }
    }
    match (to, from) {
        (1, 0) => paths.len() == 1,
        (0, 1) => !paths.is_empty(),
        _ => false,
    }
}

/// The options of `sftp-server`, none of which runs anything; `-h` and `-Q` only tell something, and are left out.
fn takes_sftp(args: &[String]) -> bool {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let is_known = match arg.as_str() {
            "-e" | "-R" => true,
            "-d" | "-f" | "-l" | "-P" | "-p" | "-u" => rest.next().is_some_and(|value| !value.starts_with('-')),
            _ => false,
        };
        if !is_known {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(line: &str) -> Option<Transfer> {
        transfer_where(line, |_| true)
    }

    /// What OpenSSH 9.2's scp and sftp were seen to send, and the forms of other clients.
    #[test]
    fn what_scp_and_sftp_send_is_a_transfer() {
        for (line, program, args, what) in [
            ("scp -t /tmp/x", "/usr/bin/scp", "-t /tmp/x", What::Scp),
            ("scp -v -r -p -t .", "/usr/bin/scp", "-v -r -p -t .", What::Scp),
            ("scp -d -t dst", "/usr/bin/scp", "-d -t dst", What::Scp),
            ("scp -t -- -x", "/usr/bin/scp", "-t -- -x", What::Scp),
            ("scp -f /tmp/x", "/usr/bin/scp", "-f /tmp/x", What::Scp),
            ("scp -r -p -f /tmp/a b", "/usr/bin/scp", "-r -p -f /tmp/a b", What::Scp),
            ("scp -f -- -x", "/usr/bin/scp", "-f -- -x", What::Scp),
            ("scp -qt x", "/usr/bin/scp", "-qt x", What::Scp),
            ("scp -pf x", "/usr/bin/scp", "-pf x", What::Scp),
            ("/bin/scp -t x", "/bin/scp", "-t x", What::Scp),
            ("scp -t ünï", "/usr/bin/scp", "-t ünï", What::Scp),
            ("/usr/lib/openssh/sftp-server", "/usr/lib/openssh/sftp-server", "", What::Sftp),
            (
                "/usr/libexec/openssh/sftp-server -l INFO -f AUTH -u 0022",
                "/usr/libexec/openssh/sftp-server",
                "-l INFO -f AUTH -u 0022",
                What::Sftp,
            ),
            ("/usr/lib/ssh/sftp-server -e -R -d /srv", "/usr/lib/ssh/sftp-server", "-e -R -d /srv", What::Sftp),
            ("internal-sftp", "/usr/lib/openssh/sftp-server", "", What::Sftp),
            ("internal-sftp -P remove,rename", "/usr/lib/openssh/sftp-server", "-P remove,rename", What::Sftp),
        ] {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(found(line), Some(Transfer { program: program.into(), args, what }), "{line}");
        }
    }

    #[test]
    fn the_real_server_is_the_first_that_exists() {
        let only = |place: &'static str| move |path: &Path| path == Path::new(place);
        let program = |line, place| transfer_where(line, only(place)).map(|found| found.program);
        assert_eq!(program("internal-sftp", SFTP[2]), Some(SFTP[2].into()));
        assert_eq!(program("scp -t x", "/bin/scp"), Some("/bin/scp".into()));
        assert_eq!(program("scp -t x", "/usr/local/bin/scp"), None);
        assert_eq!(program(SFTP[0], SFTP[1]), None, "a path that was named is not changed");
    }

    #[test]
    fn anything_else_is_none() {
        for line in [
            "",
            "scp",
            "scp x",
            "scp -t",
            "scp -f",
            "scp -t a b",
            "scp -t -f x",
            "scp -tt x",
            "scp -t -S /tmp/x y",
            "scp -t -S/tmp/x y",
            "scp -S /tmp/bash -t x",
            "scp -o ProxyCommand=bash -t x",
            "scp -F /tmp/x -t y",
            "scp -J x -t y",
            "scp -D /tmp/x -t y",
            "scp -3 -t y",
            "scp - -t y",
            "scp -r a host:b",
            "~/bin/scp -t x",
            "bin/scp -t x",
            "./scp -t x",
            "/home/ann/bin/scp -t x",
            "/usr/local/bin/scp -t x",
            "/usr/bin/../../tmp/scp -t x",
            "//usr/bin/scp -t x",
            "scp -t ~/x",
            "scp -f *.c",
            "scp -f 'a b'",
            "scp -f \"a\"",
            "scp -f a\\ b",
            "scp -t x; bash",
            "scp -t x\nbash",
            "scp -t x\0bash",
            "scp -t x\tbash",
            "scp -t $(bash)",
            "scp -t `bash`",
            "scp -t x & bash",
            "scp -t x | bash",
            "scp -t x > y",
            "scp -t x < y",
            "scp -t (x)",
            "scp -t {a,b}",
            "scp -t a!b",
            "scp -t #x",
            "LD_PRELOAD=/tmp/x.so scp -t x",
            "PATH=/tmp scp -t x",
            "exec scp -t x",
            "sudo scp -t x",
            "'scp' -t x",
            "internal-sftp -h",
            "internal-sftp -d",
            "internal-sftp -d -R",
            "internal-sftp x",
            "sftp-server",
            "/tmp/sftp-server",
            "/usr/lib/openssh/sftp-server -Q requests",
            "/usr/lib/openssh/sftp-server;bash",
            "/usr/lib/openssh/sftp-server -d %h/$x",
            "bash",
            "bash -i",
        ] {
            assert_eq!(found(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_loads_code_does_not_reach_the_server() {
        let passes = |line: &str, name: &str| {
            let names: Vec<Vec<u8>> = found(line).unwrap().variables().into_iter().map(Into::into).collect();
            hansard_tee::passes(&names, name.as_bytes())
        };
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "OPENSSL_CONF",
            "OPENSSL_MODULES",
            "GCONV_PATH",
            "LOCPATH",
            "BASH_ENV",
            "",
        ] {
            assert!(!passes("scp -t x", name) && !passes("rsync --server . x", name), "{name}");
        }
        for name in ["LANG", "LC_ALL", "TZ", "USER", "TMPDIR"] {
            assert!(passes("scp -t x", name) && passes("rsync --server . x", name), "{name}");
        }
        assert!(passes("internal-sftp", "HOME") && !passes("rsync --server . x", "HOME"));
        assert!(passes("rsync --server . x", "RSYNC_ICONV") && !passes("scp -t x", "RSYNC_RSH"));
    }

    /// Everything that a shell would act on, and all that hides.
    const METACHARACTERS: &str =
        "[\\x00-\\x1f\\x7f'\"`$\\\\;&|<>(){}\\[\\]*?~#!^\u{a0}\u{202e}\u{200b}\u{2028}\u{feff}]";
    const LINES: [&str; 5] = [
        "scp -t x",
        "scp -r -p -f /tmp/a b",
        "/usr/lib/openssh/sftp-server -l INFO",
        "rsync --server -vlogDtpre.iLsfxCIvu --partial-dir .p . x",
        "rsync --server --sender -logDtpre.iLsfxCIvu . a b",
    ];

    proptest! {
        /// A real line with one such character anywhere in it is none.
        #[test]
        fn no_line_with_a_metacharacter(line in 0..LINES.len(), at in 0..60_usize, character in METACHARACTERS) {
            let line = LINES[line];
            prop_assert!(found(line).is_some());
            let at = at.min(line.len());
            prop_assert_eq!(found(&format!("{}{character}{}", &line[..at], &line[at..])), None);
            prop_assert_eq!(found(&format!("{} {character} {}", &line[..at], &line[at..])), None);
        }

        /// Words of real lines in any order, with or without others: what is found is a server with what was written.
        #[test]
        fn any_words(words in prop::collection::vec(prop::sample::select(vec![
            "scp", "rsync", "internal-sftp", "/usr/bin/rsync", "--server", "--sender", "-t", "-f", "-e.Lsf", "-e", "--rsh=bash",
            "--daemon", "--config=x", "--rsync-path=bash", ".", "x", "--", "-", "-s", "--partial-dir", "-S", "-d", "bash",
            "--log-file=x", "-M--daemon", "--dparam=a=b", "--files-from", "-avz", "-logDtpre.iLsfxCIvu",
        ]), 1..7)) {
            if let Some(found) = found(&words.join(" ")) {
                prop_assert_eq!(&found.args[..], &words[1..]);
                for bad in ["--rsh=bash", "--daemon", "--config=x", "--rsync-path=bash", "-S", "--log-file=x", "-M--daemon", "--dparam=a=b"] {
                    prop_assert!(!words.contains(&bad), "{:?}", words);
                }
                match found.what {
                    What::Rsync => prop_assert_eq!(words[1], "--server"),
                    What::Scp => prop_assert!(words.iter().any(|word| *word == "-t" || *word == "-f")),
                    What::Sftp => prop_assert_eq!(words[0], "internal-sftp"),
                }
            }
        }

        #[test]
        fn any_text(line in any::<String>()) {
            if found(&line).is_some() {
                prop_assert!(line.chars().all(|c| c.is_alphanumeric() || " _./,:=@%+-".contains(c)));
            }
        }
    }
}
