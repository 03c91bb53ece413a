"""IMDSv2 session tokens: signed, bound to one instance, stateless, so that they outlive a restart of the process."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

MAX_TTL_SECONDS = 21600

_EXPIRY = struct.Struct(">Q")


def issue(key: bytes, instance_id: str, ttl: int, now: float) -> str:
    """A token for the instance, valid until now + ttl seconds. now: by a clock that is never set and that the key does not outlive."""
    expiry = _EXPIRY.pack(int(now) + ttl)
    return base64.urlsafe_b64encode(expiry + _mac(key, instance_id, expiry)).decode()


def valid(key: bytes, instance_id: str, token: str, now: float) -> bool:
    """Whether the token was issued for this instance and has not expired."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return False
    expiry, mac = raw[: _EXPIRY.size], raw[_EXPIRY.size :]
    if len(expiry) != _EXPIRY.size or not hmac.compare_digest(mac, _mac(key, instance_id, expiry)):
        return False
    deadline: int = _EXPIRY.unpack(expiry)[0]
    return now < deadline <= now + MAX_TTL_SECONDS


def _mac(key: bytes, instance_id: str, expiry: bytes) -> bytes:
    return hmac.new(key, b"imds-token\0" + instance_id.encode() + b"\0" + expiry, hashlib.sha256).digest()
