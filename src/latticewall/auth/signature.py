"""The parts of a SigV4 signature as a request carries them, in the Authorization header or in the query.

Refusals here are faults with the names of the Query-protocol family; `JSON_NAMES` translates. Messages are AWS's, as collected from its
services; page followed: IAM User Guide, "Troubleshoot signed requests for AWS APIs".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from latticewall.auth.canonical import Head
from latticewall.base.faults import Denied, Fault, Invalid

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
LONGEST_EXPIRY = 604_800
"""Seconds a presigned request may be valid."""

JSON_NAMES = {
    "IncompleteSignature": "IncompleteSignatureException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
    "AccessDenied": "AccessDeniedException",
    "MalformedQueryString": "MalformedQueryStringException",
}
"""The same refusals as the JSON protocols and the Lattice data plane name them."""

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. "
    "Consult the service documentation for details."
)
INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a message
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a message
_BASIC = "%Y%m%dT%H%M%SZ"
_SIGNATURE = re.compile(r"[0-9a-f]{64}\Z")
_AUTH_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
_ONCE_PARAMETERS = ("Algorithm", "Credential", "Date", "SignedHeaders", "Expires", "Security-Token", "Signature")


def incomplete(message: str) -> Invalid:
    return Invalid(message, code="IncompleteSignature")


def mismatch(message: str = MISMATCH) -> Denied:
    return Denied(message, code="SignatureDoesNotMatch")


def invalid_token(message: str = INVALID_TOKEN) -> Denied:
    return Denied(message, code="InvalidClientTokenId")


def expired_token() -> Denied:
    return Denied(EXPIRED_TOKEN, code="ExpiredToken")


@dataclass(frozen=True)
class Signature:
    """What a request claims. scope: day/region/service/terminator. moment: when it was signed. expires: seconds of validity of a presigned
    request, None for the header form. token: session token, "" without."""

    access_key_id: str
    day: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    value: str
    moment: datetime
    token: str = ""
    expires: int | None = None

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/{self.terminator}"

    @property
    def stamp(self) -> str:
        return self.moment.strftime(_BASIC)


def is_signed(head: Head) -> bool:
    """Whether the request claims a signature. Any other Authorization header is the application's business."""
    return any(value.strip(" \t").startswith("AWS4-") for value in head.by_name.get("authorization", ())) or _in_query(head)


def _in_query(head: Head) -> bool:
    return head.parameter("X-Amz-Algorithm") is not None


def parse_signature(head: Head) -> Signature:
    """Read the signature of a request. Raises the faults of steps 5 to 12 of AWS's order of checks."""
    in_header = "authorization" in head.by_name
    if in_header and _in_query(head):
        raise mismatch()
    if not in_header and not _in_query(head):
        raise Denied("Request is missing Authentication Token", code="MissingAuthenticationToken")
    for name in _AUTH_HEADERS:
        if len(head.by_name.get(name, ())) > 1:
            raise incomplete(f"The request has more than one '{name}' header.")
    signature = _from_header(head) if in_header else _from_query(head)
    _check_signed_headers(head, signature)
    return signature


def _from_header(head: Head) -> Signature:
    written = head.first("authorization") or ""
    algorithm, _, rest = written.partition(" ")
    if algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts: dict[str, str] = {}
    for item in rest.split(","):
        name, equals, value = item.strip(" \t").partition("=")
        if not equals:
            raise incomplete(f"'{name}' not a valid key=value pair (missing equal-sign) in Authorization header: '{algorithm}'.")
        if name in parts:
            raise incomplete(f"Authorization header has more than one '{name}' parameter.")
        parts[name] = value
    date = head.first("x-amz-date") or head.first("date")
    missing = [f"Authorization header requires '{name}' parameter." for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing or date is None:
        raise incomplete(" ".join([*missing, f"Authorization={algorithm}"]))
    return _signature(parts["Credential"], parts["SignedHeaders"], parts["Signature"], date, head.first("x-amz-security-token") or "")


def _from_query(head: Head) -> Signature:
    for name in _ONCE_PARAMETERS:
        if sum(own == f"X-Amz-{name}" for own, _ in head.parameters) > 1:
            raise incomplete(f"The request has more than one 'X-Amz-{name}' parameter.")
    given = {name: head.parameter(f"X-Amz-{name}") or "" for name in _ONCE_PARAMETERS}
    if given["Algorithm"] != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{given['Algorithm']}'.")
    missing = [name for name in ("Credential", "Signature", "SignedHeaders", "Date") if not given[name]]
    if missing:
        listed = " ".join(f"AWS query-string parameters must include 'X-Amz-{name}'." for name in missing)
        raise incomplete(f"{listed} Re-examine the query-string parameters.")
    expires = given["Expires"]
    if not re.fullmatch(r"[0-9]{1,6}", expires) or not 1 <= int(expires) <= LONGEST_EXPIRY:
        raise incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_EXPIRY}, got '{expires}'.")
    token = given["Security-Token"] or head.first("x-amz-security-token") or ""
    return _signature(given["Credential"], given["SignedHeaders"], given["Signature"], given["Date"], token, int(expires))


def _signature(credential: str, headers: str, value: str, date: str, token: str, expires: int | None = None) -> Signature:
    elements = credential.split("/")
    moment = parse_date(date)
    if moment is None:
        raise incomplete(f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601")
    if len(elements) != 5:
        message = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
        raise incomplete(f"{message}'{credential}'")
    key, day, region, service, terminator = elements
    return Signature(key, day, region, service, terminator, tuple(headers.split(";")), value, moment, token, expires)


def parse_date(text: str) -> datetime | None:
    """The moment of an ISO 8601 (basic or extended) or RFC 1123 date, UTC, whole seconds; None if it is neither."""
    if re.fullmatch(r"\d{8}T\d{6}Z|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        try:
            return datetime.strptime(re.sub("[-:]", "", text), _BASIC).replace(tzinfo=UTC)
        except ValueError:
            return None
    if re.match(r"[A-Z][a-z]{2}, ", text):
        try:
            moment = parsedate_to_datetime(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            return None
    return None


def _check_signed_headers(head: Head, signature: Signature) -> None:
    names = signature.signed_headers
    if any(name != name.lower() for name in names) or any(first >= second for first, second in pairwise(names)):
        raise mismatch()
    if "host" not in names and ":authority" not in names:
        raise mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in names:
        if name not in head.by_name:
            raise incomplete(f"'{name}' is named as a SignedHeader, but it does not exist in the HTTP request.")


def check_amz_headers(head: Head, signature: Signature, added_by_proxies: frozenset[str] = frozenset()) -> None:
    """Every x-amz-* header must be covered by the signature: an unsigned one may have been slipped in on the way. So must the date it rests on."""
    dated = {"date"} if signature.expires is None and "x-amz-date" not in head.by_name else set()
    for name in sorted({name for name in head.by_name if name.startswith("x-amz-")} | dated):
        if name not in signature.signed_headers and name not in added_by_proxies:
            raise mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def check_time(signature: Signature, now: datetime, skew: timedelta) -> None:
    """Neither too old nor from the future, and signed on the day its scope names."""
    minutes = int(skew.total_seconds() // 60)
    current = now.strftime(_BASIC)
    if signature.moment > now + skew:
        limit = (now + skew).strftime(_BASIC)
        raise mismatch(f"Signature not yet current: {signature.stamp} is still later than {limit} ({current} + {minutes} min.)")
    if signature.expires is not None:
        end = signature.moment + timedelta(seconds=signature.expires)
        if now > end:
            raise mismatch(f"Signature expired: {end.strftime(_BASIC)} is now earlier than {current}")
    elif signature.moment < now - skew:
        limit = (now - skew).strftime(_BASIC)
        raise mismatch(f"Signature expired: {signature.stamp} is now earlier than {limit} ({current} - {minutes} min.)")


def scope_faults(signature: Signature) -> list[str]:
    """What is wrong with the scope's day and terminator, in AWS's words."""
    faults = []
    if signature.terminator != TERMINATOR:
        faults.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{signature.terminator}'.")
    if signature.day != signature.stamp[:8]:
        faults.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signature.day}' != '{signature.stamp[:8]}', from '{signature.stamp}'."
        )
    return faults


def is_well_formed(value: str) -> bool:
    """64 lower-case hexadecimal digits, and nothing else, is a signature."""
    return _SIGNATURE.match(value) is not None


def json_name(fault: Fault) -> str:
    """The fault's code in the JSON family."""
    return JSON_NAMES.get(fault.code, fault.code)
