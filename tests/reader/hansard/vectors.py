"""Runs the test vectors; their form is described in schemas/vectors/README.md."""

import base64
import hashlib
import re

import zstandard

from . import age, chain, content, names, segment
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


def write(directory, store, identity, seed_note):
    """The writer's store as vectors: its recording and its chain."""
    parts = [store[name] for name in sorted(store) if name.endswith(".hseg")]
    (links_name,) = [name for name in store if name.endswith(".hchain")]
    head = {"kind": ["recording"], "note": [seed_note], "outcome": ["ok"], "identity": [identity]}
    pinned = names.parse_chain(links_name)[0].hex()
    for name, data, head, read in (
        ("ok-python-written", b"".join(parts), head, recording),
        ("ok-chain-python-written", store[links_name], {**head, "kind": ["chain"], "chain": [pinned]}, links),
    ):
        head = {key: value for key, value in head.items() if read is recording or key != "identity"}
        rows = {**{key: value[0] for key, value in head.items()}, **read(head, data)}
        body = base64.b64encode(data).decode()
        text = "".join(f"{key}: {value}\n" for key, value in rows.items()) + "\n"
        text += "".join(body[at : at + 76] + "\n" for at in range(0, len(body), 76))
        (directory / f"{name}.vector").write_text(text)


def run(directory):
    passed, failed = 0, 0
    for path in sorted(directory.glob("*.vector")):
        wrong = run_one(path)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        for what in wrong:
            print(f"{path.name}: {what}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
