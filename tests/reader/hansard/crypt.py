"""Ed25519 checked strictly, the key schedule, CRC-32C (FORMAT.md sections 4.3 and 4.4). Not age: that is age.py."""

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P = 2**255 - 19
# The y coordinates of the eight points of small order; the sign of x does not matter here.
_ORDER8 = 2707385501144840649318225287225658788936804267575313519463743609750303021022
SMALL_ORDER = {0, 1, P - 1, _ORDER8, P - _ORDER8}


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def hmac256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def verify(public, signature, message):
    """RFC 8032, with canonical encodings only and no key of small order."""
    for point in (public, signature[:32]):
        y = int.from_bytes(point, "little") & (2**255 - 1)
        if y >= P or y in SMALL_ORDER:
            return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def signer(seed):
    """A signing key of its 32 secret bytes, and its public key."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def segment_secret(epoch_secret, index):
    """S_index of section 4.3."""
    secret = epoch_secret
    for _ in range(index):
        secret = hmac256(secret, b"hansard/1 next")
    return hmac256(secret, b"hansard/1 segment")


def block_key(secret):
    return hmac256(secret, b"hansard/1 aes256gcm")


def commitment(secret):
    return hmac256(secret, b"hansard/1 commit")


def nonce(counter, last):
    return counter.to_bytes(11, "big") + (b"\1" if last else b"\0")


def _tables():
    first = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        first.append(value)
    tables = [first]
    for _ in range(7):
        tables.append([first[v & 255] ^ v >> 8 for v in tables[-1]])
    return tables


_T = _tables()


def crc32c(data):
    """Castagnoli, eight bytes a step because plain Python is slow."""
    crc = 0xFFFFFFFF
    whole = len(data) & ~7
    t0, t1, t2, t3, t4, t5, t6, t7 = _T
    for at in range(0, whole, 8):
        low = crc ^ int.from_bytes(data[at : at + 4], "little")
        crc = (
            t7[low & 255] ^ t6[low >> 8 & 255] ^ t5[low >> 16 & 255] ^ t4[low >> 24]
            ^ t3[data[at + 4]] ^ t2[data[at + 5]] ^ t1[data[at + 6]] ^ t0[data[at + 7]]
        )  # fmt: skip
    for byte in data[whole:]:
        crc = t0[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
