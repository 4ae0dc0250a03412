"""The host chain: entries, their signatures, the objects that carry them (FORMAT.md section 5)."""

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


def lines(data):
    """The entry lines of a chain object."""
    if len(data) > CHAIN_OBJECT:
        raise Bad("limit", "chain object")
    made = data.split(b"\n")
    if made.pop() or not made:
        raise Bad("chain-broken", "last entry is cut")
    return [raw + b"\n" for raw in made]


def read_object(data, name=None):
    """The entries of one object; `name` is (chain, first, last) where it has one (CHAIN-4, NAME-3)."""
    entries = [parse(raw) for raw in lines(data)]
    for a, b in zip(entries, entries[1:]):
        if b.seq != a.seq + 1:
            raise Bad("chain-broken", f"entry {b.seq} after {a.seq}")
    if any(e.chain != entries[0].chain for e in entries):
        raise Bad("chain-broken", "entries of two chains")
    if name is not None and name != (entries[0].chain, entries[0].seq, entries[-1].seq):
        raise Bad("chain-broken", "object's name does not agree with its entries")
    return entries


def build(objects):
    """Verifies the entries of all objects of one chain, [(name or None, bytes)]."""
    problems, found = [], {}
    for name, data in objects:
        try:
            for entry in read_object(data, name):
                found.setdefault(entry.chain, {}).setdefault(entry.seq, {})[entry.raw] = entry
        except Bad as error:
            problems.append(error)
    if not found:
        return Chain(b"", [], problems or [Bad("chain-broken", "no entry")])
    made = Chain(next(iter(found)), [], problems)
    if len(found) > 1:
        problems.append(Bad("chain-broken", "entries of two chains"))
    places = found[made.id]
    _follow(made, places)
    if made.entries and max(places) > made.entries[-1].seq and not any(p.outcome == "fork" for p in problems):
        problems.append(Bad("chain-broken", f"after entry {made.entries[-1].seq}"))
    elif not made.entries:
        problems.append(Bad("chain-broken", "no valid genesis"))
    return made


def _follow(made, places):
    before = None
    for seq in range(max(places) + 1):
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
