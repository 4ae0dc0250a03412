"""The reader on its own writer's store: everything opens, and no bit of it can be turned unseen."""

import random
import unittest

from . import age, chain, content, crypt, events, names, segment, verdict, write
from .text import Bad, document, parse_time

NOW = parse_time("2026-11-22T09:31:00.000Z")


def damaged(data, bit):
    made = bytearray(data)
    made[bit >> 3] ^= 1 << (bit & 7)
    return bytes(made)


class SelfTest(unittest.TestCase):
    def setUp(self):
        self.store, self.identity = write.recording()
        self.parts = sorted(name for name in self.store if name.startswith("segments/"))
        (self.links,) = [name for name in self.store if name.startswith("chains/")]
        self.session = names.parse_segment(self.parts[0])[1]
        self.data = b"".join(self.store[name] for name in self.parts)

    def judge(self, parts=None, links=True, now=NOW):
        objects = [(name, names.parse_segment(name)[2], data) for name, data in (parts or self.segments()).items()]
        made = None
        if links:
            made = chain.build([(names.parse_chain(self.links), self.store[self.links])])
        return verdict.judge(self.session, objects, made, now)

    def segments(self):
        return {name: self.store[name] for name in self.parts}

    def test_opens(self):
        opened = content.Opener(age.identities(self.identity)).open_all(segment.check_file(self.data, True))
        raw = {code: b"".join(e.raw for o in opened for e in o.reader.events if e.code == code) for code in "oe"}
        self.assertEqual(raw["e"], bytes(range(256)))
        self.assertEqual(raw["o"], "hello\r\né€😀\ufffd\ufffd and ".encode() + b"\xf0\x9f\x98 cutbye\n")

    def test_no_other_identity_opens(self):
        other = age.bech32_encode("age-secret-key-", bytes(range(32))).upper()
        with self.assertRaisesRegex(Bad, "no-recipient: sealed for age1"):
            content.Opener(age.identities(other)).open_all(segment.check_file(self.data, True))

    def test_verdicts(self):
        self.assertEqual(self.judge(), verdict.Judgement("complete", []))
        alone = self.judge(links=False)
        self.assertEqual((alone.verdict, alone.words()), ("complete, end not witnessed", ["chain missing"]))
        self.assertEqual(self.judge({self.parts[0]: self.store[self.parts[0]]}).verdict, "cut after 0")
        cut = self.judge({self.parts[1]: self.store[self.parts[1]]})
        self.assertEqual(cut.words(), ["missing"])
        self.assertNotEqual(cut.verdict, "complete")

    def test_no_bit_can_be_turned_unseen(self):
        choose = random.Random(1)
        for name in self.parts:
            for _ in range(150):
                parts = self.segments()
                parts[name] = damaged(parts[name], choose.randrange(len(parts[name]) * 8))
                said = self.judge(parts)
                self.assertTrue(said.faults, name)
                self.assertNotEqual(said.verdict, "complete")
        for _ in range(150):
            data = damaged(self.store[self.links], choose.randrange(len(self.store[self.links]) * 8))
            made = chain.build([(names.parse_chain(self.links), data)])
            self.assertTrue(made.problems)

    def test_no_length_is_whole(self):
        first = self.store[self.parts[0]]
        for length in range(0, len(first), 37):
            with self.assertRaises(Bad):
                segment.check(first[:length])

    def test_exact_bytes(self):
        choose = random.Random(2)
        for _ in range(2000):
            raw = bytes(choose.choice(b"a\xc3\xa9\xf0\x9f\x98\x80\xed\xa0\xef\xbf\xbd\xff\n") for _ in range(9))
            text, groups = events.split(raw)
            self.assertEqual(events.join(text, groups) if groups else text.encode(), raw)

    def test_json(self):
        for raw in (b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":1e3}', b'{"a":-1}', b'{"a":9007199254740992}', b'{"a":NaN}',
                    b'[1]', b'{"a":"\\ud800"}', b'\xef\xbb\xbf{}', b'{}\r', b'{"a":{"b":1,"b":2}}', b'{"a":"\xff"}',
                    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", b'{"a":' * 5000 + b"1" + b"}" * 5000):  # fmt: skip
            with self.assertRaises(Bad):
                document(raw, "bad-header", "document")
        self.assertEqual(document(b'{"a":9007199254740991}', "bad-header", "document"), {"a": 2**53 - 1})
        document(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", "bad-header", "document")

    def test_names(self):
        for raw in (b"", b"a.b", b".a", b"a.", b"a/b", b"\xff" * 14, b"x" * 64, b"x" * 65, b"\xff" * 30, b"..", b"a..b"):
            name = names.encode(raw)
            self.assertRegex(name, r"\A[A-Za-z0-9.~-]{1,64}\Z")
            self.assertIn(names.decode(name), (raw, None))
        for name in ("a/b", "~41", "~2E", "~2f~", "..", ".a", "a~"):
            with self.assertRaises(ValueError):
                names.decode(name)

    def test_crc_and_curve(self):
        self.assertEqual(crypt.crc32c(b"123456789"), 0xE3069283)
        key, public = crypt.signer(bytes(32))
        sig = key.sign(b"m")
        self.assertTrue(crypt.verify(public, sig, b"m"))
        self.assertFalse(crypt.verify(public, sig, b"n"))
        order = 2**252 + 27742317777372353535851937790883648493
        high = sig[:32] + (int.from_bytes(sig[32:], "little") + order).to_bytes(32, "little")
        self.assertFalse(crypt.verify(public, high, b"m"))
        for y in crypt.SMALL_ORDER:
            self.assertFalse(crypt.verify(y.to_bytes(32, "little"), bytes(64), b"m"))


def run():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(SelfTest)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed else 0
