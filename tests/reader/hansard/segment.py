"""The segment container, checked from end to end without a key (FORMAT.md section 4). Not its content: content.py."""

import re
import struct
from dataclasses import dataclass, field

from . import chain, crypt
from .text import (
    HEX64, INDEX_MAX, INTEGER_MAX, JSON_LINE, KEYS_LINE, NUMBER_MAX, SEALED_MAX, SEALED_MIN, SEGMENT_STORED, UUID7,
    Bad, Fields, document, line,
)  # fmt: skip

END = 0xFFFFFFFF
VERSION = re.compile(rb'\{"hansard":(0|[1-9][0-9]*)[,}]')
HEADER = "hansard session segment start offset_ms suite epoch index commit keys signer".split()
TRAILER = "blocks lines prev next last".split()


@dataclass
class Header:
    raw: bytes
    session: str
    segment: int
    start: int
    offset_ms: int
    epoch: int
    index: int
    commit: bytes
    keys: bytes
    signer: bytes
    entry: object  # chain.Entry in segment 0


@dataclass
class Trailer:
    raw: bytes
    blocks: int
    lines: int
    prev: object
    next: object
    last: bool
    sig: bytes


@dataclass
class Segment:
    header: Header
    keys_line: bytes
    recovered: object = None  # chain.Entry when that is the trailer
    trailer: Trailer = None
    blocks: list = field(default_factory=list)  # (position, sealed)
    digest: bytes = b""
    kept: bytes = b""
    stored: int = 0

    @property
    def next_key(self):
        return self.recovered.fields["continues"] if self.recovered else self.trailer.next

    @property
    def outcome(self):
        return "recovered" if self.recovered else "ok"


def header_line(data, start):
    """The header line; what does not begin like one is none, however long it is, and a newer one may have new limits."""
    begin = b'{"hansard":'
    if not begin.startswith(bytes(data[start : start + len(begin)])[: len(begin)]):
        raise Bad("bad-header", "it does not begin like a header")
    version = VERSION.match(bytes(data[start : start + 64]))
    if version and version.group(1) != b"1":
        raise Bad("unsupported-version", "written by a newer format")
    return line(data, start, JSON_LINE, "bad-header", "header")


def parse_header(raw):
    fields = Fields(document(raw[:-1], "bad-header", "header"), "bad-header", "header")
    fields.version()
    number = fields.members.get("segment")
    if fields.text("suite") != "zstd+A256GCM":
        raise Bad("unsupported-version", f"suite {fields.members['suite'][:40]!r}")
    for name, most in (("segment", NUMBER_MAX), ("epoch", NUMBER_MAX), ("index", INDEX_MAX)):
        fields.number(name, most)
    fields.ordered(HEADER + (["entry"] if number == 0 else []))
    header = Header(
        raw,
        fields.text("session", UUID7),
        fields.number("segment", NUMBER_MAX),
        fields.time("start"),
        fields.number("offset_ms"),
        fields.number("epoch", NUMBER_MAX),
        fields.number("index", INDEX_MAX),
        fields.bytes32("commit"),
        fields.bytes32("keys"),
        fields.bytes32("signer"),
        None,
    )
    if header.segment and "entry" in fields.members:
        raise Bad("bad-header", "an entry outside segment 0")
    if not header.segment:
        if header.offset_ms:
            raise Bad("bad-header", "segment 0 with an offset")
        header.entry = _start_entry(fields, header)
    return header


def _start_entry(fields, header):
    """SEG-3 for segment 0."""
    try:
        entry = chain.parse(fields.text("entry").encode() + b"\n")
    except Bad as error:
        raise Bad("bad-header", f"start entry: {error.why}") from None
    if entry.kind != "start":
        raise Bad("bad-header", f"entry of kind {entry.kind!r}")
    if entry.fields["session"] != header.session or entry.fields["signer"] != header.signer:
        raise Bad("bad-header", "start entry of another session or signer")
    return entry


def parse_trailer(raw):
    at = raw.rfind(b'"sig":"')
    tail = raw[at + 7 :]
    fields = Fields(document(raw[:-1], "bad-trailer", "trailer"), "bad-trailer", "trailer")
    fields.ordered(TRAILER)
    if fields.members.order[-1:] != ["sig"] or len(tail) != 131 or tail[128:] != b'"}\n':
        raise Bad("bad-trailer", "sig is not its last bytes")
    trailer = Trailer(
        raw,
        fields.number("blocks"),
        fields.number("lines"),
        fields.bytes32("prev", null=True),
        fields.bytes32("next", null=True),
        fields.flag("last"),
        bytes.fromhex(fields.text("sig", HEX64)),
    )
    if trailer.last != (trailer.next is None):
        raise Bad("bad-trailer", "next and last contradict each other")
    return trailer


def _blocks(data, at, segment):
    """The framing: ((number of) blocks into `segment`, place after the end marker)."""
    position = 0
    while True:
        if len(data) - at < 4:
            raise Bad("truncated", f"no end marker after block {len(segment.blocks)}")
        (size,) = struct.unpack_from("<I", data, at)
        if size == END:
            return at
        if size > SEALED_MAX:
            raise Bad("limit", f"block {len(segment.blocks)} of {size} bytes")
        if size < SEALED_MIN:
            raise Bad("bad-block", f"block {len(segment.blocks)} of {size} bytes")
        if len(data) - at < 16 + size:
            raise Bad("truncated", f"inside block {len(segment.blocks)}")
        body = data[at : at + 12 + size]
        if crypt.crc32c(body) != struct.unpack_from("<I", data, at + 12 + size)[0]:
            raise Bad("block-crc", f"block {len(segment.blocks)}")
        before, (position,) = position, struct.unpack_from("<Q", data, at + 4)
        if position < before:
            raise Bad("bad-block", f"position of block {len(segment.blocks)} falls")
        if position > INTEGER_MAX:
            raise Bad("limit", f"position of block {len(segment.blocks)}")
        segment.blocks.append((position, bytes(body[12:])))
        at += 16 + size
        if at > SEGMENT_STORED:
            raise Bad("limit", "segment is over 128 MiB")


def check(data, start=0):
    """Checks one segment at `start` without a key: (Segment, place after it)."""
    raw = header_line(data, start)
    header = parse_header(raw)
    keys_at = start + len(raw)
    keys_line = line(data, keys_at, KEYS_LINE, "bad-keys", "keys line")
    segment = Segment(header, keys_line)
    blocks_at = keys_at + len(keys_line)
    end = _blocks(data, blocks_at, segment)
    segment.kept = crypt.sha256(raw, data[blocks_at:end])
    trailer_at = end + 4
    last_line = line(data, trailer_at, JSON_LINE, "bad-trailer", "trailer")
    after = trailer_at + len(last_line)
    segment.digest = crypt.sha256(raw, data[blocks_at:after])
    segment.stored = after - start
    if last_line.startswith(b'{"hansard":'):
        _check_recovered(segment, last_line)
    else:
        _check_signed(segment, last_line, raw, data[blocks_at:trailer_at])
    if segment.stored > SEGMENT_STORED:
        raise Bad("limit", "segment is over 128 MiB")
    return segment, after


def check_keys(segment):
    """KEYS-2. Reported when a segment would be opened, after all that can be checked without a key."""
    if crypt.sha256(segment.keys_line) != segment.header.keys:
        if segment.keys_line == b"{}\n":
            raise Bad("erased", "by nobody known")
        raise Bad("altered", "keys line is not the one of the header")


def _check_signed(segment, raw, header, blocks):
    trailer = segment.trailer = parse_trailer(raw)
    if trailer.blocks != len(segment.blocks) or not trailer.blocks:
        raise Bad("bad-trailer", f"{len(segment.blocks)} blocks and not {trailer.blocks}")
    if (trailer.prev is None) != (segment.header.segment == 0):
        raise Bad("bad-trailer", "prev and the segment's number contradict each other")
    signed = crypt.sha256(header, blocks, raw[: raw.rfind(b'"sig"')])
    if not crypt.verify(segment.header.signer, trailer.sig, b"hansard/1 segment\0" + signed):
        raise Bad("bad-signature", "trailer")


def _check_recovered(segment, raw):
    try:
        entry = segment.recovered = chain.parse(raw)
    except Bad as error:
        # JSON-5 and LIM-5 hold for this line as for any other.
        passed = error.outcome in ("unsupported-version", "limit")
        raise Bad(error.outcome if passed else "bad-trailer", error.why) from None
    if entry.kind != "recovered":
        raise Bad("bad-trailer", f"chain entry of kind {entry.kind!r} as trailer")
    said = entry.fields
    if (said["session"], said["segment"]) != (segment.header.session, segment.header.segment):
        raise Bad("altered", "recovered entry of another segment")
    if said["blocks"] != len(segment.blocks) or said["kept"] != segment.kept:
        raise Bad("altered", "recovered entry does not agree with what is kept")
    if said["head"] is not None and segment.header.segment == 0:
        raise Bad("altered", "recovered entry names a segment before the first")


def linked(before, segment):
    """What must hold from one segment of a recording to the next (SEG-3, SEG-4, TRL-2); recovered ones have no prev."""
    a, b = before.header, segment.header
    if b.session != a.session:
        raise Bad("altered", "segment of another session")
    if b.segment != a.segment + 1:
        raise Bad("altered", f"segment {b.segment} after {a.segment}")
    if before.next_key != b.signer:
        raise Bad("altered", f"segment {b.segment} is signed by a key that was not announced")
    head = segment.recovered.fields["head"] if segment.recovered else segment.trailer.prev
    if head != before.digest:
        raise Bad("altered", f"segment {b.segment} does not follow the digest of {a.segment}")
    if b.epoch < a.epoch or b.offset_ms < a.offset_ms:
        raise Bad("altered", f"epoch or offset of segment {b.segment} falls")
    if b.epoch == a.epoch and (b.index <= a.index or b.keys != a.keys):
        raise Bad("altered", f"index or keys of segment {b.segment} do not continue the epoch")
    if b.epoch != a.epoch and b.keys == a.keys:
        raise Bad("altered", f"segment {b.segment} has an old keys line in a new epoch")


def check_file(data, recording):
    """All segments of a `.hseg` (one) or `.hrec` (joined)."""
    segments, at = [], 0
    while True:
        segment, at = check(data, at)
        if segments:
            linked(segments[-1], segment)
        segments.append(segment)
        if at == len(data):
            return segments
        if not recording or segment.next_key is None:
            raise Bad("trailing-data", f"{len(data) - at} bytes after segment {segment.header.segment}")
