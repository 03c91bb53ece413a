"""Identity tokens of OpenID Connect providers: JSON Web Tokens, signed with a key of the provider's published set.

Pages: "Create an OpenID Connect (OIDC) identity provider in IAM", "Troubleshoot OIDC federation"; RFC 7517, RFC 7519.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from jwt.exceptions import PyJWTError
from jwt.types import Options

from latticewall.base.faults import Denied, Invalid

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
REQUIRED = ("iss", "sub", "aud", "exp", "iat")
PLAIN_ISSUERS = ("http://localhost", "http://127.", "http://[::1]")
"""Issuers on this machine need no TLS; whether there is such a provider is asked of the whole name."""
FUTURE_SECONDS = 300
"""How far the provider's clock may be ahead of ours."""
OLDEST_SECONDS = 86_400
_NOT_A_TOKEN = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"  # noqa: S105 - a message
_SIGNATURE_ONLY: Options = {
    "verify_signature": True, "verify_aud": False, "verify_iss": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""The claims are checked here, at the region's time and in AWS's words."""


@dataclass(frozen=True)
class IdentityToken:
    """A token read but not yet believed. key_id: which key of the set signed it, "" if it does not say."""

    text: str
    issuer: str
    algorithm: str
    key_id: str


def invalid(message: str) -> Invalid:
    return Invalid(message, code="InvalidIdentityToken")


def rejected(claim: str) -> Denied:
    return Denied(f"The claim {claim} of the token is not valid", code="IDPRejectedClaim")


def read_token(text: str) -> IdentityToken:
    """Raises InvalidIdentityToken for what is no JSON Web Token with an issuer."""
    try:
        head = jwt.get_unverified_header(text)
        issuer = jwt.decode(text, options={**_SIGNATURE_ONLY, "verify_signature": False}).get("iss")
    except (PyJWTError, ValueError, RecursionError) as error:
        raise invalid(_NOT_A_TOKEN) from error
    if not isinstance(issuer, str) or not issuer.startswith(("https://", *PLAIN_ISSUERS)):
        raise invalid("Missing a required claim: iss" if issuer is None else f"The token's issuer is not an https URL: {str(issuer)[:200]}")
    return IdentityToken(text, issuer, str(head.get("alg", "")), str(head.get("kid") or ""))


def checked_claims(token: IdentityToken, key_set: bytes, now: datetime) -> dict[str, Any]:
    """The claims, once the signature and the times hold. Raises InvalidIdentityToken, or ExpiredTokenException."""
    if token.algorithm not in ALGORITHMS:
        raise invalid(f"The token's signing algorithm is not supported: {token.algorithm[:20]}")
    for key in _candidates(token, key_set):
        try:
            claims: dict[str, Any] = jwt.decode(token.text, key.key, algorithms=[token.algorithm], options=_SIGNATURE_ONLY)
        except (PyJWTError, ValueError, TypeError):
            continue
        _check_times(claims, int(now.timestamp()))
        return claims
    raise invalid("The token's signature does not match the keys of its identity provider")


def _candidates(token: IdentityToken, key_set: bytes) -> list[jwt.PyJWK]:
    """The keys that may have signed: the one with the token's key id, else all of the algorithm's type."""
    try:
        listed = json.loads(key_set)["keys"]
        members = [item for item in listed if isinstance(item, dict) and item.get("use", "sig") == "sig"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise invalid("Couldn't retrieve verification key from your identity provider: its key set is not valid") from error
    kind = "RSA" if token.algorithm.startswith("RS") else "EC"
    found = []
    for member in members:
        of_kind = member.get("kty") == kind and member.get("alg", token.algorithm) == token.algorithm
        if not of_kind or (token.key_id and member.get("kid") != token.key_id):
            continue
        try:
            found.append(jwt.PyJWK(member, token.algorithm))
        except (PyJWTError, ValueError, TypeError):
            continue  # one unreadable key does not spoil the others
    if not found:
        raise invalid("Couldn't retrieve verification key from your identity provider: its key set does not hold the token's key")
    return found


def _check_times(claims: dict[str, Any], now: int) -> None:
    """now: epoch seconds."""
    for claim in REQUIRED:
        if claims.get(claim) in (None, "", []):
            raise invalid(f"Missing a required claim: {claim}")
    if not isinstance(claims["sub"], str):
        raise rejected("sub")
    times = {claim: claims[claim] for claim in ("exp", "iat", "nbf") if claims.get(claim) is not None}
    for claim, value in times.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:
            raise rejected(claim)
    if now >= times["exp"]:
        words = f"current date/time {now} must be before the expiration date/time {int(times['exp'])}"
        raise Invalid(f"Token expired: {words}", code="ExpiredTokenException")
    if max(times["iat"], times.get("nbf", 0)) > now + FUTURE_SECONDS:
        raise invalid("The token is not valid yet")
    if now - times["iat"] > OLDEST_SECONDS:
        raise Invalid(f"Token too old: {int(now - times['iat'])}", code="ExpiredTokenException")
