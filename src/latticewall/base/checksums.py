"""The checksums that S3's clients send with what they upload ("Checking object integrity for data uploads"): none of them keeps a secret."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from latticewall.base.faults import Invalid

_CASTAGNOLI, _NVME = 0x82F63B78, 0x9A6C9329AC4BC9B5
"""The reflected polynomials of CRC-32C and CRC-64/NVME."""


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


def _crc(polynomial: int, bits: int, data: bytes) -> bytes:
    table, ones = _table(polynomial), (1 << bits) - 1
    value = ones
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return (value ^ ones).to_bytes(bits // 8, "big")


CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-crc32c": lambda data: _crc(_CASTAGNOLI, 32, data),
    "x-amz-checksum-crc64nvme": lambda data: _crc(_NVME, 64, data),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha512": lambda data: hashlib.sha512(data).digest(),
    "content-md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
}
"""By header."""


def check(headers: Mapping[str, str], data: bytes) -> None:
    """Compare every checksum among the headers (lower-case names) with the data. Raises Invalid with S3's codes."""
    for name, given in headers.items():
        if name not in CHECKSUMS:
            continue
        expected = base64.b64encode(CHECKSUMS[name](data)).decode()
        if given.strip() == expected:
            continue
        if name == "content-md5":
            raise Invalid("The Content-MD5 you specified did not match what we received.", code="BadDigest")
        algorithm = name.removeprefix("x-amz-checksum-")
        raise Invalid(f"The {algorithm.upper()} you specified did not match the calculated checksum.", code="BadDigest")
