"""The host chain: entries, their signatures, the objects that carry them (FORMAT.md section 5)."""

import math
from dataclasses import dataclass, field

from . import crypt
from .text import CHAIN_OBJECT, HEX64, JSON_LINE, NUMBER_MAX, UUID, UUID7, Bad, Fields, document

FIRST = "hansard kind chain seq prev time boot next".split()
KINDS = {
    "genesis": "key host machine uid".split(),
    "start": "session signer identity".split(),
    "end": "session segment digest outcome".split(),
    "recovered": "session segment blocks kept head reason old_boot continues".split(),
    "checkpoint": ["open"],
    "close": [],
}


@dataclass
class Entry:
    raw: bytes
    kind: str
    chain: bytes
    seq: int
    prev: object
    time: int
    boot: str
    next: bytes
    sig: bytes
    digest: bytes
    fields: dict

    def about(self, session):
        """Whether a checkpoint says anything of this session (CHAIN-8)."""
        if self.kind != "checkpoint":
            return False
        start, below = self.fields["part"]
        return (start is None or start <= session) and (below is None or session < below)

    def signed_by(self, key):
        return crypt.verify(key, self.sig, b"hansard/1 chain\0" + crypt.sha256(self.raw[: self.raw.rfind(b'"sig"')]))


def parse(raw):
    """One entry line with its `\\n`. What is wrong with it is `chain-broken`, as for the chain it stands in."""
    if len(raw) > JSON_LINE:
        raise Bad("limit", "chain entry")
    fields = Fields(document(raw[:-1], "chain-broken", "entry"), "chain-broken", "entry")
    fields.version()
    kind = fields.text("kind")
    fields.ordered(FIRST + KINDS.get(kind, []))
    tail = raw[raw.rfind(b'"sig":"') + 7 :]
    if fields.members.order[-1] != "sig" or len(tail) != 131 or tail[128:] != b'"}\n':
        raise fields.bad("sig is not its last bytes")
    entry = Entry(
        raw,
        kind,
        fields.bytes32("chain"),
        fields.number("seq"),
        fields.bytes32("prev", null=True),
        fields.time("time"),
        fields.text("boot", UUID),
        fields.bytes32("next"),
        bytes.fromhex(fields.text("sig", HEX64)),
        crypt.sha256(raw),
        {},
    )
    if (entry.seq == 0) != (kind == "genesis") or (entry.prev is None) != (kind == "genesis"):
        raise fields.bad("seq, prev and kind contradict each other")
    _members(entry, kind, fields)
    return entry


def _members(entry, kind, fields):
    take = entry.fields
    if kind == "genesis":
        take.update(key=fields.bytes32("key"), host=fields.text("host"), machine=fields.bytes32("machine", null=True))
        take.update(uid=fields.number("uid", (1 << 32) - 1))
    if kind in ("start", "end", "recovered"):
        take.update(session=fields.text("session", UUID7))
    if kind == "start":
        take.update(signer=fields.bytes32("signer"), identity=fields.bytes32("identity"))
    if kind in ("end", "recovered"):
        take.update(segment=fields.number("segment", NUMBER_MAX))
    if kind == "end":
        take.update(digest=fields.bytes32("digest"), outcome=fields.text("outcome"))
    if kind == "recovered":
        take.update(blocks=fields.number("blocks"), kept=fields.bytes32("kept", null=True))
        take.update(head=fields.bytes32("head", null=True), reason=fields.text("reason"))
        take.update(old_boot=fields.text("old_boot", UUID), continues=fields.bytes32("continues", null=True))
    if kind == "checkpoint":
        heads = fields.get("open")
        if not isinstance(heads, list) or not all(isinstance(head, dict) for head in heads):
            raise fields.bad("open is not a list of objects")
        take.update(open=[_head(Fields(head, "chain-broken", "open session")) for head in heads])
        take.update(part=_part(fields))
        if not all(entry.about(session) for session, _, _ in take["open"]):
            raise fields.bad("an open session outside its part")


def _part(fields):
    """CHAIN-8: (from, below), each an id or None."""
    if "part" not in fields.members:
        return None, None
    part = fields.get("part")
    if not isinstance(part, dict):
        raise fields.bad("part is not an object")
    part = Fields(part, "chain-broken", "part")
    part.ordered(["from", "below"])
    start, below = (None if part.get(name) is None else part.text(name, UUID7) for name in ("from", "below"))
    if start is below is None or start is not None and below is not None and start >= below:
        raise fields.bad("part has no bound, or ends before it begins")
    return start, below


def _head(fields):
    fields.ordered(["session", "segment", "digest"])
    digest = fields.bytes32("digest", null=True)
    segment = None if fields.get("segment") is None else fields.number("segment", NUMBER_MAX)
    if (digest is None) != (segment is None):
        raise fields.bad("segment and digest contradict each other")
    return fields.text("session", UUID7), segment, digest


@dataclass
class Chain:
    """What can be believed: verified entries from genesis on without a hole, and what was wrong after them."""

    id: bytes
    entries: list = field(default_factory=list)
    problems: list = field(default_factory=list)  # Bad

    def by(self, kind, session):
        return [e for e in self.entries if e.kind == kind and e.fields.get("session") == session]


def read_object(data, name=None):
    """The entries of one object up to the first fault, and (number, fault) if there is one; `name` is (chain, first,
    last) where it has one (CHAIN-4, NAME-3)."""
    expected, last = (name[1], name[2]) if name else (None, 0)
    entries = []
    try:
        if len(data) > CHAIN_OBJECT:
            raise Bad("limit", "chain object")
        lines = data.split(b"\n")
        for raw in lines[:-1]:
            entry = parse(raw + b"\n")
            if expected is not None and entry.seq != expected:
                raise Bad("chain-broken", f"entry {entry.seq} in the place of {expected}")
            if entry.chain != (name[0] if name else entries[0].chain if entries else entry.chain):
                raise Bad("chain-broken", "entry of another chain")
            entries.append(entry)
            expected = entry.seq + 1
        if lines[-1] or not entries:
            raise Bad("chain-broken", "the last entry is cut")
        if name and expected != last + 1:
            raise Bad("chain-broken", "the object does not hold what its name says")
        return entries, None
    except Bad as error:
        # A fault without any place stands for nobody knows what: it counts as an entry that is missed.
        return entries, (max(last, expected) if expected is not None else math.inf, error)


def whole_object(data, name=None):
    """The entries of one object, or its fault."""
    entries, fault = read_object(data, name)
    if fault:
        raise fault[1]
    return entries


def build(objects, pinned=None):
    """Verifies the entries of all objects of one chain, [(name or None, bytes)]. What does not verify counts as a
    fault only where it stands for entries that are not to be had otherwise."""
    places, faults, chain = {}, [], pinned
    for name, data in objects:
        entries, fault = read_object(data, name)
        faults += [fault] if fault else []
        for entry in entries:
            chain = chain or entry.chain
            if entry.chain == chain:
                places.setdefault(entry.seq, {})[entry.raw] = entry
            else:
                faults.append((entry.seq, Bad("chain-broken", "entry of another chain")))
    made = Chain(chain or b"")
    _follow(made, places)
    end = len(made.entries)
    if not made.problems and max(places, default=-1) >= end:
        made.problems.append(Bad("chain-broken", f"at entry {end}"))
    for seq, fault in faults:
        if seq >= end and (not made.problems or fault.outcome != "chain-broken"):
            made.problems.append(fault)
    if not end and not made.problems:
        made.problems.append(Bad("chain-broken", "no entry"))
    return made


def _follow(made, places):
    before = None
    for seq in range(max(places, default=-1) + 1):
        valid = [e for e in places.get(seq, {}).values() if _follows(before, e, made.id)]
        if len(valid) > 1:
            made.problems.append(Bad("fork", f"two entries {seq}"))
        if len(valid) != 1:
            return
        before = valid[0]
        made.entries.append(before)


def _follows(before, entry, chain):
    if before is None:
        return crypt.sha256(entry.fields.get("key", b"")) == chain and entry.signed_by(entry.fields["key"])
    return entry.prev == before.digest and entry.signed_by(before.next)
