"""Authenticating requests of the Lattice data plane from their head alone, with keys already derived for the day and region.

Page followed: VPC Lattice User Guide, "SIGv4 authenticated requests for Amazon VPC Lattice". The payload is never hashed: `x-amz-content-sha256:
UNSIGNED-PAYLOAD` must be sent and signed. SigV4A is refused for now.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, has_bad_escape, has_dot_segment
from latticewall.auth.signature import (
    Signature,
    check_amz_headers,
    check_time,
    expired_token,
    incomplete,
    invalid_token,
    is_signed,
    json_name,
    mismatch,
    parse_signature,
    scope_faults,
)
from latticewall.auth.sigv4 import signature_matches
from latticewall.base.faults import Fault

SERVICE = "vpc-lattice-svcs"
DATA_PLANE_SKEW = timedelta(minutes=5)
ADDED_BY_PROXIES = frozenset({"x-amz-cf-id"})
"""x-amz-* headers that AWS's own front doors add after the client signed."""
_DUMMY_KEY = bytes(32)


@dataclass(frozen=True)
class DerivedKey:
    """A signing key of one access key, day and region. token_digest: hexadecimal SHA-256 of the session token, "" for long-term keys.
    expires: UTC, None for long-term keys."""

    key: bytes
    token_digest: str = ""
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"DerivedKey([redacted], expires={self.expires})"


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that cannot be authenticated: status and one line of plain text."""

    status: int
    text: str


def verify_lattice(
    head: Head,
    keys: Callable[[str, str], DerivedKey | None],
    now: datetime,
    region: str,
    *,
    skew: timedelta = DATA_PLANE_SKEW,
    strict_generic: bool = False,
) -> str | Refusal | None:
    """The access key id that signed, None for an unsigned (anonymous) request, or why the request is refused.

    keys(access key id, day): the derived key. now: aware, UTC. A bad signature never becomes anonymous. strict_generic: accept only the
    canonical path of AWS's generic signers, not also that of S3-style signers and curl.
    """
    if not head.is_bytes or has_bad_escape(head.path) or has_dot_segment(head.path) or _two_hosts(head):
        return Refusal(400, "")
    if not is_signed(head):
        return None
    try:
        signature = parse_signature(head)
        _check_payload(head, signature)
        check_amz_headers(head, signature, ADDED_BY_PROXIES)
        check_time(signature, now, skew)
        _check_scope(signature, region)
        _check_key(head, signature, keys(signature.access_key_id, signature.day), now, strict_generic)
    except Fault as fault:
        return Refusal(403, f"{json_name(fault)}: {fault.message}")
    return signature.access_key_id


def _two_hosts(head: Head) -> bool:
    """More than one Host, or a Host that contradicts the authority: which one was signed would be anyone's guess."""
    return len({*head.by_name.get("host", ()), *head.by_name.get(":authority", ())}) > 1


def _check_payload(head: Head, signature: Signature) -> None:
    if "x-amz-content-sha256" not in signature.signed_headers:
        raise incomplete("Missing the 'x-amz-content-sha256' in canonical headers.")
    if head.first("x-amz-content-sha256") != UNSIGNED_PAYLOAD:
        raise mismatch("Signed payloads are not supported")


def _check_scope(signature: Signature, region: str) -> None:
    faults = []
    if signature.region != region:
        faults.append(f"Credential should be scoped to a valid region, not '{signature.region}'.")
    if signature.service != SERVICE:
        faults.append(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if faults := faults + scope_faults(signature):
        raise mismatch(" ".join(faults))


def _check_key(head: Head, signature: Signature, known: DerivedKey | None, now: datetime, strict_generic: bool) -> None:
    """The same work whether the key is known or not, then the verdict."""
    key = known.key if known is not None else _DUMMY_KEY
    matches = signature_matches(head, signature, key, UNSIGNED_PAYLOAD, strict_generic=strict_generic)
    token = hashlib.sha256(signature.token.encode("latin-1")).hexdigest() if signature.token else ""
    if known is None or not hmac.compare_digest(token, known.token_digest):
        raise invalid_token()
    if not matches:
        raise mismatch()
    if known.expires is not None and now >= known.expires:
        raise expired_token()
