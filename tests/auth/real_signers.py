"""What real signers send to the Lattice data plane, as the head a server sees. All of them sign with the clock they have, so that `now` is now."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import botocore.auth  # noqa: F401 - botocore.crt.auth can only be imported after it
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.crt.auth import CrtS3SigV4Auth, CrtSigV4AsymAuth, CrtSigV4Auth, CrtSigV4QueryAuth
from signers import capture_curl

from latticewall.auth.canonical import Head

sys.path.insert(0, str(Path(__file__).parents[1] / "javascript"))
from node_packages import HERE, run_node

AKID, SECRET, TOKEN = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2lu" * 30 + "/+="
REGION, SERVICE = "us-west-2", "vpc-lattice-svcs"
HOST = "svc-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws"
PAYLOAD = ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")
METHODS = ("GET", "POST")
TARGETS = (
    *("/", "/goodbye", "/a%20b/c", "/a%2Fb", "/api.parking/GetRates", "/.well-known/x", "/caf%C3%A9", "/a~b_c-d.e/", "/p%24(x)'", "/a//b/"),
    *("/q?a=1&b=two%20words&c=", "/caf%C3%A9?lang=fran%C3%A7ais", "/x?t=2026-01-02T00%3A02%3A00Z", "/a%20b?a=1&a=2&b=%2F"),
)
Signer = Callable[[Sequence[tuple[str, str]]], list[Head]]
"""Signs requests, each (method, target)."""


def _python(signer: type[SigV4Auth], *, region: str = REGION, service: str = SERVICE, payload: bool = True) -> Signer:
    def sign(requests: Sequence[tuple[str, str]]) -> list[Head]:
        return [_with_botocore(signer, method, target, region, service, payload=payload) for method, target in requests]

    return sign


def _with_botocore(signer: type[SigV4Auth], method: str, target: str, region: str, service: str, *, payload: bool) -> Head:
    body = b"anything" if method == "POST" and signer is not CrtSigV4QueryAuth else b""  # which would move the body into the query
    request = AWSRequest(method, f"http://{HOST}:8080{target}", data=body, headers={"Content-Type": "text/plain", "Accept": "*/*"})
    if payload:
        request.headers.add_header(*PAYLOAD)
        request.context |= {"payload_signing_enabled": False, "client_config": Config(s3={"payload_signing_enabled": False})}
    signer(Credentials(AKID, SECRET, TOKEN), service, region).add_auth(request)
    sent = {str(name).lower(): str(value) for name, value in request.headers.items()}
    parts = urlsplit(request.url)
    signed = parts.path + (f"?{parts.query}" if parts.query else "")
    if signer is CrtSigV4QueryAuth:
        sent |= {PAYLOAD[0].lower(): PAYLOAD[1]}  # signed, and left to the client to send
    return Head(method, signed, tuple({"host": f"{HOST}:8080", **sent}.items()))


def _curl(requests: Sequence[tuple[str, str]]) -> list[Head]:
    return [curl(method, target) for method, target in requests]


def curl(method: str, target: str, payload: str = "") -> Head:
    """curl, with what its users pass for Lattice, or another payload line."""
    options = ["--aws-sigv4", f"aws:amz:{REGION}:{SERVICE}", "--user", f"{AKID}:{SECRET}", "--path-as-is", "-X", method]
    headers = ["-H", f"x-amz-security-token: {TOKEN}", "-H", f"{PAYLOAD[0].lower()}: {payload or PAYLOAD[1]}"]
    return capture_curl(*options, *headers, *(("--data", "anything") if method == "POST" else ()), path=target)


def _javascript(*, escape: bool) -> Signer:
    def sign(requests: Sequence[tuple[str, str]]) -> list[Head]:
        asked = [_for_javascript(method, target, escape=escape) for method, target in requests]
        answered = json.loads(run_node(HERE / "sign.cjs", json.dumps(asked)))
        return [Head(method, target, tuple(headers.items())) for (method, target), headers in zip(requests, answered, strict=True)]

    return sign


def _for_javascript(method: str, target: str, *, escape: bool) -> dict[str, object]:
    parts = urlsplit(target)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return {
        "method": method,
        "host": HOST,
        "path": parts.path,
        "query": query,
        "headers": dict([PAYLOAD, ("content-type", "text/plain")]),
        "escape": escape,
        "region": REGION,
        "service": SERVICE,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "credentials": {"accessKeyId": AKID, "secretAccessKey": SECRET, "sessionToken": TOKEN},
    }


SIGNERS: dict[str, Signer] = {
    "botocore": _python(SigV4Auth),
    "botocore S3": _python(S3SigV4Auth),
    "awscrt": _python(CrtSigV4Auth),
    "awscrt S3": _python(CrtS3SigV4Auth),
    "awscrt SigV4A": _python(CrtSigV4AsymAuth),
    "awscrt SigV4A everywhere": _python(CrtSigV4AsymAuth, region="*"),
    "awscrt SigV4A in some regions": _python(CrtSigV4AsymAuth, region="eu-west-1,us-*"),
    "awscrt in the query": _python(CrtSigV4QueryAuth, payload=False),
    "curl": _curl,
    "JavaScript SDK": _javascript(escape=True),
    "JavaScript SDK, path as it is": _javascript(escape=False),
}


def wrongly_signed() -> Iterator[tuple[str, Head]]:
    """Requests of signers that are set up as for other services: (what is wrong, the head)."""
    yield "a payload hash", _python(SigV4Auth, payload=False)([("POST", "/goodbye")])[0]
    yield "another region", _python(SigV4Auth, region="us-east-1")([("GET", "/goodbye")])[0]
    yield "another service", _python(SigV4Auth, service="execute-api")([("GET", "/goodbye")])[0]
    yield "other regions", _python(CrtSigV4AsymAuth, region="eu-*")([("GET", "/goodbye")])[0]

