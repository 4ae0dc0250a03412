"""The age v1 file format, as far as keys lines need it: X25519, ssh-ed25519 and ssh-rsa identities. Written from the
C2SP specification of age; not for passphrases, armor or plugins."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat, load_ssh_private_key,
)  # fmt: skip

from .text import Bad

VERSION = b"age-encryption.org/v1\n"
LABEL_X25519 = b"age-encryption.org/v1/X25519"
LABEL_ED25519 = b"age-encryption.org/v1/ssh-ed25519"
LABEL_RSA = b"age-encryption.org/v1/ssh-rsa"
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHUNK = 64 * 1024
P = 2**255 - 19


def _polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def _expand(prefix):
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _regroup(values, given, wanted, pad):
    bits, count, made = 0, 0, []
    for value in values:
        bits, count = bits << given | value, count + given
        while count >= wanted:
            count -= wanted
            made.append(bits >> count & (1 << wanted) - 1)
    if pad and count:
        made.append(bits << wanted - count & (1 << wanted) - 1)
    elif not pad and (count >= given or bits & (1 << count) - 1):
        raise ValueError("bech32 padding")
    return made


def bech32_decode(text):
    if text.lower() != text and text.upper() != text:
        raise ValueError("bech32 of mixed case")
    prefix, _, data = text.lower().rpartition("1")
    values = [ALPHABET.index(c) for c in data]
    if not prefix or len(values) < 6 or _polymod(_expand(prefix) + values) != 1:
        raise ValueError("bech32 checksum")
    return prefix, bytes(_regroup(values[:-6], 5, 8, False))


def bech32_encode(prefix, raw):
    values = _regroup(raw, 8, 5, True)
    check = _polymod(_expand(prefix) + values + [0] * 6) ^ 1
    return prefix + "1" + "".join(ALPHABET[v] for v in values + [check >> 5 * (5 - i) & 31 for i in range(6)])


def _b64(text):
    raw = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if base64.b64encode(raw).rstrip(b"=") != text:
        raise ValueError("base64 is not canonical")
    return raw


def _unb64(raw):
    return base64.b64encode(raw).rstrip(b"=")


def _hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _exchange(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


class X25519Identity:
    """AGE-SECRET-KEY-1…"""

    def __init__(self, raw):
        self.raw = raw
        self.public = X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()

    def recipient(self):
        return bech32_encode("age", self.public)

    def unwrap(self, kind, args, body):
        if kind != b"X25519":
            return None
        share = _b64(args[0]) if len(args) == 1 else b""
        if len(share) != 32 or len(body) != 32:
            raise ValueError("X25519 stanza")
        key = _hkdf(_exchange(self.raw, share), share + self.public, LABEL_X25519)
        try:
            return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
        except InvalidTag:
            return None


class SshIdentity:
    """An OpenSSH private key, Ed25519 or RSA."""

    def __init__(self, pem):
        self.key = load_ssh_private_key(pem, None)
        line = self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.wire = base64.b64decode(line.split()[1])
        self.tag = _unb64(hashlib.sha256(self.wire).digest()[:4])

    def recipient(self):
        return "SHA256:" + _unb64(hashlib.sha256(self.wire).digest()).decode()

    def unwrap(self, kind, args, body):
        if isinstance(self.key, Ed25519PrivateKey) and kind == b"ssh-ed25519" and args[:1] == [self.tag]:
            return self._ed25519(args, body)
        if isinstance(self.key, rsa.RSAPrivateKey) and kind == b"ssh-rsa" and args[:1] == [self.tag]:
            try:
                return self.key.decrypt(body, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), LABEL_RSA))
            except ValueError:
                return None
        return None

    def _ed25519(self, args, body):
        share = _b64(args[1]) if len(args) == 2 else b""
        if len(share) != 32 or len(body) != 32:
            raise ValueError("ssh-ed25519 stanza")
        seed = self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        private = hashlib.sha512(seed).digest()[:32]
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        tweak = _hkdf(b"", self.wire, LABEL_ED25519)
        key = _hkdf(_exchange(tweak, _exchange(private, share)), share + public, LABEL_ED25519)
        try:
            return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
        except InvalidTag:
            return None


def identities(text):
    """All identities of an identity file: age's own lines, or one OpenSSH private key."""
    if "-----BEGIN" in text:
        return [SshIdentity(text.encode())]
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        prefix, raw = bech32_decode(line)
        if prefix != "age-secret-key-" or len(raw) != 32:
            raise ValueError("not an age identity")
        found.append(X25519Identity(raw))
    return found


def _stanzas(raw):
    """(stanzas, length of the header up to and with `---`, MAC, payload)."""
    if not raw.startswith(VERSION):
        raise ValueError("not an age v1 file")
    at, stanzas = len(VERSION), []
    while True:
        end = raw.index(b"\n", at)
        line = raw[at:end]
        if line.startswith(b"--- "):
            return stanzas, at + 3, _b64(line[4:]), raw[end + 1 :]
        if not line.startswith(b"-> "):
            raise ValueError("age header line")
        words = line[3:].split(b" ")
        if not all(words):
            raise ValueError("age stanza arguments")
        at, body = end + 1, b""
        while True:
            end = raw.index(b"\n", at)
            part = raw[at:end]
            if len(part) > 64:
                raise ValueError("age body line")
            body, at = body + part, end + 1
            if len(part) < 64:
                break
        stanzas.append((words[0], words[1:], _b64(body)))


def decrypt(raw, identities):
    """The plaintext, or None when no identity fits; anything malformed or forged is `bad-keys`."""
    try:
        stanzas, mac_from, mac, payload = _stanzas(raw)
        for identity in identities:
            for kind, args, body in stanzas:
                key = identity.unwrap(kind, args, body)
                if key is not None:
                    return _open(raw, key, mac_from, mac, payload)
        return None
    except (ValueError, IndexError, InvalidTag) as error:
        raise Bad("bad-keys", f"age file: {error}") from None


def _open(raw, file_key, mac_from, mac, payload):
    if len(file_key) != 16:
        raise ValueError("file key of a wrong length")
    expected = hmac.new(_hkdf(file_key, b"", b"header"), raw[:mac_from], hashlib.sha256).digest()
    if not hmac.compare_digest(expected, mac):
        raise ValueError("header MAC")
    cipher, body = ChaCha20Poly1305(_hkdf(file_key, payload[:16], b"payload")), payload[16:]
    plain, counter = b"", 0
    while True:
        chunk, body = body[: CHUNK + 16], body[CHUNK + 16 :]
        plain += cipher.decrypt(counter.to_bytes(11, "big") + (b"\0" if body else b"\1"), chunk, None)
        counter += 1
        if not body:
            return plain


def encrypt(plain, publics, entropy=os.urandom):
    """A binary age file of up to 64 KiB for X25519 recipients; `entropy` is given by tests that need the same bytes."""
    file_key, header = entropy(16), VERSION
    for public in publics:
        ephemeral = entropy(32)
        share = X25519PrivateKey.from_private_bytes(ephemeral).public_key().public_bytes_raw()
        key = _hkdf(_exchange(ephemeral, public), share + public, LABEL_X25519)
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        header += b"-> X25519 " + _unb64(share) + b"\n" + _unb64(body) + b"\n"
    header += b"---"
    mac = hmac.new(_hkdf(file_key, b"", b"header"), header, hashlib.sha256).digest()
    seal_nonce = entropy(16)
    sealed = ChaCha20Poly1305(_hkdf(file_key, seal_nonce, b"payload")).encrypt(bytes(11) + b"\1", plain, None)
    return header + b" " + _unb64(mac) + b"\n" + seal_nonce + sealed
