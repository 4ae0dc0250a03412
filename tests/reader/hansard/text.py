"""Outcomes, limits and the strict JSON of FORMAT.md sections 1, 2 and 13. Not what the documents mean."""

import datetime
import json
import re

OUTCOMES = (
    "ok recovered bad-header bad-keys bad-block block-crc block-auth bad-line bad-footer bad-trailer bad-signature "
    "no-recipient commit erased altered truncated trailing-data unsupported-version limit chain-broken fork"
).split()

KIB, MIB = 1 << 10, 1 << 20
SEGMENT_LINES = 64 * MIB  # LIM-1
BLOCK_LINES = 4 * MIB  # LIM-3
SEALED_MIN, SEALED_MAX = 17, 4 * MIB  # LIM-4
JSON_LINE = 64 * KIB  # LIM-5
KEYS_LINE = 1 * MIB  # LIM-6
EVENT_LINE = 1 * MIB  # LIM-7
EVENT_RAW = 64 * KIB  # LIM-8
WINDOW = 8 * MIB  # LIM-9
INDEX_MAX = 65_535  # LIM-10
NUMBER_MAX = 999_999  # LIM-11
SEGMENT_STORED = 128 * MIB  # LIM-12
CHAIN_OBJECT = 16 * MIB  # LIM-13
INTEGER_MAX = (1 << 53) - 1  # JSON-3
DEPTH_MAX = 32  # JSON-7

HEX32 = re.compile(r"[0-9a-f]{64}\Z")
HEX64 = re.compile(r"[0-9a-f]{128}\Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")


class Bad(Exception):
    """One outcome of section 13, and what was found."""

    def __init__(self, outcome, why):
        assert outcome in OUTCOMES, outcome
        super().__init__(f"{outcome}: {why}")
        self.outcome, self.why = outcome, why


class Members(dict):
    """A JSON object that remembers the order of its members."""

    @property
    def order(self):
        return list(self)


def _pairs(pairs):
    made = Members()
    for name, value in pairs:
        if name in made:
            raise ValueError(f"duplicate member {name!r}")
        made[name] = value
    return made


def _refuse(text):
    raise ValueError(f"number {text} is not a plain integer")


def _integer(text):
    if text.startswith("-") or len(text) > 16 or int(text) > INTEGER_MAX:
        raise ValueError(f"integer {text[:20]} is out of range")
    return int(text)


DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_refuse, parse_int=_integer, parse_constant=_refuse)


def _surrogates(value):
    if isinstance(value, str):
        return SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_surrogates(k) or _surrogates(v) for k, v in value.items())
    if isinstance(value, list):
        return any(_surrogates(v) for v in value)
    return False


def _depth(value):
    """Of arrays and objects; parsed ones are never deep enough to end the program."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def document(raw, outcome, what):
    """A JSON object from the exact bytes of one document (JSON-2, JSON-3, JSON-7)."""
    try:
        if b"\n" in raw or b"\r" in raw or raw.startswith(b"\xef\xbb\xbf"):
            raise ValueError("line break or byte order mark inside")
        value = DECODER.decode(raw.decode("utf-8"))
        if not isinstance(value, Members):
            raise ValueError("not an object")
        if _depth(value) > DEPTH_MAX:
            raise ValueError("nested too deep")
        if _surrogates(value):
            raise ValueError("lone surrogate")
        return value
    except (ValueError, RecursionError) as error:
        raise Bad(outcome, f"{what}: {error}") from None


def line(data, at, limit, outcome, what):
    """The line that starts at `at`, with its `\\n`: checked against its limit before anything else."""
    end = data.find(b"\n", at, at + limit)
    if end >= 0:
        return bytes(data[at : end + 1])
    if len(data) - at >= limit:
        raise Bad("limit", f"{what} is longer than {limit} bytes")
    raise Bad("truncated", f"the end of the file is inside the {what}")


class Fields:
    """Typed access to a document's members; every difference is the given outcome."""

    def __init__(self, members, outcome, what):
        self.members, self.outcome, self.what = members, outcome, what

    def bad(self, why):
        return Bad(self.outcome, f"{self.what}: {why}")

    def get(self, name):
        if name not in self.members:
            raise self.bad(f"no member {name!r}")
        return self.members[name]

    def text(self, name, pattern=None, null=False):
        value = self.get(name)
        if value is None and null:
            return None
        if not isinstance(value, str) or (pattern and not pattern.match(value)):
            raise self.bad(f"{name} is {str(value)[:80]!r}")
        return value

    def bytes32(self, name, null=False):
        value = self.text(name, HEX32, null)
        return None if value is None else bytes.fromhex(value)

    def number(self, name, most=INTEGER_MAX):
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.bad(f"{name} is not a number")
        if value > most:
            raise Bad("limit", f"{self.what}: {name} is over {most}")
        return value

    def flag(self, name):
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.bad(f"{name} is not true or false")
        return value

    def time(self, name):
        value = self.text(name, TIME)
        try:
            return parse_time(value)
        except ValueError:
            raise self.bad(f"{name} is {value!r}") from None

    def ordered(self, names):
        """The members `names` stand first, in this order; unknown ones may follow (SEG-1)."""
        if self.members.order[: len(names)] != list(names):
            raise self.bad(f"members are not {', '.join(names)} in this order")

    def version(self):
        """JSON-5."""
        if self.members.order[:1] != ["hansard"]:
            raise self.bad("hansard is not the first member")
        if self.members["hansard"] is True or self.members["hansard"] != 1:
            if isinstance(self.members["hansard"], int) and not isinstance(self.members["hansard"], bool):
                raise Bad("unsupported-version", f"{self.what}: written by a newer format")
            raise self.bad("hansard is not a number")


def parse_time(value):
    """Milliseconds since 1970 of JSON-6's form."""
    when = datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (when - epoch) // datetime.timedelta(milliseconds=1)


def show_time(ms):
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"
