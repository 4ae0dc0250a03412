"""A plain writer of one small recording with its chain, from fixed secrets: so that another reader can be tried on what
was not written by its own side. Nobody should record with it."""

import base64
import json
import struct

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import age, crypt, names
from .events import split
from .text import parse_time, show_time

ZERO_BOOT = "00000000-0000-4000-8000-000000000001"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def signed(members, key, domain, *before):
    """A line whose last member is the signature over everything before it."""
    unsigned = (compact(members)[:-1] + ",").encode()
    sig = key.sign(domain + crypt.sha256(*before, unsigned))
    return unsigned + b'"sig":"' + sig.hex().encode() + b'"}\n'


class ChainWriter:
    """A host chain whose keys come from `secret(n)`."""

    def __init__(self, secret, started_ms, host="example", uid=1000):
        self.secret, self.time, self.lines = secret, started_ms, []
        genesis = crypt.signer(secret(0))[1]
        self.id = crypt.sha256(genesis)
        self.append("genesis", {"key": genesis.hex(), "host": host, "machine": None, "uid": uid})

    def append(self, kind, fields):
        number = len(self.lines)
        members = {
            "hansard": 1,
            "kind": kind,
            "chain": self.id.hex(),
            "seq": number,
            "prev": crypt.sha256(self.lines[-1]).hex() if self.lines else None,
            "time": show_time(self.time),
            "boot": ZERO_BOOT,
            "next": crypt.signer(self.secret(number + 1))[1].hex(),
            **fields,
        }
        key = crypt.signer(self.secret(number))[0]
        self.lines.append(signed(members, key, b"hansard/1 chain\0"))
        self.time += 1000
        return self.lines[-1]

    def path(self):
        return names.chain_path(self.id, 0, len(self.lines) - 1)


def event_lines(events):
    """[(interval ms, code, text or bytes)] to lines; bytes get their `b` line where they need one."""
    lines = b""
    for interval, code, data in events:
        text, groups = split(data) if isinstance(data, bytes) else (data, None)
        seconds = f"{interval // 1000}.{interval % 1000:03d}"
        lines += f'[{seconds}, "{code}", {json.dumps(text, ensure_ascii=False)}]\n'.encode()
        if groups is not None:
            lines += f'[0.000, "b", "{groups}"]\n'.encode()
    return lines


def keys_line(epoch_secret, publics, entropy):
    wrapped = base64.b64encode(age.encrypt(epoch_secret, publics, entropy)).decode()
    recipients = [age.bech32_encode("age", public) for public in publics]
    line = compact({"wraps": [{"type": "age", "recipients": recipients, "wrapped": wrapped}]})
    return line.encode() + b"\n"


def segment(header, secret, keys, blocks, footer, trailer, key):
    """The bytes of one segment: `blocks` is [(position, lines)], `key` signs."""
    head = compact(header).encode() + b"\n"
    stream = zstandard.ZstdCompressor(level=3).compressobj()
    cipher, framed = AESGCM(crypt.block_key(secret)), b""
    plain = []
    for at, (position, lines) in enumerate(blocks):
        data = stream.compress(lines)
        end = at + 1 == len(blocks)
        data += stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH if end else zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        plain.append((position, b"\0" + data))
    plain.append((blocks[-1][0], b"\1" + compact(footer).encode()))
    for counter, (position, data) in enumerate(plain):
        extra = crypt.sha256(head) + struct.pack("<Q", position)
        sealed = cipher.encrypt(crypt.nonce(counter, counter + 1 == len(plain)), data, extra)
        block = struct.pack("<IQ", len(sealed), position) + sealed
        framed += block + struct.pack("<I", crypt.crc32c(block))
    framed += b"\xff\xff\xff\xff"
    line = signed({"blocks": len(plain), **trailer}, key, b"hansard/1 segment\0", head, framed)
    return head + keys + framed + line, crypt.sha256(head, framed, line)


def recording(seed=b"python-written"):
    """A complete two-segment session: {name: bytes} of a store, and the identity that opens it."""
    secret = lambda label: crypt.sha256(seed, b" ", label.encode())  # noqa: E731
    counter = iter(range(1000))
    entropy = lambda size: secret(f"entropy {next(counter)}")[:size]  # noqa: E731
    identity = age.X25519Identity(secret("identity"))
    started = "2026-11-22T09:30:00.125Z"
    session = f"{parse_time(started):012x}"
    session = f"{session[:8]}-{session[8:]}-7000-8000-{secret('session').hex()[:12]}"
    chain = ChainWriter(lambda n: secret(f"chain {n}"), parse_time(started))
    about = {
        "session": session, "started": started, "host": "example", "kind": "exec",
        "kernel": {
            "uid": 1000, "gid": 1000, "groups": [1000], "login_uid": None, "ppid": 1, "parent": None, "tty": None,
            "hostname": "example", "machine": None, "boot": ZERO_BOOT, "user": "ann",
        },
        "claimed": {
            "command": ["printf", "…"], "cwd": "/", "env": {}, "labels": {"by": "python"}, "reason": None,
            "ssh_connection": None, "ssh_user_auth": None,
        },
    }  # fmt: skip
    first, second = crypt.signer(secret("segment 0")), crypt.signer(secret("segment 1"))
    start = {"session": session, "signer": first[1].hex(), "identity": crypt.sha256(compact(about).encode()).hex()}
    entry = chain.append("start", start)
    cast = {"version": 3, "term": {"cols": 80, "rows": 24}, "timestamp": parse_time(started) // 1000, "hansard": about}
    epoch, keys = secret("epoch"), keys_line(secret("epoch"), [identity.public], entropy)

    def head(number, offset_ms, signer, **more):
        made = crypt.segment_secret(epoch, number)
        return made, {
            "hansard": 1, "session": session, "segment": number, "start": started, "offset_ms": offset_ms,
            "suite": "zstd+A256GCM", "epoch": 0, "index": number, "commit": crypt.commitment(made).hex(),
            "keys": crypt.sha256(keys).hex(), "signer": signer.hex(), **more,
        }  # fmt: skip

    every = bytes(range(256))
    one = compact(cast).encode() + b"\n" + event_lines([(5, "o", b"hello\r\n"), (0, "o", "é€😀\ufffd".encode())])
    two = event_lines([(20, "e", every), (0, "o", b"\xef\xbf\xbd and \xf0\x9f\x98 cut"), (1000, "m", "here")])
    made, header = head(0, 0, first[1], entry=entry[:-1].decode())
    streams = {"o": {"events": 3, "bytes": 7 + 12 + 15}, "e": {"events": 1, "bytes": 256}}
    footer = {"lines": (one + two).count(b"\n"), "duration_ms": 1025, "streams": streams}
    trailer = {"lines": footer["lines"], "prev": None, "next": second[1].hex(), "last": False}
    zero, digest0 = segment(header, made, keys, [(2, one), (5, two)], footer, trailer, first[0])

    made, header = head(1, 1025, second[1])
    three = event_lines([(0, "r", "80x24"), (1, "o", b"bye\n"), (0, "x", "0")])
    stop = {"outcome": "exited", "status": 0, "signal": None, "left_behind": []}
    footer = {"lines": 3, "duration_ms": 1, "streams": {"o": {"events": 1, "bytes": 4}}, "stop": stop}
    trailer = {"lines": 3, "prev": digest0.hex(), "next": None, "last": True}
    one, digest1 = segment(header, made, keys, [(6, three)], footer, trailer, second[0])
    chain.append("end", {"session": session, "segment": 1, "digest": digest1.hex(), "outcome": "exited"})
    store = {
        names.segment_path(chain.id, session, 0, digest0): zero,
        names.segment_path(chain.id, session, 1, digest1): one,
        chain.path(): b"".join(chain.lines),
    }
    return store, age.bech32_encode("age-secret-key-", identity.raw).upper()
