"""Event lines: the strict grammar, exact bytes, event time (FORMAT.md section 3)."""

import json
import re
from dataclasses import dataclass

from . import crypt
from .text import DECODER, EVENT_LINE, EVENT_RAW, INTEGER_MAX, JSON_LINE, SURROGATE, Bad, document

LINE = re.compile(r'\[(0|[1-9][0-9]{0,12})\.([0-9]{3}), "([a-z])", (".*")\]\Z', re.DOTALL)
TIME_MAX = 9_007_199_254_999
SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})\Z")
GROUP = re.compile(r"(?:[0-9a-f]{2}){1,3}\Z")
STREAMS = "oei"


@dataclass
class Event:
    time_ms: int
    code: str
    text: str
    raw: bytes = b""  # of o, e, i


def bad(why):
    return Bad("bad-line", why)


def split(raw):
    """Bytes to (text, groups or None): what a writer puts into the `o` line and the `b` line after it (EXACT-1)."""
    text, groups, at, exact = "", [], 0, False
    while at < len(raw):
        try:
            good, step, wrong = raw[at:].decode("utf-8"), len(raw) - at, None
        except UnicodeDecodeError as error:
            good, step, wrong = raw[at : at + error.start].decode("utf-8"), error.end, raw[at:][error.start : error.end]
        text, at = text + good, at + step
        groups += ["efbfbd"] * good.count("\ufffd")
        if wrong is not None:
            text, exact = text + "\ufffd", True
            groups.append(wrong.hex())
    return text, " ".join(groups) if exact else None


def join(text, groups):
    """EXACT-2."""
    parts, groups = text.split("\ufffd"), groups.split(" ")
    if len(parts) != len(groups) + 1:
        raise bad("number of exact groups")
    made = parts[0].encode()
    for group, part in zip(groups, parts[1:]):
        if not GROUP.match(group):
            raise bad(f"exact group {group[:12]!r}")
        made += bytes.fromhex(group) + part.encode()
    return made


class LineReader:
    """The event lines of one segment, block by block."""

    def __init__(self, number, offset_ms):
        self.number, self.start_ms, self.time_ms = number, offset_ms, offset_ms
        self.header = None  # (document, digest of the identity object)
        self.lines, self.events, self.counts = 0, [], {}
        self.pending = None  # the event a `b` line may follow

    def push(self, data):
        """The decompressed lines of one block, which end with a line's end."""
        if not data:
            return
        for raw in data[:-1].split(b"\n"):
            if len(raw) + 1 > EVENT_LINE:
                raise Bad("limit", "event line")
            self.lines += 1
            if self.number == 0 and self.lines == 1:
                self.header = parse_header(raw)
            else:
                self._line(raw)
        self._settle()

    def _settle(self):
        event, self.pending = self.pending, None
        if event is None:
            return
        if len(event.raw) > EVENT_RAW:
            raise Bad("limit", "raw bytes of one event")
        count = self.counts.setdefault(event.code, {"events": 0, "bytes": 0})
        count["events"] += 1
        count["bytes"] += len(event.raw)

    def _line(self, raw):
        try:
            match = LINE.match(raw.decode("utf-8"))
            text = DECODER.decode(match.group(4)) if match else None
        except ValueError as error:
            raise bad(str(error)) from None
        if not isinstance(text, str) or SURROGATE.search(text):
            raise bad(f"line {self.lines} is not an event line")
        interval, code = int(match.group(1)) * 1000 + int(match.group(2)), match.group(3)
        if code == "b":
            if self.pending is None or match.group(1) + match.group(2) != "0000":
                raise bad("misplaced exact bytes")
            self.pending.raw = join(self.pending.text, text)
            return self._settle()
        self._settle()
        self.time_ms += interval
        if interval > TIME_MAX or self.time_ms > INTEGER_MAX:
            raise bad("time")
        if self.number and self.lines == 1 and code != "r":
            raise bad("a segment after the first does not begin with the size")
        event = Event(self.time_ms, code, text)
        if code in STREAMS:
            event.raw = text.encode()
            self.pending = event
        else:
            check_data(code, text)
        if code in "oeirmxg":
            self.events.append(event)


def check_data(code, text):
    if code == "r":
        match = SIZE.match(text)
        if not match or any(int(n) > 65535 for n in match.groups()):
            raise bad(f"size {text[:40]!r}")
    if code == "x" and not re.match(r"[0-9]{1,10}\Z", text):
        raise bad(f"exit status {text[:40]!r}")
    if code == "g":
        gap = document(text.encode(), "bad-line", "gap")
        if not isinstance(gap.get("what"), str) or not isinstance(gap.get("why"), str):
            raise bad("gap without what and why")


def last_member(text):
    """(name, exact text) of the last member of a JSON object that is known to be well formed."""
    scan, space, name, value = json.JSONDecoder().raw_decode, re.compile(r"[ \t]*"), None, None
    at = space.match(text, text.index("{") + 1).end()
    while text[at] != "}":
        name, at = scan(text, at)
        at = space.match(text, at).end() + 1  # the colon
        start = space.match(text, at).end()
        _, at = scan(text, start)
        value = text[start:at]
        at = space.match(text, at).end()
        if text[at] == ",":
            at = space.match(text, at + 1).end()
    return name, value


def parse_header(raw):
    """CAST-1: the asciicast header and the digest of the identity object."""
    if len(raw) + 1 > JSON_LINE:
        raise Bad("limit", "asciicast header")
    header = document(raw, "bad-line", "asciicast header")
    name, value = last_member(raw.decode())
    if header.get("version") != 3 or name != "hansard" or not isinstance(header["hansard"], dict):
        raise bad("not an asciicast v3 header that ends with hansard")
    return header, crypt.sha256(value.encode())
