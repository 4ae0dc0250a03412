//! `keygen`: a new identity, for this user only, never over another.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use hansard_schemas::keys::generate_identity;
use zeroize::Zeroizing;

use crate::cli::Keygen;
use crate::context::Context;
use crate::report::{Exit, Failure, Outcome, note};

/// Makes an identity and prints its recipient.
pub fn run(context: &Context, args: &Keygen) -> Outcome {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => {
            let own = context.identity_path().ok_or_else(|| {
                Failure::usage("there is no home directory to keep an identity in").hint("name a file with -o FILE")
            })?;
            if let Some(parent) = own.parent() {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
                made.map_err(|e| Failure::usage(format!("{}: cannot create: {e}", parent.display())))?;
            }
            own
        }
    };
    let (secret, recipient) = generate_identity();
    let now = context.now();
    let text = Zeroizing::new(format!("# created: {now}\n# recipient: {recipient}\n{}\n", secret.trim_end()));
    write(&path, text.as_bytes())?;
    writeln!(io::stdout().lock(), "{recipient}")?;
    note(&format!("the identity is in {}; whoever has it can read what is sealed to this recipient", path.display()));
    Ok(Exit::Fine)
}

fn write(path: &Path, text: &[u8]) -> Outcome<()> {
    let name = path.display();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("{name}: is there already, and is not overwritten"))
            .hint("name another file with -o FILE; without the old identity old recordings cannot be read"),
        _ => Failure::usage(format!("{name}: cannot create: {e}")),
    })?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    // The file is ours alone since create_new; half an identity is of no use to anyone.
    written
        .inspect_err(|_| drop(std::fs::remove_file(path)))
        .map_err(|e| Failure::usage(format!("{name}: cannot write: {e}")))
}
