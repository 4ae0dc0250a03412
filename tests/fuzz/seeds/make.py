"""Fills a target's corpus with its seeds: the test vectors of schemas/vectors, and inputs written here by hand.

Usage: make.py TARGET DIR. What the fuzzer has added to DIR stays.
"""

import base64
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parents[2] / "schemas" / "vectors"
IMPORTS = HERE.parents[2] / "recorder" / "tests" / "fixtures" / "import"
TRANSCRIPTS = HERE.parents[2] / "recorder" / "tee" / "tests" / "transcripts"
IDENTITY = (HERE / "identity.json").read_bytes().strip()
CAST = b'{"version":3,"term":{"cols":80,"rows":24},"timestamp":1700000001,"hansard":' + IDENTITY + b"}"
LINES = [
    b'[0.000, "o", "hello\\r\\n"]',
    b'[0.005, "o", "\xef\xbf\xbd and \xef\xbf\xbd"]\n[0.000, "b", "ff efbfbd"]',
    b'[1.250, "e", "\\u00e9 \\ud83d\\ude00"]\n[0.000, "m", "here"]\n[0.010, "x", "130"]',
    b'[0.000, "g", "{\\"what\\":\\"input\\",\\"why\\":\\"masked\\",\\"bytes\\":9}"]\n[0.000, "i", "ls"]\n[0.001, "z", "?"]',
]
RESIZE = b'[0.000, "r", "80x24"]'
CONFIGS = [
    b'to = ["file:///srv/rec"]\nrecipients = ["age1xyz"]\n\n[input]\nmode = "masked"\nprompt_patterns = ["(?i)password"]\n',
    b'[journal]\nsync_interval = "1s"\nmax_segment = 8388608\nlevel = 3\n[ship]\ninterval = "5s"\n[labels]\na = "b"\n',
    b'from = "file:///srv/rec"\nidentity = ["~/id.txt"]\ncolor = "never"\n',
]
NAMES = [
    b"segments/2026/11/22/3c066160a1f8d54f/01a20297-4e3d-7000-8000-fe944ca66725/000000-73e7862b25d7c0dd.hseg",
    b"chains/" + b"3c066160a1f8d54f" * 4 + b"/000000000000-000000000002.hchain",
    b"a~2fb", b"..", b"~~", b"x" * 40 + b"~~0123456789abcdef", b"\x1b]0;t\x07", "\u202ea\u200b\ufeff".encode(),
]


def vectors(kind):
    """The bytes of the test vectors of one kind; those that are stored compressed are large, and left out."""
    for path in sorted(VECTORS.glob("*.vector")):
        head, body = path.read_bytes().split(b"\n\n", 1)
        rows = head.split(b"\n")
        data = base64.b64decode(body)
        if b"kind: " + kind in rows and b"compressed: zstd" not in rows and len(data) <= 65536:
            yield data


def imports():
    """What real tools wrote, as the target `import` takes it: a format, then its files with a separator between."""
    one = {0: "asciicast-1.json", 1: "asciicast-2.cast", 2: "asciicast-3.cast", 3: "demo.ttyrec", 4: "demo.tlog"}
    for number, name in [*one.items(), (4, "small.tlog")]:
        yield bytes([number | 0x18]) + (IMPORTS / name).read_bytes()
    for timing, output, *typed in (("classic.timing", "classic.typescript"), ("advanced.timing", "advanced.out", "advanced.in"), ("io.timing", "io.log")):
        yield b"\x1d" + b"\x1e\x1e".join((IMPORTS / name).read_bytes() for name in (timing, output, *typed))
    names = ("timing", "log.json", "log", "stdin", "stdout", "stderr", "ttyin", "ttyout")
    for folder in sorted((IMPORTS / "sudo").iterdir()):
        files = (folder / name for name in names)
        yield b"\x1f" + b"\x1e\x1e".join(path.read_bytes() if path.exists() else b"" for path in files)


def seeds(target):
    if target == "segment":
        for whole in vectors(b"recording"):
            yield whole
            yield from [line + b"\n" for line in whole.split(b"\n", 2)[:2] if line.startswith(b'{"wraps"')]
    elif target == "sealed":
        for line in LINES:
            yield b"\x01" + CAST + b"\n" + line
            yield b"\x00" + RESIZE + b"\x1e" + line
            yield b"\x06\x00" + RESIZE + b"\n" + line + b'\n\x1e\x01{"lines":2,"duration_ms":0,"streams":{}}'
        yield b"\x02\x00\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00\x1e\x01{}"
    elif target == "lines":
        for line in LINES:
            yield b"\x00" + CAST + b"\n" + line + b"\n"
            yield b"\x00" + RESIZE + b"\n\x1e" + line + b"\n"
        yield b"\x01a\xc3\xa9\xed\xa0\x80\xf0\x9f\x98\xff\xef\xbf\xbd"
        yield "\x02a\ufffdb\ufffd\x1eff efbfbd".encode()
        yield b"\x03\x00ls\x1e\x05\xff\xfe\x1e\x0bmark\x1e\x02err"
    elif target == "chain":
        yield from vectors(b"chain")
    elif target == "verdict":
        yield from (bytes([n]) for n in (0x83, 0x03, 0xA2))
        yield bytes([0x83, 2, 3, 6, 2, 2, 4, 8, 1, 0])
    elif target == "config":
        yield from CONFIGS
    elif target == "names":
        yield from NAMES
    elif target == "import":
        yield from imports()
    elif target == "socket":
        yield from (path.read_bytes() for path in sorted(TRANSCRIPTS.iterdir()))


def main(target, into):
    for seed in seeds(target):
        (pathlib.Path(into) / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
