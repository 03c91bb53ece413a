"""Signature Version 4A: one signature good for a set of regions, made with an ECDSA key pair that follows from the access key.

Page followed: IAM User Guide, "AWS Signature Version 4 for API requests" (asymmetric form); the derivation of the pair is the one AWS's signers share.
A verifier holds the public point only, and so can forge nothing. The scope names no region: the signed header `x-amz-region-set` does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from fnmatch import translate

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from latticewall.auth.signature import ASYMMETRIC

LONGEST_REGION_SET = 1024
"""Characters of a region set that are looked at; a longer one covers no region."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PREFIX = b"\x00\x00\x00\x01" + ASYMMETRIC.encode() + b"\x00"
_BITS = b"\x00\x00\x01\x00"
_HEX = re.compile(r"(?:[0-9a-f]{2}){8,72}\Z")
_DUMMY_POINT = ec.derive_private_key(1, ec.SECP256R1()).public_key()
"""An unknown access key costs the same work as a known one."""


def derive_ecdsa_key(access_key_id: str, secret: str) -> ec.EllipticCurvePrivateKey:
    """The private key that SigV4A signs with: the first candidate of the counter-mode derivation that lies in the curve's range."""
    for counter in range(1, 255):
        fixed = _PREFIX + access_key_id.encode() + bytes((counter,)) + _BITS
        candidate = int.from_bytes(hmac.digest(b"AWS4A" + secret.encode(), fixed, "sha256"), "big")
        if candidate <= _ORDER - 2:
            return ec.derive_private_key(candidate + 1, ec.SECP256R1())
    raise ValueError("no key pair follows from this access key")  # pragma: no cover - a chance of 2**-8128


def derive_ecdsa_public_key(access_key_id: str, secret: str) -> bytes:
    """The public point that verifies the SigV4A signatures of an access key: 65 bytes, uncompressed (4, X, Y)."""
    return derive_ecdsa_key(access_key_id, secret).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def covers(region_set: str, region: str) -> bool:
    """Whether a region set (names separated by commas, `*` for any run of characters) has a region in it."""
    if len(region_set) > LONGEST_REGION_SET:
        return False
    return any(_matches(item.strip(" \t"), region) for item in region_set.split(","))


def _matches(pattern: str, region: str) -> bool:
    return re.match(translate(re.sub(r"\*+", "*", pattern).replace("[", "[[]").replace("?", "[?]")), region) is not None


def is_signature_of(value: str, point: bytes, string_to_sign: bytes) -> bool:
    """Whether `value`, a DER signature in lower-case hexadecimal, was made over the text by the owner of the point. An empty point is nobody's,
    and costs the same work."""
    given = bytes.fromhex(value) if _HEX.match(value) else b""
    if not is_strict_der(given):
        return False
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point) if point else _DUMMY_POINT
    try:
        key.verify(given, hashlib.sha256(string_to_sign).digest(), ec.ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return bool(point)


def is_strict_der(value: bytes) -> bool:
    """Whether the bytes are a sequence of two positive integers of at most 33 bytes in their shortest form, and nothing else."""
    if len(value) < 8 or value[0] != 0x30 or value[1] != len(value) - 2:
        return False
    rest = value[2:]
    for _ in range(2):
        if len(rest) < 3 or rest[0] != 0x02 or not 1 <= rest[1] <= 33 or len(rest) < 2 + rest[1]:
            return False
        number, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if number[0] & 0x80 or (number[0] == 0 and (len(number) == 1 or not number[1] & 0x80)):
            return False
    return not rest
