//! Who can read a recording: the configured recipients, or at first use an identity made for the user.
//!
//! Recorders hold public keys only; the one exception is announced once and repeated by `check`. Not for opening
//! recordings: this program has no command that decrypts.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hansard_schemas::keys::{Recipients, generate_identity};

use crate::config::Config;
use crate::paths;
use crate::report::{Failure, io};

/// The sentence that goes with an identity on the recording host.
pub const OWN_PAST: &str = "this host can now read its own past";

/// Where the recipients come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Flags or configuration.
    Configured,
    /// An identity that lies on this host.
    OwnIdentity {
        /// Its file.
        path: PathBuf,
        /// Made just now.
        new: bool,
    },
}

/// The recipients that configuration names; none where it names none.
pub fn configured(config: &Config) -> Result<Option<Recipients>, Failure> {
    let mut text = String::new();
    if let Some(path) = &config.recipients_file {
        text = std::fs::read_to_string(path).map_err(io("read the recipients from", path))?;
        text.push('\n');
    }
    for key in &config.recipients {
        text.push_str(key);
        text.push('\n');
    }
    if text.is_empty() {
        return Ok(None);
    }
    Recipients::parse_file(&text).map(Some).map_err(|e| {
        Failure::new(format_args!("the recipients cannot be used: {e}"))
            .hint("a recipient is an age public key (age1…) or an SSH public key (ssh-ed25519 …, ssh-rsa …)")
    })
}

/// The recipients of this session; makes an identity where nothing is configured and `make` is set.
pub fn recipients(config: &Config, make: bool) -> Result<(Recipients, Source), Failure> {
    if let Some(recipients) = configured(config)? {
        return Ok((recipients, Source::Configured));
    }
    let path = paths::identity_file()?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((public_part(&text, &path)?, Source::OwnIdentity { path, new: false })),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && make => {
            let recipient = make_identity(&path)?;
            let recipients = Recipients::parse_file(&recipient).map_err(Failure::new)?;
            Ok((recipients, Source::OwnIdentity { path, new: true }))
        }
        Err(e) => Err(io("read the identity from", &path)(e).hint("name who may read recordings with --recipient")),
    }
}

fn public_part(text: &str, path: &Path) -> Result<Recipients, Failure> {
    let comment = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    comment.and_then(|key| Recipients::parse_file(key).ok()).ok_or_else(|| {
        Failure::new(format_args!("{} has no line `# public key: age1…`", path.display()))
            .hint("add that line (`hansard-replay keygen` prints it), or name who may read recordings with --recipient")
    })
}

fn make_identity(path: &Path) -> Result<String, Failure> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io("make", dir))?;
    let (secret, recipient) = generate_identity();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io("make the identity", path))?;
    writeln!(
        file,
        "# Hansard identity; whoever has this file can read what is sealed to it\n# public key: {recipient}"
    )
    .and_then(|()| writeln!(file, "{}", secret.as_str()))
    .and_then(|()| file.sync_all())
    .map_err(io("write the identity", path))?;
    Ok(recipient)
}
