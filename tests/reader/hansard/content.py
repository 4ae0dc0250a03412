"""What is inside a checked segment: secret, blocks, zstd frame, lines, footer (FORMAT.md sections 4.2 to 4.4)."""

import base64
import binascii

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import age, crypt
from .events import LineReader
from .segment import check_keys
from .text import BLOCK_LINES, SEGMENT_LINES, WINDOW, Bad, Fields, document

MAGIC = 0xFD2FB528
STOP = ["outcome", "status", "signal", "left_behind"]


def wraps(keys_line):
    """The wrapped keys of a keys line: [(type, recipients, bytes)]."""
    said = document(keys_line[:-1], "bad-keys", "keys line").get("wraps")
    if not isinstance(said, list) or not said or not all(isinstance(wrap, dict) for wrap in said):
        raise Bad("bad-keys", "no list of wraps")
    made = []
    for wrap in said:
        fields = Fields(wrap, "bad-keys", "wrap")
        kind, recipients = fields.text("type"), fields.get("recipients")
        if not isinstance(recipients, list) or not all(isinstance(r, str) for r in recipients):
            raise fields.bad("recipients is not a list of strings")
        if kind != "age":
            if not made:
                raise fields.bad("the first is not of type age")
            continue
        try:
            made.append((kind, recipients, base64.b64decode(fields.text("wrapped").encode(), validate=True)))
        except (binascii.Error, ValueError):
            raise fields.bad("wrapped is not base64") from None
    return made


def epoch_secret(keys_line, identities):
    named = []
    for _, recipients, wrapped in wraps(keys_line):
        named += recipients
        secret = age.decrypt(wrapped, identities)
        if secret is not None:
            if len(secret) != 32:
                raise Bad("bad-keys", "epoch secret of a wrong length")
            return secret
    raise Bad("no-recipient", "sealed for " + ", ".join(named))


class Frame:
    """One zstd frame, fed block by block, with the limits checked as it grows."""

    def __init__(self):
        self.stream, self.total, self.head = None, 0, b""

    def _begin(self, data):
        self.head += data
        try:
            frame = zstandard.get_frame_parameters(self.head)
        except zstandard.ZstdError as error:
            if len(self.head) < 18 and not self._wrong_magic():
                return b""
            raise Bad("bad-block", f"zstd: {error}") from None
        if self._wrong_magic() or frame.dict_id:
            raise Bad("bad-block", "not a zstd frame without dictionary")
        if frame.window_size > WINDOW:
            raise Bad("limit", "zstd window")
        self.stream = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        return self.head

    def _wrong_magic(self):
        return not MAGIC.to_bytes(4, "little").startswith(self.head[:4])

    def push(self, data):
        if self.stream is None:
            data = self._begin(data)
        lines = []
        # Small steps, because a zstd block of 4 bytes may become 128 KiB: what is held stays bounded.
        for at in range(0, len(data), 256):
            if self.stream.eof:
                raise Bad("bad-block", "data after the end of the zstd frame")
            try:
                lines.append(self.stream.decompress(data[at : at + 256]))
            except zstandard.ZstdError as error:
                raise Bad("bad-block", f"zstd: {error}") from None
            self.total += len(lines[-1])
            if self.stream.unused_data:
                raise Bad("bad-block", "data after the end of the zstd frame")
            if self.total > SEGMENT_LINES or sum(map(len, lines)) > BLOCK_LINES:
                raise Bad("limit", "decompressed lines")
        return b"".join(lines)

    @property
    def ended(self):
        return self.stream is not None and self.stream.eof


class Content:
    """The events of one segment, once its whole content has been authenticated and read."""

    def __init__(self, segment, secret):
        self.segment, self.footer = segment, None
        self.reader, self.frame = LineReader(segment.header.segment, segment.header.offset_ms), Frame()
        self.last_position, self.lines = 0, []
        if crypt.commitment(secret) != segment.header.commit:
            raise Bad("commit", f"segment {segment.header.segment}")
        self.cipher = AESGCM(crypt.block_key(secret))
        for counter in range(len(segment.blocks)):
            self._block(counter)

    def _open(self, counter):
        position, sealed = self.segment.blocks[counter]
        extra = crypt.sha256(self.segment.header.raw) + position.to_bytes(8, "little")
        at_end = counter + 1 == len(self.segment.blocks)
        # A recovered segment may end with its footer or with any other block (REC-2).
        lasts = (at_end,) if not (at_end and self.segment.recovered) else (False, True)
        for last in lasts:
            try:
                return last, position, self.cipher.decrypt(crypt.nonce(counter, last), sealed, extra)
            except InvalidTag:
                pass
        raise Bad("block-auth", f"block {counter}")

    def _block(self, counter):
        last, position, plain = self._open(counter)
        if plain[0] > 1:
            raise Bad("bad-block", f"block {counter} is of kind {plain[0]}")
        if (plain[0] == 1) != last:
            raise Bad("bad-block", f"block {counter} is the last or the footer, not both")
        if plain[0] == 1:
            if position != self.last_position:
                raise Bad("bad-footer", "position")
            self._footer(plain[1:])
            return
        if self.frame.ended:
            raise Bad("bad-block", "lines after the end of the zstd frame")
        self.last_position = position
        lines = self.frame.push(plain[1:])
        if lines and not lines.endswith(b"\n"):
            raise Bad("bad-block", "it does not end at the end of a line")
        self.lines.append(lines)
        self.reader.push(lines)
        entry, header = self.segment.header.entry, self.reader.header
        if entry is not None and header is not None and header[1] != entry.fields["identity"]:
            raise Bad("altered", "identity object is not the one of the start entry")

    def _footer(self, raw):
        fields = Fields(document(raw, "bad-footer", "footer"), "bad-footer", "footer")
        if fields.number("lines") != self.reader.lines:
            raise fields.bad(f"{self.reader.lines} lines and not {fields.members['lines']}")
        if not self.frame.ended:
            raise Bad("bad-block", "the zstd frame does not end")
        if self.segment.trailer and self.segment.trailer.lines != self.reader.lines:
            raise Bad("bad-trailer", "lines of trailer and footer differ")
        self._stop(fields)
        if fields.number("duration_ms") != self.reader.time_ms - self.reader.start_ms:
            raise fields.bad("duration")
        streams = fields.get("streams")
        if not isinstance(streams, dict) or {k: v for k, v in streams.items() if k in "oei"} != self.reader.counts:
            raise fields.bad("counts of the streams")
        self.footer = fields.members

    def _stop(self, fields):
        if "stop" in fields.members:
            if not isinstance(fields.members["stop"], dict):
                raise fields.bad("stop is not an object")
            stop = Fields(fields.members["stop"], "bad-footer", "stop")
            stop.text("outcome"), stop.number("status"), [stop.get(name) for name in STOP]
        if self.segment.trailer and self.segment.trailer.last != ("stop" in fields.members):
            raise fields.bad("stop and the trailer's last contradict each other")


class Opener:
    """Opens segments with identities; unwraps each keys line once."""

    def __init__(self, identities):
        self.identities, self.cache = identities, {}

    def open(self, segment):
        check_keys(segment)
        secret = self.cache.get(segment.keys_line)
        if secret is None:
            secret = self.cache[segment.keys_line] = epoch_secret(segment.keys_line, self.identities)
        return Content(segment, crypt.segment_secret(secret, segment.header.index))

    def open_all(self, segments):
        """All contents of a recording; offsets must be the sums of the intervals (CAST-3)."""
        made = []
        for segment in segments:
            at, end = segment.header.offset_ms, made[-1].reader.time_ms if made else segment.header.offset_ms
            # Whoever went on after a recovered segment could not read when its last event was.
            if at < end or (at > end and not made[-1].segment.recovered):
                raise Bad("altered", f"offset of segment {segment.header.segment}")
            made.append(self.open(segment))
        return made
