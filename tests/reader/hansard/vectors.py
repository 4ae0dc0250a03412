"""Runs the test vectors; their form is described in schemas/vectors/README.md."""

import base64
import hashlib
import re

import zstandard

from . import age, chain, content, segment
from .text import OUTCOMES, Bad


def parse(path):
    """(head: key -> list of values, body) of a vector."""
    head, body = path.read_bytes().split(b"\n\n", 1)
    made = {}
    for row in head.decode("ascii").split("\n"):
        key, value = row.split(": ", 1)
        made.setdefault(key, []).append(value)
    data = base64.b64decode(body.replace(b"\n", b""), validate=True)
    if made.get("compressed") == ["zstd"]:
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return made, data


def _identities(head):
    made = []
    for text in head.get("identity", []):
        made += age.identities(text)
    for text in head.get("ssh-identity", []):
        made += age.identities(base64.b64decode(text).decode())
    return made


def recording(head, data):
    """What reading the recording gives: {key: value} as a vector's head has it."""
    segments = segment.check_file(data, True)
    opened = content.Opener(_identities(head)).open_all(segments)
    lines, output = hashlib.sha256(), hashlib.sha256()
    for one in opened:
        lines.update(b"".join(one.lines))
        for event in one.reader.events:
            output.update(event.raw if event.code == "o" else b"")
    return {
        "outcome": "recovered" if any(one.recovered for one in segments) else "ok",
        "segments": str(len(segments)),
        "lines": lines.hexdigest(),
        "output": output.hexdigest(),
    }


def links(head, data):
    """The same for a chain: its lines are of several objects, so each is taken by itself."""
    pinned = bytes.fromhex(head["chain"][0]) if "chain" in head else None
    made = chain.build([(None, line) for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", data)], pinned)
    return {"outcome": made.problems[0].outcome if made.problems else "ok", "entries": str(len(made.entries))}


def run_one(path):
    """What differs: [] if nothing."""
    head, data = parse(path)
    wanted = {key: head[key][0] for key in ("outcome", "segments", "lines", "output", "entries") if key in head}
    if wanted["outcome"] not in OUTCOMES:
        return [f"unknown outcome {wanted['outcome']}"]
    try:
        got = {"recording": recording, "chain": links}[head["kind"][0]](head, data)
    except Bad as error:
        got = {"outcome": error.outcome, "why": error.why}
    wrong = [(key, value) for key, value in wanted.items() if got.get(key) != value]
    return [f"{key} is {got.get(key)} and not {value} ({got.get('why', '')})" for key, value in wrong]


def run(directory):
    passed, failed = 0, 0
    for path in sorted(directory.glob("*.vector")):
        wrong = run_one(path)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        for what in wrong:
            print(f"{path.name}: {what}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
