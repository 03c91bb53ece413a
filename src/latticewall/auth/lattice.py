"""Authenticating requests of the Lattice data plane from their head alone, with keys already derived for the day and region.

Page followed: VPC Lattice User Guide, "SIGv4 authenticated requests for Amazon VPC Lattice". The payload is never hashed: `x-amz-content-sha256:
UNSIGNED-PAYLOAD` must be sent and signed. The proxy does the same in Lua (`dataplane/envoy/lua/sigv4.lua`); what each says must be equal.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, canonical_request, digest, has_bad_escape, has_dot_segment, uris
from latticewall.auth.signature import (
    ALGORITHM,
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
from latticewall.auth.sigv4a import covers, is_signature_of
from latticewall.base.faults import Fault, Invalid

SERVICE = "vpc-lattice-svcs"
DATA_PLANE_SKEW = timedelta(minutes=5)
ADDED_BY_PROXIES = frozenset({"x-amz-cf-id"})
"""x-amz-* headers that AWS's own front doors add after the client signed."""
MOST_PARAMETERS = 1000
_DUMMY_KEY = bytes(32)
_NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f]")
_METHOD = re.compile(r"[!-~]+")
_NOT_IN_VALUES = re.compile(r"[\x00\r\n]")


@dataclass(frozen=True)
class DerivedKey:
    """A signing key of one access key, day and region. key: b"" when only SigV4A can be verified. token_digest: hexadecimal SHA-256 of the session
    token, "" for long-term keys. expires: UTC, None for long-term keys. ecdsa: the public point of SigV4A (65 bytes), b"" when it cannot be verified."""

    key: bytes
    token_digest: str = ""
    expires: datetime | None = None
    ecdsa: bytes = b""

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
    if not head.is_bytes or not _METHOD.fullmatch(head.method) or _is_ambiguous(head.path) or _two_hosts(head):
        return Refusal(400, "")
    if not is_signed(head):
        return None
    try:
        _check_parameters(head)
        signature = parse_signature(head, asymmetric=True)
        _check_payload(head, signature)
        check_amz_headers(head, signature, ADDED_BY_PROXIES)
        check_time(signature, now, skew)
        _check_scope(signature, region)
        if any(_NOT_IN_VALUES.search(value) for name in signature.signed_headers for value in head.by_name[name]):
            return Refusal(400, "")
        _check_key(head, signature, keys(signature.access_key_id, signature.day), now, strict_generic)
    except Fault as fault:
        return Refusal(403, f"{json_name(fault)}: {fault.message}")
    return signature.access_key_id


def _is_ambiguous(path: str) -> bool:
    """Whether some reader might take the path for another one, or it cannot have been on the wire."""
    return has_bad_escape(path) or has_dot_segment(path) or _NOT_IN_PATHS.search(path) is not None


def _check_parameters(head: Head) -> None:
    if sum(name != "X-Amz-Signature" for name, _ in head.parameters) > MOST_PARAMETERS:
        raise Invalid(f"The request has more than {MOST_PARAMETERS} query parameters.", code="MalformedQueryString")


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
    is_symmetric = signature.algorithm == ALGORITHM
    if not (signature.region == region if is_symmetric else covers(signature.region_set, region)):
        faults.append(f"Credential should be scoped to a valid region, not '{signature.region if is_symmetric else signature.region_set}'.")
    if signature.service != SERVICE:
        faults.append(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if faults := faults + scope_faults(signature):
        raise mismatch(" ".join(faults))


def _check_key(head: Head, signature: Signature, known: DerivedKey | None, now: datetime, strict_generic: bool) -> None:
    """The same work whether the key is known or not, then the verdict."""
    if signature.algorithm == ALGORITHM:
        key = known.key if known is not None else b""
        matches = signature_matches(head, signature, key or _DUMMY_KEY, UNSIGNED_PAYLOAD, strict_generic=strict_generic)
    else:
        key = known.ecdsa if known is not None else b""
        matches = any(is_signature_of(signature.value, key, text) for text in _strings_to_sign(head, signature, strict_generic))
    token = hashlib.sha256(signature.token.encode("latin-1")).hexdigest() if signature.token else ""
    if known is None or not key or not hmac.compare_digest(token, known.token_digest):
        raise invalid_token()
    if not matches:
        raise mismatch()
    if known.expires is not None and now >= known.expires:
        raise expired_token()


def _strings_to_sign(head: Head, signature: Signature, strict_generic: bool) -> Iterator[bytes]:
    """What may have been signed, one for each canonical path."""
    for uri in uris(head.path, strict_generic=strict_generic):
        request = canonical_request(head, uri, signature.signed_headers, UNSIGNED_PAYLOAD)
        yield "\n".join((signature.algorithm, signature.stamp, signature.scope, digest(request))).encode("latin-1")
