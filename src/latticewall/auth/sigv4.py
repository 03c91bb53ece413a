"""Signature Version 4: deriving keys, signing requests, and verifying calls of the control plane.

Pages followed: IAM User Guide, "Create a signed AWS API request"; order of checks and texts as AWS's Query services show them. The body is hashed here,
except S3's where the request says that it is unsigned or in chunks; the Lattice data plane, which never hashes bodies, is in `auth.lattice`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from latticewall.auth import chunked
from latticewall.auth.canonical import UNSIGNED_PAYLOAD, Head, canonical_request, digest, generic_uri, has_bad_escape, s3_uris, uris
from latticewall.auth.signature import (
    ALGORITHM,
    TERMINATOR,
    Signature,
    check_amz_headers,
    check_time,
    expired_token,
    invalid_token,
    is_well_formed,
    mismatch,
    parse_signature,
    scope_faults,
)
from latticewall.base.faults import Denied, Invalid
from latticewall.base.secret import Secret

CONTROL_PLANE_SKEW = timedelta(minutes=15)
S3 = "s3"
"""The one service that signs paths as they are sent, need not sign bodies, and has words of its own for refusals ("List of error codes")."""
_S3_SCOPE = f"/{S3}/{TERMINATOR}"
_TWO_MECHANISMS = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header "
    "should be specified"
)
_EMPTY = hashlib.sha256(b"").hexdigest()
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_DUMMY_SECRET = Secret("0" * 40)
"""An unknown access key costs the same work as a known one."""


@dataclass(frozen=True)
class Credentials:
    """What a client signs with."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


@dataclass(frozen=True)
class KnownKey:
    """What is on record for an access key. token: the session token that must come with it (None for long-term keys). expires: UTC."""

    secret: Secret
    token: Secret | None = None
    expires: datetime | None = None
    active: bool = True


@dataclass(frozen=True)
class Verified:
    """An authenticated call: whose key, and the region and service it was signed for."""

    access_key_id: str
    region: str
    service: str


def derive_signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """kSigning: 32 bytes that can sign for one day (yyyymmdd, UTC), region and service, and do not reveal the secret."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, TERMINATOR):
        key = _hmac(key, part)
    return key


@lru_cache(1024)
def _signing_key(secret: Secret, day: str, region: str, service: str) -> bytes:
    """As `derive_signing_key`, which costs four times as much as what is then done with the key."""
    return derive_signing_key(secret.reveal(), day, region, service)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("latin-1"), "sha256")


def signature_value(key: bytes, stamp: str, scope: str, request: str) -> str:
    """The signature of a canonical request: 64 hexadecimal digits. stamp: 20260102T030405Z."""
    return _hmac(key, "\n".join((ALGORITHM, stamp, scope, digest(request)))).hex()


def signature_matches(head: Head, signature: Signature, key: bytes, payload_hash: str, *, strict_generic: bool = False) -> bool:
    """Whether the signature is the one this key gives, for either canonical path; compared in constant time. S3's keys are signed as they are sent."""
    paths = s3_uris(head.path) if signature.service == S3 else uris(head.path, strict_generic=strict_generic)
    requests = [canonical_request(head, uri, signature.signed_headers, payload_hash) for uri in paths]
    expected = [signature_value(key, signature.stamp, signature.scope, request) for request in requests]
    given = signature.value if is_well_formed(signature.value) else ""
    return any([hmac.compare_digest(value, given) for value in expected])  # noqa: C419 - every comparison is made


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    credentials: Credentials,
    service: str,
    region: str,
    now: datetime,
    *,
    body: bytes = b"",
    payload_hash: str = "",
) -> dict[str, str]:
    """The headers to send: those given, and in place of given ones Host, X-Amz-Date, the session token and Authorization.

    url: with its path and query already percent-encoded. payload_hash: a literal such as UNSIGNED-PAYLOAD, which is then sent too; without,
    the body's own hash is signed.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    own = {"Host": parts.netloc.rpartition("@")[2], "X-Amz-Date": stamp}
    if payload_hash:
        own["X-Amz-Content-SHA256"] = payload_hash
    if credentials.session_token is not None:
        own["X-Amz-Security-Token"] = credentials.session_token.reveal()
    set_here = {name.lower() for name in own} | {"authorization"}
    sent = {name: value for name, value in headers.items() if name.lower() not in set_here} | own
    head = Head(method, target, tuple((name, value) for name, value in sent.items()))
    names = tuple(sorted(name for name in head.by_name if name != ":authority" and name not in _NEVER_SIGNED))
    scope = f"{stamp[:8]}/{region}/{service}/{TERMINATOR}"
    request = canonical_request(head, generic_uri(head.path), names, payload_hash or hashlib.sha256(body).hexdigest())
    key = derive_signing_key(credentials.secret_access_key.reveal(), stamp[:8], region, service)
    value = signature_value(key, stamp, scope, request)
    credential = f"Credential={credentials.access_key_id}/{scope}"
    sent["Authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={';'.join(names)}, Signature={value}"
    return sent


_NEVER_SIGNED = frozenset(
    {"authorization", "connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"}
)
"""Headers that hops rewrite; AWS's signers leave them out too."""


def verify(
    head: Head,
    body: bytes,
    lookup: Callable[[str], KnownKey | None],
    now: datetime,
    *,
    services: Collection[str] | None = None,
    skew: timedelta = CONTROL_PLANE_SKEW,
) -> Verified:
    """Authenticate a call of the control plane. now: aware, UTC. services: the signing names accepted, None for any.

    The region is whatever the scope names, if it can be one: it selects the region addressed. Raises Denied or Invalid with the
    Query family's codes.
    """
    _check_escapes(head)
    signature = read_signature(head)
    check_amz_headers(head, signature)
    (_check_time_of_s3 if signature.service == S3 else check_time)(signature, now, skew)
    _check_scope(signature, services)
    known = lookup(signature.access_key_id)
    secret = known.secret if known is not None else _DUMMY_SECRET
    key = _signing_key(secret, signature.day, signature.region, signature.service)
    given_hash, body_hash = head.first("x-amz-content-sha256"), hashlib.sha256(body).hexdigest() if body else _EMPTY
    if signature.service == S3 and given_hash is None and signature.expires is not None:
        given_hash = UNSIGNED_PAYLOAD  # a presigned request says nothing about the body
    if signature.service == S3 and given_hash in chunked.LITERALS:
        body_hash = given_hash
    matches = signature_matches(head, signature, key, body_hash)
    if known is None or not known.active:
        raise invalid_token()
    check_token(signature.token, known.token)
    if not matches or given_hash not in (None, body_hash):
        raise mismatch()
    if body_hash in chunked.SIGNED:
        trailer = body_hash.endswith("-TRAILER")
        chunked.check_chunks(chunked.decode(body), key, signature.stamp, signature.scope, signature.value, trailer=trailer)
    if known.expires is not None and now >= known.expires:
        raise expired_token()
    return Verified(signature.access_key_id, signature.region, signature.service)


def read_signature(head: Head) -> Signature:
    """As `parse_signature`, with S3's own refusals."""
    is_presigned = (head.parameter("X-Amz-Credential") or "").endswith(_S3_SCOPE)
    if is_presigned and "authorization" in head.by_name:
        raise Invalid(_TWO_MECHANISMS, code="InvalidArgument")
    try:
        return parse_signature(head)
    except Invalid as fault:
        if is_presigned:
            raise Invalid(fault.message, code="AuthorizationQueryParametersError") from None
        if f"{_S3_SCOPE}," in (head.first("authorization") or ""):
            raise Invalid(fault.message, code="AuthorizationHeaderMalformed") from None
        raise


def _check_time_of_s3(signature: Signature, now: datetime, skew: timedelta) -> None:
    early = signature.moment > now + skew
    if signature.expires is None:
        if early or signature.moment < now - skew:
            raise Denied("The difference between the request time and the server's time is too large.", code="RequestTimeTooSkewed")
    elif early or now > signature.moment + timedelta(seconds=signature.expires):
        raise Denied("Request is not yet valid" if early else "Request has expired", code="AccessDenied")


def _check_escapes(head: Head) -> None:
    if not head.is_bytes or has_bad_escape(head.path):
        raise Invalid("The path holds an incomplete percent escape, or the head is not a sequence of bytes.", code="MalformedQueryString")
    if has_bad_escape(head.query):
        raise Invalid("Incomplete trailing escape % sequence", code="MalformedQueryString")


def _check_scope(signature: Signature, services: Collection[str] | None) -> None:
    faults = []
    if not _REGION.match(signature.region):
        faults.append(f"Credential should be scoped to a valid region, not '{signature.region}'.")
    if services is not None and signature.service not in services:
        faults.append(f"Credential should be scoped to correct service: {_listed(services)}.")
    if faults := faults + scope_faults(signature):
        raise mismatch(" ".join(faults))


def _listed(services: Iterable[str]) -> str:
    return " or ".join(f"'{service}'" for service in sorted(services))


def check_token(given: str, expected: Secret | None) -> None:
    """A temporary key comes with its own session token, a long-term key with none."""
    wanted = expected.reveal() if expected is not None else ""
    if not hmac.compare_digest(given.encode("latin-1"), wanted.encode()):
        raise invalid_token()
