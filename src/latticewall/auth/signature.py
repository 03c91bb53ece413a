"""The parts of a SigV4 signature as a request carries them, in the Authorization header or in the query.

Refusals here are faults with the names of the Query-protocol family; `JSON_NAMES` translates. Messages are AWS's, as collected from its
services; page followed: IAM User Guide, "Troubleshoot signed requests for AWS APIs".
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise

from latticewall.auth.canonical import Head
from latticewall.base.faults import Denied, Fault, Invalid

ALGORITHM = "AWS4-HMAC-SHA256"
ASYMMETRIC = "AWS4-ECDSA-P256-SHA256"
"""SigV4A. Its scope names no region; a signed region set does."""
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
LONGEST_AUTHORIZATION = 8192
"""Bytes of an Authorization header that are looked at."""
MOST_SIGNED_HEADERS = 100
_BASIC = "%Y%m%dT%H%M%SZ"
_SIGNATURE = re.compile(r"[0-9a-f]{64}\Z")
_AUTH_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set")
_ONCE_PARAMETERS = ("Algorithm", "Credential", "Date", "SignedHeaders", "Expires", "Security-Token", "Signature", "Region-Set")
_CREDENTIAL = {ALGORITHM: (5, "keyid/date/region/service/term"), ASYMMETRIC: (4, "keyid/date/service/term")}
_NOT_IN_NAMES = re.compile(r"[A-Z\x80-\uffff]")
_EXTENDED = re.compile(r"(\d{4})-(\d\d)-(\d\dT)(\d\d):(\d\d):(\d\dZ)", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_INTERNET = re.compile(
    rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d?) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|([+-])([01]\d|2[0-3])([0-5]\d))", re.ASCII
)


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
    request, None for the header form. token: session token, "" without. Of a SigV4A signature region is empty, and region_set says where it holds."""

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
    algorithm: str = ALGORITHM
    region_set: str = ""

    @cached_property
    def scope(self) -> str:
        region = (self.region,) if self.algorithm == ALGORITHM else ()
        return "/".join((self.day, *region, self.service, self.terminator))

    @cached_property
    def stamp(self) -> str:
        return stamp(self.moment)


@lru_cache(maxsize=256)
def stamp(moment: datetime) -> str:
    """20260102T030405Z."""
    return moment.strftime(_BASIC).rjust(16, "0")


def is_signed(head: Head) -> bool:
    """Whether the request claims a signature. Any other Authorization header is the application's business; of several, which a proxy may have joined by
    commas, one that claims it is enough."""
    parts = (part for value in head.by_name.get("authorization", ()) for part in value.split(","))
    return any(part.strip(" \t").startswith("AWS4-") for part in parts) or _in_query(head)


def _in_query(head: Head) -> bool:
    return head.parameter("X-Amz-Algorithm") is not None


def parse_signature(head: Head, *, asymmetric: bool = False) -> Signature:
    """Read the signature of a request. asymmetric: SigV4A is taken too. Raises the faults of steps 5 to 12 of AWS's order of checks."""
    in_header = "authorization" in head.by_name
    if in_header and _in_query(head):
        raise mismatch()
    if not in_header and not _in_query(head):
        raise Denied("Request is missing Authentication Token", code="MissingAuthenticationToken")
    for name in _AUTH_HEADERS:
        if len(head.by_name.get(name, ())) > 1:
            raise incomplete(f"The request has more than one '{name}' header.")
    algorithms = (ALGORITHM, ASYMMETRIC) if asymmetric else (ALGORITHM,)
    signature = _from_header(head, algorithms) if in_header else _from_query(head, algorithms)
    _check_signed_headers(head, signature)
    return signature


def _from_header(head: Head, algorithms: Collection[str]) -> Signature:
    written = head.first("authorization") or ""
    if len(written) > LONGEST_AUTHORIZATION:
        raise incomplete(f"The Authorization header is longer than {LONGEST_AUTHORIZATION} bytes.")
    algorithm, _, rest = written.partition(" ")
    if algorithm not in algorithms:
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
    region_set = head.first("x-amz-region-set") or ""
    missing = [f"Authorization header requires '{name}' parameter." for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if algorithm == ASYMMETRIC and not region_set:
        missing.append("Authorization header requires existence of a 'X-Amz-Region-Set' header.")
    if missing or date is None:
        raise incomplete(" ".join([*missing, f"Authorization={algorithm}"]))
    token = head.first("x-amz-security-token") or ""
    return _signature(algorithm, parts["Credential"], parts["SignedHeaders"], parts["Signature"], date, token, region_set)


def _from_query(head: Head, algorithms: Collection[str]) -> Signature:
    for name in _ONCE_PARAMETERS:
        if sum(own == f"X-Amz-{name}" for own, _ in head.parameters) > 1:
            raise incomplete(f"The request has more than one 'X-Amz-{name}' parameter.")
    given = {name: head.parameter(f"X-Amz-{name}") or "" for name in _ONCE_PARAMETERS}
    algorithm = given["Algorithm"]
    if algorithm not in algorithms:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    needed = ("Credential", "Signature", "SignedHeaders", "Date", *(("Region-Set",) if algorithm == ASYMMETRIC else ()))
    missing = [name for name in needed if not given[name]]
    if missing:
        listed = " ".join(f"AWS query-string parameters must include 'X-Amz-{name}'." for name in missing)
        raise incomplete(f"{listed} Re-examine the query-string parameters.")
    expires = given["Expires"]
    if not re.fullmatch(r"[0-9]{1,6}", expires) or not 1 <= int(expires) <= LONGEST_EXPIRY:
        raise incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_EXPIRY}, got '{expires}'.")
    token = given["Security-Token"] or head.first("x-amz-security-token") or ""
    signature = _signature(algorithm, given["Credential"], given["SignedHeaders"], given["Signature"], given["Date"], token, given["Region-Set"])
    return replace(signature, expires=int(expires))


def _signature(algorithm: str, credential: str, headers: str, value: str, date: str, token: str, region_set: str) -> Signature:
    elements = credential.split("/")
    moment = parse_date(date)
    if moment is None:
        raise incomplete(f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601")
    wanted, example = _CREDENTIAL[algorithm]
    if len(elements) != wanted:
        message = f"Credential must have exactly {wanted} slash-delimited elements, e.g. {example}, got "
        raise incomplete(f"{message}'{credential}'")
    names = tuple(headers.split(";"))
    if len(names) > MOST_SIGNED_HEADERS:
        raise incomplete(f"SignedHeaders names more than {MOST_SIGNED_HEADERS} headers.")
    region = elements[2] if algorithm == ALGORITHM else ""
    return Signature(elements[0], elements[1], region, elements[-2], elements[-1], names, value, moment, token, None, algorithm, region_set)


@lru_cache(maxsize=256)
def parse_date(text: str) -> datetime | None:
    """The moment of an ISO 8601 (basic or extended) or RFC 1123 date, UTC, whole seconds; None if it is neither."""
    if internet := _INTERNET.fullmatch(text):
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = internet.groups()
        zone = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        try:
            moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            return moment + zone if sign == "-" else moment - zone
        except (ValueError, OverflowError):
            return None
    if extended := _EXTENDED.fullmatch(text):
        text = "".join(extended.groups())
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
        return None
    try:
        return datetime.strptime(text, _BASIC).replace(tzinfo=UTC)
    except ValueError:
        return None


def _check_signed_headers(head: Head, signature: Signature) -> None:
    names = signature.signed_headers
    if any(map(_NOT_IN_NAMES.search, names)) or any(first >= second for first, second in pairwise(names)):
        raise mismatch()
    if "host" not in names and ":authority" not in names:
        raise mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in names:
        if name not in head.by_name or (name.startswith(":") and name != ":authority"):
            raise incomplete(f"'{name}' is named as a SignedHeader, but it does not exist in the HTTP request.")


def check_amz_headers(head: Head, signature: Signature, added_by_proxies: frozenset[str] = frozenset()) -> None:
    """Every x-amz-* header must be covered by the signature: an unsigned one may have been slipped in on the way. So must the date it rests on."""
    dated = {"date"} if signature.expires is None and "x-amz-date" not in head.by_name else set()
    for name in sorted({name for name in head.by_name if name.startswith("x-amz-")} | dated):
        if name not in signature.signed_headers and name not in added_by_proxies:
            raise mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def check_time(signature: Signature, now: datetime, skew: timedelta) -> None:
    """Neither too old nor from the future. The day that the scope names is `scope_faults`' to compare."""
    if signature.moment > now + skew:
        raise mismatch(f"Signature not yet current: {signature.stamp} is still later than {stamp(now + skew)} ({stamp(now)} + {_minutes(skew)} min.)")
    if signature.expires is not None:
        end = signature.moment + timedelta(seconds=signature.expires)
        if now > end:
            raise mismatch(f"Signature expired: {stamp(end)} is now earlier than {stamp(now)}")
    elif signature.moment < now - skew:
        raise mismatch(f"Signature expired: {signature.stamp} is now earlier than {stamp(now - skew)} ({stamp(now)} - {_minutes(skew)} min.)")


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


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
