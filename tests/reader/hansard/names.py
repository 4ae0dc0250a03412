"""Names in stores (FORMAT.md section 10)."""

import datetime
import hashlib
import re

SAFE = re.compile(rb"[A-Za-z0-9-]")
CUT = re.compile(r"(.*)~~([0-9a-f]{16})\Z")
SEGMENT = re.compile(
    r"segments/(\d{4})/(\d\d)/(\d\d)/([0-9a-f]{16})/([0-9a-f-]{36})/(\d{6})-([0-9a-f]{16})\.hseg\Z", re.ASCII
)
CHAIN = re.compile(r"chains/([0-9a-f]{64})/(\d{12})-(\d{12})\.hchain\Z", re.ASCII)


def _escapes(raw):
    made = []
    for at, byte in enumerate(raw):
        plain = SAFE.match(raw[at : at + 1]) or (byte == 0x2E and 0 < at < len(raw) - 1)
        made.append(chr(byte) if plain else f"~{byte:02x}")
    return made


def encode(raw):
    """NAME-1."""
    if not raw:
        return "~~"
    parts = _escapes(raw)
    if sum(map(len, parts)) <= 64:
        return "".join(parts)
    kept = ""
    for part in parts:
        if len(kept) + len(part) > 40:
            break
        kept += part
    return kept + "~~" + hashlib.sha256(raw).hexdigest()[:16]


def _plain(name):
    made, at = bytearray(), 0
    while at < len(name):
        if name[at] == "~":
            pair = name[at + 1 : at + 3]
            if not re.fullmatch(r"[0-9a-f]{2}", pair):
                raise ValueError("escape")
            made.append(int(pair, 16))
            at += 3
        else:
            made += name[at].encode()
            at += 1
    return bytes(made)


def decode(name):
    """NAME-2: the bytes, None for the cut form; ValueError for what does not encode back."""
    if name == "~~":
        return b""
    cut = CUT.match(name)
    if cut:
        # What stands before `~~` is the beginning of an encoding that was over 64 characters. Whether an inner `.`
        # ends the kept part cannot be told, so a byte is put after it.
        kept = cut.group(1)
        if not 38 <= len(kept) <= 40 or not encode(_plain(kept) + b"x") == kept + "x":
            raise ValueError("cut form")
        return None
    raw = _plain(name)
    if encode(raw) != name:
        raise ValueError("does not encode back")
    return raw


def session_date(session):
    """YYYY/MM/DD of a UUIDv7."""
    ms = int(session.replace("-", "")[:12], 16)
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)).strftime("%Y/%m/%d")


def segment_path(chain, session, number, digest):
    return f"segments/{session_date(session)}/{chain.hex()[:16]}/{session}/{number:06d}-{digest.hex()[:16]}.hseg"


def chain_path(chain, first, last):
    return f"chains/{chain.hex()}/{first:012d}-{last:012d}.hchain"


def parse_segment(path):
    """(chain16, session, number, digest16) or None; the date must be the session's."""
    match = SEGMENT.match(path)
    if not match:
        return None
    year, month, day, chain16, session, number, digest16 = match.groups()
    if session_date(session) != f"{year}/{month}/{day}":
        return None
    return chain16, session, int(number), digest16


def parse_chain(path):
    """(chain, first, last) or None."""
    match = CHAIN.match(path)
    if not match or match.group(2) > match.group(3):
        return None
    return bytes.fromhex(match.group(1)), int(match.group(2)), int(match.group(3))
