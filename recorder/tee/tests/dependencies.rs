//! What every recorded user runs has the smallest possible tree: two ways to the kernel, and SHA-256.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_tree_is_two_ways_to_the_kernel_and_a_digest() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            "hansard-tee",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let kernel = ["bitflags", "libc", "linux-raw-sys", "rustix"];
    let digest =
        ["block-buffer", "cfg-if", "cpufeatures", "crypto-common", "digest", "generic-array", "sha2", "typenum"];
    assert_eq!(names, kernel.into_iter().chain(digest).chain(["hansard-tee"]).collect());
}
