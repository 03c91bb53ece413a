"""The encoded message that a refusal carries for those who may decode it (page: "DecodeAuthorizationMessage").

The message is sealed: what policies say is shown only to callers of the same account whom `sts:DecodeAuthorizationMessage` is allowed. The region keeps one
key, made when it starts, from which each account's follows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from latticewall.base.faults import Invalid
from latticewall.base.ports import Random
from latticewall.base.rows import Row
from latticewall.store import Snapshot, Transaction

KIND = "sts:MessageKey"
_ID = "authorization-messages"
_NONCE = 12
_LONGEST = 10_240
"""Characters that DecodeAuthorizationMessage takes."""
_LONGEST_DECODED = 1_000_000


def ensure_message_key(tx: Transaction, random: Random) -> None:
    """Make the region's key if it has none; a refused call could not keep one it made."""
    if not has_message_key(tx):
        tx.put(Row(KIND, "", "", _ID, document={"_key": base64.b64encode(random.token_bytes(32)).decode()}))


def has_message_key(snapshot: Snapshot) -> bool:
    return snapshot.get(KIND, _ID) is not None


def encode_message(snapshot: Snapshot, random: Random, account: str, message: Mapping[str, Any]) -> str:
    """The message sealed for its account, base64url. message: {allowed, explicitDeny, matchedStatements: {items}, failures: {items}, context:
    {principal, action, resource, conditions}}. A message that would be too long loses its matched statements. "" before the region's start."""
    key = _key(snapshot, account)
    if key is None:
        return ""
    text = _sealed(key, random, account, message)
    return text if len(text) <= _LONGEST else _sealed(key, random, account, {**message, "matchedStatements": {"items": []}})


def _sealed(key: bytes, random: Random, account: str, message: Mapping[str, Any]) -> str:
    nonce = random.token_bytes(_NONCE)
    packed = zlib.compress(json.dumps(message, separators=(",", ":")).encode())
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, packed, account.encode())).decode()


def decode_message(snapshot: Snapshot, account: str, text: str) -> str:
    """The message as JSON text. Raises InvalidAuthorizationMessageException unless it was made here, for this account, and is whole."""
    key = _key(snapshot, account)
    try:
        sealed = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        if key is None:
            raise ValueError("no message was ever made")
        packed = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], account.encode())
        return zlib.decompressobj().decompress(packed, _LONGEST_DECODED).decode()
    except (ValueError, binascii.Error, InvalidTag, zlib.error) as error:
        raise Invalid("The specified authorization message is invalid", code="InvalidAuthorizationMessageException") from error


def _key(snapshot: Snapshot, account: str) -> bytes | None:
    row = snapshot.get(KIND, _ID)
    return hmac.digest(base64.b64decode(row.document["_key"]), account.encode(), hashlib.sha256) if row else None
