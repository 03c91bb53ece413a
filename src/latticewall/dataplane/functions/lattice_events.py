"""Requests as VPC Lattice's events, and a function's answer as a response ("Lambda functions as targets in VPC Lattice"). Pure.

What only the service network says (`x-amzn-lattice-*`) is believed here: Envoy drops a client's own before anything else looks at a request.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LATTICE = "x-amzn-lattice-"
NETWORK, TARGET, IDENTITY = f"{LATTICE}network", f"{LATTICE}target", f"{LATTICE}identity"
LARGEST = 6 * 1024 * 1024
"""Bytes of a request's or a response's body."""
BODILESS = (204, 304)
"""Statuses whose responses have no body, whatever a function says ("HTTP Semantics", RFC 9110, 6.4.1)."""
_TEXTS = ("application/json", "application/xml", "application/javascript")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)
_IDENTITY = {
    "Type": "type", "Principal": "principal", "PrincipalOrgID": "principalOrgID", "SessionName": "sessionName", "X509IssuerOU": "x509IssuerOu",
    "X509SANDNS": "x509SanDns", "X509SANNameCN": "x509SanNameCn", "X509SANURI": "x509SanUri", "X509SubjectCN": "x509SubjectCn",
}  # fmt: skip
"""Member of the identity header -> member of the event."""

Headers = Iterable[tuple[str, str]]


class BadAnswer(ValueError):
    """What the function answered is no response."""


@dataclass(frozen=True)
class Request:
    """path: with the query string, as it came. headers: names lower case, in their order."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def members(text: str) -> dict[str, str]:
    """`A=1; B=2` as a mapping: how the service network's own headers are written."""
    found = (part.strip().partition("=") for part in text.split("; "))
    return {name: value for name, _, value in found if name}


def event_v1(request: Request) -> dict[str, Any]:
    """Repeated headers are joined with a comma and a space ("Multi-value headers"), of repeated parameters the last value counts."""
    body, encoded = _body(request)
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {
        "raw_path": request.path, "method": request.method, "headers": headers,
        "query_string_parameters": {name: values[-1] for name, values in _parameters(request.path).items()},
        "body": body, "is_base64_encoded": encoded,
    }  # fmt: skip


def event_v2(request: Request, region: str, microseconds: int) -> dict[str, Any]:
    """region: of the service. microseconds: since 1970."""
    body, encoded = _body(request)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if not name.startswith(LATTICE):
            headers.setdefault(name, []).append(value)
    network, target, identity = members(request.header(NETWORK)), members(request.header(TARGET)), members(request.header(IDENTITY))
    caller = {member: identity[name] for name, member in _IDENTITY.items() if identity.get(name)}
    return {
        "version": "2.0", "path": request.path, "method": request.method, "headers": headers, "queryStringParameters": _parameters(request.path),
        "body": body, "isBase64Encoded": encoded,
        "requestContext": {
            "serviceNetworkArn": target.get("ServiceNetworkArn", ""), "serviceArn": target.get("ServiceArn", ""),
            "targetGroupArn": target.get("TargetGroupArn", ""), "identity": {"sourceVpcArn": network.get("SourceVpcArn", ""), **caller},
            "region": region, "timeEpoch": str(microseconds),
        },
    }  # fmt: skip


def _body(request: Request) -> tuple[str, bool]:
    """Text where the type says so and nothing is encoded, else base64."""
    if not request.body:
        return "", False
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if (kind.startswith("text/") or kind in _TEXTS) and not request.header("content-encoding"):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def _parameters(path: str) -> dict[str, list[str]]:
    """Parameters as they were written: nothing is decoded."""
    found: dict[str, list[str]] = {}
    for part in path.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name:
            found.setdefault(name, []).append(value)
    return found


def response_of(payload: bytes) -> Response:
    """The HTTP response that a function's answer means. Raises BadAnswer."""
    try:
        answer = json.loads(payload)
    except ValueError:
        raise BadAnswer("it is not JSON") from None
    if not isinstance(answer, dict):
        raise BadAnswer("it is not an object")
    status, body = _status(answer.get("statusCode")), _answered_body(answer)
    if len(body) > LARGEST:
        raise BadAnswer(f"its body has more than {LARGEST} bytes")
    return Response(status, tuple(_answered_headers(answer.get("headers"))), b"" if status in BODILESS else body)


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise BadAnswer("statusCode is no status from 200 to 599")
    return value


def _answered_body(answer: Mapping[str, Any]) -> bytes:
    body, encoded = answer.get("body"), answer.get("isBase64Encoded", False)
    if body is None:
        return b""
    if not isinstance(body, str) or not isinstance(encoded, bool):
        raise BadAnswer("body is no text, or isBase64Encoded neither true nor false")
    if not encoded:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadAnswer("body is not base64") from None


def _answered_headers(headers: Any) -> Iterable[tuple[str, str]]:
    """Values may be texts, numbers, booleans, or lists of them."""
    if headers is None:
        return
    if not isinstance(headers, dict):
        raise BadAnswer("headers is no object")
    for name, value in headers.items():
        if not _is_token(name):
            raise BadAnswer(f"{name!r} is no name of a header")
        if name.lower() in _HOP_BY_HOP:
            continue
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one) if isinstance(one, str | int | float) else None
            if text is None or any(letter in text for letter in "\r\n\0"):
                raise BadAnswer(f"the value of the header {name} is no text")
            yield name.lower(), text


_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _is_token(name: str) -> bool:
    return bool(name) and set(name.lower()) <= _TOKEN
