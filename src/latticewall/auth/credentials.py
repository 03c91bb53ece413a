"""Minting access keys, secrets, session tokens and unique ids in AWS's formats.

Page followed: IAM User Guide, "IAM identifiers". An access key id carries its account, as AWS's do, so that tools (and GetAccessKeyInfo) can tell.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from latticewall.base.ports import Random
from latticewall.base.secret import Secret

_KEY_ID = re.compile(r"(AKIA|ASIA)([A-Z2-7]{16})\Z")
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TOKEN_BYTES = 288
"""Session tokens are 384 characters of base64: within what clients meet on AWS."""


@dataclass(frozen=True)
class AccessKey:
    """A new key: id, secret, and the session token of a temporary one."""

    id: str
    secret: Secret
    token: Secret | None = None


def mint_access_key(random: Random, account: str, *, temporary: bool) -> AccessKey:
    """A long-term (AKIA) or temporary (ASIA) access key of a 12-digit account."""
    tail = random.token_bytes(5)
    number = 1 << 47 | int(account) << 7 | tail[0] & 0x7F
    suffix = base64.b32encode(number.to_bytes(6, "big") + tail[1:]).decode()
    secret = Secret(base64.b64encode(random.token_bytes(30)).decode())
    if not temporary:
        return AccessKey(f"AKIA{suffix}", secret)
    return AccessKey(f"ASIA{suffix}", secret, Secret(base64.b64encode(random.token_bytes(_TOKEN_BYTES)).decode()))


def mint_unique_id(random: Random, prefix: str) -> str:
    """A 21-character id: AROA (role), AIDA (user), AIPA (instance profile), ANPA (managed policy), ..."""
    return prefix + "".join(chr(_BASE32[byte & 31]) for byte in random.token_bytes(21 - len(prefix)))


def account_of(access_key_id: str) -> str | None:
    """The account an access key id carries; None for ids of the old format and AWS's documentation examples."""
    found = _KEY_ID.match(access_key_id)
    if found is None:
        return None
    try:
        number = int.from_bytes(base64.b32decode(found[2])[:6], "big")
    except binascii.Error:
        return None
    account = (number & 0x7FFFFFFFFF80) >> 7
    return f"{account:012d}" if number >> 47 and account < 10**12 else None
