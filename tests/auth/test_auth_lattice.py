"""The data plane's authentication: botocore's generic and S3 signers, curl, and every refusal with its text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st
from signers import capture_curl

from latticewall.auth.canonical import Head, canonical_request
from latticewall.auth.lattice import DerivedKey, Refusal, verify_lattice
from latticewall.auth.sigv4 import Credentials, derive_signing_key, sign, signature_value
from latticewall.base.secret import Secret

AKID, SECRET, TOKEN = "ASIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "SESSION/TOKEN+="
REGION, NOW = "us-west-2", datetime(2026, 1, 2, 0, 2, 0, tzinfo=UTC)
HOST = "svc-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


def keys(token_digest: str = DIGEST, expires: datetime | None = None) -> Callable[[str, str], DerivedKey | None]:
    def look_up(akid: str, day: str) -> DerivedKey | None:
        key = derive_signing_key(SECRET, day, REGION, "vpc-lattice-svcs")
        return DerivedKey(key, token_digest, expires) if akid == AKID else None

    return look_up


def authenticate(
    head: Head, *, now: datetime = NOW, lookup: Callable[[str, str], DerivedKey | None] | None = None, strict: bool = False
) -> str | Refusal | None:
    return verify_lattice(head, lookup or keys(), now, REGION, strict_generic=strict)


def signed(
    target: str = "/goodbye?b=2&a=1", *, now: datetime = NOW, service: str = "vpc-lattice-svcs", region: str = REGION, payload_hash: str = "UNSIGNED-PAYLOAD"
) -> Head:
    credentials = Credentials(AKID, Secret(SECRET), Secret(TOKEN))
    headers = sign("GET", f"http://{HOST}{target}", {}, credentials, service, region, now, payload_hash=payload_hash)
    return Head("GET", target, tuple(headers.items()))


def with_header(head: Head, name: str, value: str | None) -> Head:
    kept = tuple(pair for pair in head.headers if pair[0].lower() != name.lower())
    return replace(head, headers=kept if value is None else (*kept, (name, value)))


def boto_signed(signer: type[SigV4Auth], path: str) -> Head:
    request = AWSRequest("POST", f"http://{HOST}:8080{path}", data=b"anything", headers={"Content-Type": "text/plain"})
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    request.context |= {"payload_signing_enabled": False, "client_config": Config(s3={"payload_signing_enabled": False})}
    signer(BotoCredentials(AKID, SECRET, TOKEN), "vpc-lattice-svcs", REGION).add_auth(request)
    sent = {str(name): str(value) for name, value in request.headers.items()}
    return Head("POST", path, tuple({"Host": f"{HOST}:8080", **sent}.items()))


PATHS = ["/", "/goodbye", "/a%20b/c?x=1&y=2", "//a///b/", "/api.parking/GetRates", "/p$(x)'", "/caf%C3%A9?q=%C3%A9"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("signer", [SigV4Auth, S3SigV4Auth])
def test_accepts_generic_and_s3_style_signers(signer: type[SigV4Auth], path: str) -> None:
    head = boto_signed(signer, path)
    assert authenticate(head, now=datetime.now(UTC)) == AKID
    assert isinstance(authenticate(replace(head, target=path + "x"), now=datetime.now(UTC)), Refusal)


def test_strict_generic_refuses_what_only_s3_style_explains() -> None:
    head = boto_signed(S3SigV4Auth, "/a%20b")
    assert authenticate(head, now=datetime.now(UTC)) == AKID
    assert isinstance(authenticate(head, now=datetime.now(UTC), strict=True), Refusal)
    assert authenticate(boto_signed(SigV4Auth, "/a%20b"), now=datetime.now(UTC), strict=True) == AKID


@pytest.mark.parametrize("path", ["/", "/logs/1?a=1&b=2", "/a%20b", "/a//c"])
def test_accepts_curl(path: str) -> None:
    arguments = ["--aws-sigv4", f"aws:amz:{REGION}:vpc-lattice-svcs", "--user", f"{AKID}:{SECRET}"]
    headers = ["-H", f"x-amz-security-token: {TOKEN}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    head = capture_curl(*arguments, *headers, path=path)
    now = datetime.now(UTC)
    assert authenticate(head, now=now) == AKID
    assert isinstance(authenticate(replace(head, method="POST"), now=now), Refusal)
    without = capture_curl(*arguments, *headers[:2], path=path)
    assert authenticate(without, now=now) == Refusal(403, "IncompleteSignatureException: Missing the 'x-amz-content-sha256' in canonical headers.")


def test_http2_authority_plays_host() -> None:
    head = signed()
    authority = replace(head, headers=tuple((":authority" if name == "Host" else name, value) for name, value in head.headers))
    assert authenticate(authority) == AKID
    assert authenticate(replace(head, headers=(*head.headers, (":authority", "other")))) == Refusal(400, "")
    assert authenticate(replace(head, headers=(*head.headers, ("Host", "other")))) == Refusal(400, "")


@pytest.mark.parametrize("headers", [(), (("Authorization", "Bearer abc"),), (("Authorization", "Basic QUtJRDpTRUM="),)])
def test_unsigned_is_anonymous(headers: tuple[tuple[str, str], ...]) -> None:
    assert authenticate(Head("GET", "/", (("Host", HOST), *headers))) is None


AMBIGUOUS = ["/a/../b", "/a/./b", "/..", "/%2e%2e/x", "/a/%2E", "/a%2f..%2fb", "/a\\..\\b", "/a%5c..%5Cb", "/a%", "/a%2", "/a%zz", "/\u20ac"]


@pytest.mark.parametrize("path", AMBIGUOUS)
@pytest.mark.parametrize("sign_it", [True, False])
def test_ambiguous_paths_are_refused_for_everyone(path: str, sign_it: bool) -> None:
    head = replace(signed(), target=path) if sign_it else Head("GET", path, (("Host", HOST),))
    assert authenticate(head) == Refusal(400, "")


MISMATCH = "InvalidSignatureException: The request signature we calculated does not match the signature you provided."


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (signed(payload_hash="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "InvalidSignatureException: Signed payloads are not supported"),
        (signed(payload_hash=hashlib.sha256(b"").hexdigest()), "InvalidSignatureException: Signed payloads are not supported"),
        (with_header(signed(payload_hash=""), "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), "IncompleteSignatureException: Missing the 'x-amz-content-sha256'"),
        (
            with_header(signed(), "X-Amz-Security-Token", None),
            "IncompleteSignatureException: 'x-amz-security-token' is named as a SignedHeader, but it does not exist in the HTTP request.",
        ),
        (with_header(signed(), "x-amz-meta", "1"), "InvalidSignatureException: 'x-amz-meta' must be a 'SignedHeader' in the AWS Authorization."),
        (signed(region="us-east-1"), "InvalidSignatureException: Credential should be scoped to a valid region, not 'us-east-1'."),
        (signed(service="vpc-lattice"), "InvalidSignatureException: Credential should be scoped to correct service: 'vpc-lattice-svcs'."),
        (with_header(signed(), "Host", "elsewhere"), MISMATCH),
        (replace(signed(), target="/goodbye?b=2&a=2"), MISMATCH),
        (replace(signed(), target="/goodby"), MISMATCH),
        (with_header(signed(), "Authorization", "AWS4-HMAC-SHA512 Credential=a/b/c/d"), "IncompleteSignatureException: Unsupported AWS 'algorithm'"),
        (with_header(signed(), "Authorization", "AWS4-HMAC-SHA256"), "IncompleteSignatureException: "),
        (with_header(signed(), "X-Amz-Security-Token", "OTHER"), "UnrecognizedClientException: The security token included in the request is invalid."),
        (
            signed(now=NOW - timedelta(minutes=5, seconds=1)),
            "InvalidSignatureException: Signature expired: 20260101T235659Z is now earlier than 20260101T235700Z (20260102T000200Z - 5 min.)",
        ),
        (signed(now=NOW + timedelta(minutes=6)), "InvalidSignatureException: Signature not yet current: 20260102T000800Z"),
    ],
)
def test_refusals(head: Head, text: str) -> None:
    refusal = authenticate(head)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.text[: len(text)]) == (403, text)
    assert "\n" not in refusal.text


def test_a_key_is_good_across_midnight_and_until_it_expires() -> None:
    yesterday = signed(now=NOW - timedelta(minutes=4))
    assert authenticate(yesterday, lookup=keys(expires=NOW + timedelta(seconds=1))) == AKID
    expired = authenticate(yesterday, lookup=keys(expires=NOW))
    assert expired == Refusal(403, "ExpiredTokenException: The security token included in the request is expired")


def test_unknown_key_and_misused_tokens() -> None:
    refused = Refusal(403, "UnrecognizedClientException: The security token included in the request is invalid.")
    assert authenticate(signed(), lookup=lambda akid, day: None) == refused
    assert authenticate(signed(), lookup=keys(token_digest="")) == refused
    assert authenticate(signed(), lookup=keys(token_digest="0" * 64)) == refused


def test_proxy_added_headers_pass_and_derived_keys_do_not_print() -> None:
    assert authenticate(with_header(signed(), "x-amz-cf-id", "abc")) == AKID
    assert authenticate(with_header(signed(), "x-amzn-trace-id", "Root=1")) == AKID
    assert "redacted" in repr(DerivedKey(b"secret bytes"))
    assert "secret" not in repr(DerivedKey(b"secret bytes"))


def presigned(signed_headers: str) -> Head:
    """A request signed in the query, as AWS's C signer does it for Lattice: the payload's header is sent and signed beside host."""
    credential = f"{AKID}%2F20260102%2F{REGION}%2Fvpc-lattice-svcs%2Faws4_request"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20260102T000200Z&X-Amz-Expires=600"
        f"&X-Amz-Security-Token={quote(TOKEN, safe='')}&X-Amz-SignedHeaders={quote(signed_headers)}&a=b%20c"
    )
    head = Head("GET", f"/x?{query}", (("host", HOST), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")))
    request = canonical_request(head, "/x", signed_headers.split(";"), "UNSIGNED-PAYLOAD")
    key = derive_signing_key(SECRET, "20260102", REGION, "vpc-lattice-svcs")
    value = signature_value(key, "20260102T000200Z", f"20260102/{REGION}/vpc-lattice-svcs/aws4_request", request)
    return replace(head, target=f"{head.target}&X-Amz-Signature={value}")


def test_presigned_requests() -> None:
    head = presigned("host;x-amz-content-sha256")
    assert authenticate(head) == AKID
    assert authenticate(head, now=NOW + timedelta(minutes=10)) == AKID
    late, altered = authenticate(head, now=NOW + timedelta(minutes=10, seconds=1)), authenticate(replace(head, target=head.target + "0"))
    other = authenticate(replace(head, target=head.target.replace("a=b", "a=c")))
    assert [isinstance(answer, Refusal) for answer in (late, altered, other)] == [True, True, True]
    missing = authenticate(presigned("host"))
    assert missing == Refusal(403, "IncompleteSignatureException: Missing the 'x-amz-content-sha256' in canonical headers.")
    for expires in ("0", "604801", "", "-1", "x"):
        refusal = authenticate(replace(head, target=head.target.replace("Expires=600", f"Expires={expires}")))
        assert isinstance(refusal, Refusal)
        assert "X-Amz-Expires must be a number of seconds" in refusal.text


FRAGMENTS = [
    *("AWS4-HMAC-SHA256", " ", ",", "=", "Credential=", "SignedHeaders=host;x-amz-content-sha256", "Signature=", "/", ";", "\xff"),
    *("a/20260102/r/s/aws4_request", "20260102T000200Z", "UNSIGNED-PAYLOAD"),
]
NAMES = ["Authorization", "X-Amz-Date", "Date", "Host", ":authority", "x-amz-content-sha256", "X-Amz-Security-Token", "x-amz-other", ""]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join))),
    st.lists(st.sampled_from(["/", "%2F", "%", "?", "&", "=", "X-Amz-Algorithm", "X-Amz-Credential", "a", "..", "\u20ac"]), max_size=8).map("".join),
)
def test_no_head_is_ever_authenticated_by_accident(headers: list[tuple[str, str]], target: str) -> None:
    answer = authenticate(Head("GET", target, tuple(headers)))
    assert answer is None or (isinstance(answer, Refusal) and answer.status in (400, 403))
