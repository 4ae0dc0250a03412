//! The package under test, made once by `recorder/deploy/package`; and the same programs as an earlier and as a later version.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hansard_tests::programs;

/// A version of the package.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// One before the present one.
    Earlier,
    /// What the command makes.
    Present,
    /// One after it.
    Later,
}

impl Version {
    /// The name of its file in [`folder`].
    pub fn file(self) -> &'static str {
        match self {
            Self::Earlier => "earlier.deb",
            Self::Present => "present.deb",
            Self::Later => "later.deb",
        }
    }
}

/// The folder of the three packages.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(make)
}

fn make() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../recorder/deploy/package");
    let mut command = Command::new(script);
    command.args(["--fast", "--quiet", "--output"]).arg(folder.join(Version::Present.file()));
    command.env("HANSARD_BIN_DIR", programs::recorder().parent().expect("a folder"));
    run(&mut command);
    for (version, number) in [(Version::Earlier, "0.0.1-1"), (Version::Later, "999.0.0-1")] {
        renumber(&folder, version, number);
    }
    folder
}

/// Another version is the same but for its number: what is tested is what installing it does.
fn renumber(folder: &Path, version: Version, number: &str) {
    let tree = folder.join(number);
    run(Command::new("dpkg-deb").arg("-R").arg(folder.join(Version::Present.file())).arg(&tree));
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).expect("a control file");
    let changed: String = text
        .lines()
        .map(|line| if line.starts_with("Version: ") { format!("Version: {number}\n") } else { format!("{line}\n") })
        .collect();
    assert_ne!(text, changed, "another number");
    std::fs::write(control, changed).expect("written");
    let target = folder.join(version.file());
    run(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "-b"]).arg(&tree).arg(target));
    std::fs::remove_dir_all(tree).expect("removed");
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}\n{}", hansard_tests::call::said(&output));
}
