//! Where the built programs are; builds the products once if cargo has not.
//!
//! `cargo test` builds the programs of this package, but those of another member only for that member's own
//! tests. `HANSARD_BIN_DIR` names a folder of built programs and suppresses the build (release builds, packages).

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The folder with this package's own programs: the test executable is in `<folder>/deps`.
fn own_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("the test's own path");
    let folder = exe.parent().expect("a folder");
    if folder.ends_with("deps") { folder.parent().expect("the folder above deps").into() } else { folder.into() }
}

fn product_folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("HANSARD_BIN_DIR") {
            return folder.into();
        }
        let folder = own_folder();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // As `cargo test --workspace` has just built them: with other packages chosen, what they depend on would have other
        // features, and nearly all of it would be built anew.
        build.args(["test", "-q", "--workspace", "--no-run"]);
        build.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        build.arg("--target-dir").arg(folder.parent().expect("the target folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells a test about the package under test must not reach the build of another.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
                build.env_remove(name);
            }
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the programs do not build");
        folder
    })
}

/// `hansard-record`.
pub fn recorder() -> PathBuf {
    product_folder().join("hansard-record")
}

/// `hansard-replay`.
pub fn replay() -> PathBuf {
    product_folder().join("hansard-replay")
}

/// `hansard-shell`.
pub fn shell() -> PathBuf {
    product_folder().join("hansard-shell")
}

/// A small program of this package: `emit`, `seat` or `surroundings`.
pub fn own(name: &str) -> PathBuf {
    own_folder().join(name)
}

/// What makes shells mark their commands, as it is in the tree.
pub fn shell_marks() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../recorder/deploy/shell").into()
}

/// A program of the outside, found in `PATH`. The suites never skip: what is missing fails the test.
pub fn outside(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("this suite needs `{name}`, which is not in PATH"))
}
