"""Two readers, one judgement: hansard-replay and this reader on the same damaged stores. Differences are findings, in
one of the two or in the text."""

import json
import os
import pathlib
import random
import subprocess
import tempfile

from . import names, write

# The words of `hansard-replay verify --json` for the verdicts of section 8.
WORDS = {
    "complete": "complete", "complete-end-not-witnessed": "complete, end not witnessed", "cut": "cut after",
    "running": "running as of", "interrupted": "interrupted", "recovered": "recovered at", "silent": "silent since",
    "not-whole": "ended, not whole",
}  # fmt: skip


def cases(flips):
    """(what was done, {name: bytes}) of damaged copies of the writer's store."""
    store, _ = write.recording()
    parts = sorted(name for name in store if name.endswith(".hseg"))
    (links,) = [name for name in store if name.endswith(".hchain")]
    chain = names.parse_chain(links)[0]
    lines = store[links].splitlines(keepends=True)
    without = lambda *gone: {name: data for name, data in store.items() if name not in gone}  # noqa: E731
    yield "as written", dict(store)
    yield "a stranger's name", {**store, "no/such.name": b""}
    yield "segments exchanged", {**store, parts[0]: store[parts[1]], parts[1]: store[parts[0]]}
    yield "no segments", without(*parts)
    for name in store:
        yield f"without {name[-20:]}", without(name)
        yield f"empty {name[-20:]}", {**store, name: b""}
    for count in range(1, len(lines)):
        yield f"chain ends after {count}", {**without(links), names.chain_path(chain, 0, count - 1): b"".join(lines[:count])}
    for gone in range(len(lines)):
        yield f"chain lacks {gone}", {**store, links: b"".join(lines[:gone] + lines[gone + 1 :])}
    yield "chain twice", {**store, names.chain_path(chain, 0, 0): lines[0]}
    yield "junk for a later entry", {**store, names.chain_path(chain, 7, 7): b"junk\n"}
    yield "junk for an entry that is there", {**store, names.chain_path(chain, 1, 1): b"junk\n"}
    choose = random.Random(3)
    for _ in range(flips):
        name, place = choose.choice(sorted(store)), choose.random()
        data = bytearray(store[name])
        bit = int(place * len(data) * 8)
        data[bit >> 3] ^= 1 << (bit & 7)
        yield f"bit {bit} of {name[-20:]}", {**store, name: bytes(data)}
        cut = int(place * len(data))
        yield f"{cut} bytes of {name[-20:]}", {**store, name: store[name][:cut]}


def rust(replay, root):
    """(exit code is 0, verdict, whether there are faults) by hansard-replay."""
    environment = {**os.environ, "HOME": str(root), "XDG_CONFIG_HOME": str(root / "config")}
    call = [replay, "verify", "--json", "--from", f"file://{root / 'store'}"]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=60)
    said = [json.loads(line) for line in done.stdout.splitlines() if '"verdict"' in line]
    if done.returncode not in (0, 1) or len(said) != 1:
        return f"exit {done.returncode}: {done.stderr.strip()}", None, None
    return done.returncode == 0, WORDS[said[0]["verdict"]], bool(said[0]["faults"] or said[0]["chain_faults"])


def run(replay, judge, flips=60):
    """`judge(root)` gives (all is well, verdict, whether there are faults) by this reader."""
    passed, failed = 0, 0
    for what, objects in cases(flips):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, data in objects.items():
                (root / "store" / name).parent.mkdir(parents=True, exist_ok=True)
                (root / "store" / name).write_bytes(data)
            theirs, ours = rust(replay, root), judge(root / "store")
        # Which of the numbers of a tail that is gone are named as missing is left open by the text.
        same = theirs[0] == ours[0] and ours[1].startswith(theirs[1] or "?")
        same = same and (theirs[2] == ours[2] or theirs[1] == "cut after")
        passed, failed = passed + same, failed + (not same)
        if not same:
            print(f"{what}: hansard-replay says {theirs}, this reader {ours}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
