"""Rules of the tree that no compiler checks. Run from the root: `python3 .ci/rules.py`."""

import json
import pathlib
import re
import subprocess
import sys

MOST_LINES = 600
UNSAFE = re.compile(r"\bunsafe\s*(\{|fn\b|impl\b|extern\b|trait\b|\()|allow\(unsafe_code|expect\(unsafe_code")
UNSAFE_HOME = "recorder/tee/src/sys/"
UNFINISHED = re.compile(r"#\[ignore|\btodo!\(|\bunimplemented!\(|\bdbg!\(")
# Everything that may be in what each recorded user runs, with all it brings.
TEE = {
    "hansard-tee", "bitflags", "errno", "libc", "linux-raw-sys", "rustix",
    # SHA-256 of what passes unrecorded.
    "block-buffer", "cfg-if", "cpufeatures", "crypto-common", "digest", "generic-array", "sha2", "typenum", "version_check",
}  # fmt: skip
# Who must not know whom.
APART = [
    ("hansard-record", "hansard-replay"), ("hansard-replay", "hansard-record"), ("hansard-replay", "hansard-tee"),
    ("hansard-schemas", "hansard-sinks"), ("hansard-tee", "hansard-schemas"),
]  # fmt: skip


def tracked():
    """Files of the repository that people write."""
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout.decode().split("\0")
    return [pathlib.Path(name) for name in names if name and pathlib.Path(name).is_file()]


def tree(package):
    """Names of all packages that `package` is built with."""
    call = ["cargo", "tree", "-p", package, "-e", "normal,build", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(call, capture_output=True, check=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.strip()}


def files():
    for path in tracked():
        if path.suffix not in (".rs", ".py") and not (path.parent.name == "stages" or path.name == "run"):
            continue
        text = path.read_text()
        count = text.count("\n")
        if count > MOST_LINES:
            yield f"{path}: {count} lines, over {MOST_LINES}"
        if path.suffix != ".rs":
            continue
        if not text.startswith("//!"):
            yield f"{path}: does not begin with what it is for"
        for number, line in enumerate(text.splitlines(), 1):
            code = line.split("//")[0]
            if UNSAFE.search(code) and not str(path).startswith(UNSAFE_HOME):
                yield f"{path}:{number}: unsafe outside {UNSAFE_HOME}"
            if UNFINISHED.search(code):
                yield f"{path}:{number}: {line.strip()}"


def dependencies():
    for name in sorted(tree("hansard-tee") - TEE):
        yield f"hansard-tee is built with {name}, which is not on its list"
    for one, other in APART:
        if other in tree(one):
            yield f"{one} knows {other}"


def workspace():
    """Every member takes the workspace's lints."""
    data = json.loads(subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], capture_output=True, check=True).stdout)
    for package in data["packages"]:
        if not re.search(r"\[lints\]\s*workspace = true", pathlib.Path(package["manifest_path"]).read_text()):
            yield f"{package['name']}: does not take the workspace's lints"


def main():
    failed = 0
    for rule in (files, dependencies, workspace):
        wrong = list(rule())
        failed += bool(wrong)
        print(f"rules of {rule.__name__}: {'ok' if not wrong else 'broken'}")
        for what in wrong:
            print(f"  {what}")
    print(f"{3 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
