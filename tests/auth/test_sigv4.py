"""Signature Version 4: the golden vector, real signers, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from latticewall.auth.canonical import Head, canonical_query, canonical_request, digest, generic_uri, s3_uri
from latticewall.auth.sigv4 import Credentials, KnownKey, Verified, derive_signing_key, sign, signature_value, verify
from latticewall.base.faults import Denied, Fault, Invalid
from latticewall.base.secret import Secret

AKID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "SESSIONTOKEN"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEMPORARY = KnownKey(Secret(SECRET), Secret(TOKEN), NOW + timedelta(hours=1))
LONG_TERM = KnownKey(Secret(SECRET))
GOLDEN_HEAD = Head(
    "POST",
    "/a%20b/c?x=1&y=&x=0",
    (
        ("Host", "svc.example.com"),
        ("Content-Type", "application/json"),
        ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
        ("X-Amz-Date", "20260102T030405Z"),
        ("X-Amz-Security-Token", TOKEN),
    ),
)
GOLDEN_NAMES = ("content-type", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token")


def test_golden_vector_of_four_independent_signers() -> None:
    key = derive_signing_key(SECRET, "20260102", "us-west-2", "vpc-lattice-svcs")
    assert key.hex() == "d23cefb4b5866560be3ffe7bb327793effa33f0a3e4723a85d2e5c8cbdbd1511"
    generic = canonical_request(GOLDEN_HEAD, generic_uri(GOLDEN_HEAD.path), GOLDEN_NAMES, "UNSIGNED-PAYLOAD")
    assert generic.splitlines()[:3] == ["POST", "/a%2520b/c", "x=0&x=1&y="]
    assert digest(generic) == "1e986af8391bf7be1095e490e86c0da81af015c01559eaf317d274092fd599e0"
    scope = "20260102/us-west-2/vpc-lattice-svcs/aws4_request"
    signature = signature_value(key, "20260102T030405Z", scope, generic)
    assert signature == "c4a534d42dc1ffc87a7295798887b78a118e74571b5f2677eaf57512e81b49c6"
    plain = canonical_request(GOLDEN_HEAD, s3_uri(GOLDEN_HEAD.path), GOLDEN_NAMES, "UNSIGNED-PAYLOAD")
    assert signature_value(key, "20260102T030405Z", scope, plain) == "072a5954b1018ddd6cf0ad992fde2f1a4dd8e75c58a79527f951d0dc5dca6ba0"


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("//a///b", "/a/b"),
        ("/a/./b/../c/", "/a/c/"),
        ("/a/..", "/"),
        ("/../a", "/a"),
        ("/a/b/.", "/a/b/"),
        ("/%2e%2e/a", "/%252e%252e/a"),
        ("/svc.Pkg/Get$", "/svc.Pkg/Get%24"),
    ],
)
def test_generic_uri(path: str, canonical: str) -> None:
    assert generic_uri(path) == canonical


def test_canonical_query_sorts_encoded_pairs_and_keeps_plus() -> None:
    head = Head("GET", "/?b=x+y&a%2f=1&Param-3=c&Param=b&%E1%88%B4=z&flag&a=?")
    assert canonical_query(head.parameters) == "%E1%88%B4=z&Param=b&Param-3=c&a=%3F&a%2F=1&b=x%2By&flag="


def known(key: KnownKey) -> Callable[[str], KnownKey | None]:
    return lambda akid: key if akid == AKID else None


def boto_head(method: str, url: str, body: bytes = b"", token: str | None = None, **headers: str) -> Head:
    """A request signed by botocore at the real time, as it goes over the wire."""
    request = AWSRequest(method, url, data=body, headers=headers)
    SigV4Auth(BotoCredentials(AKID, SECRET, token), "vpc-lattice", "eu-north-1").add_auth(request)
    prepared = request.prepare()
    target = prepared.url.split("://", 1)[1]
    host, _, path = target.partition("/")
    sent = {str(name): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()}
    return Head(method, f"/{path}", tuple({"Host": host, **sent}.items()))


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("url", ["http://127.0.0.1:4566/", "http://127.0.0.1:4566/tags/arn%3Aaws%3Ax?b=2&a=1%202", "https://lattice.example.com/a%20b//c/"])
def test_accepts_botocore(url: str, token: str | None) -> None:
    head = boto_head("POST", url, b'{"name":"x"}', token, **{"Content-Type": "application/json", "X-Amz-Target": "Svc.Op"})
    key = TEMPORARY if token else LONG_TERM
    verified = verify(head, b'{"name":"x"}', known(replace(key, expires=None)), datetime.now(UTC), services=("vpc-lattice",))
    assert verified == Verified(AKID, "eu-north-1", "vpc-lattice")


def test_accepts_botocore_presigned_until_it_expires() -> None:
    request = AWSRequest("GET", "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15")
    SigV4QueryAuth(BotoCredentials(AKID, SECRET, TOKEN), "sts", "us-east-1", expires=60).add_auth(request)
    head = Head("GET", "/" + request.url.split("/", 3)[3], (("Host", "127.0.0.1:4566"),))
    lookup = known(replace(TEMPORARY, expires=None))
    now = datetime.now(UTC)
    assert verify(head, b"", lookup, now).service == "sts"
    with pytest.raises(Denied, match="Signature expired"):
        verify(head, b"", lookup, now + timedelta(seconds=62))


def signed(now: datetime = NOW, key: KnownKey = TEMPORARY, target: str = "/services/svc-1?maxResults=5", body: bytes = b"{}") -> Head:
    credentials = Credentials(AKID, key.secret, key.token)
    headers = sign("POST", f"http://127.0.0.1:4566{target}", {"Content-Type": "application/json"}, credentials, "vpc-lattice", "eu-west-9", now, body=body)
    return Head("POST", target, tuple(headers.items()))


def refusal(head: Head, body: bytes = b"{}", key: KnownKey = TEMPORARY, now: datetime = NOW) -> Fault:
    with pytest.raises(Fault) as caught:
        verify(head, body, known(key), now, services=("vpc-lattice",))
    return caught.value


def with_header(head: Head, name: str, value: str | None) -> Head:
    """The head with one header replaced, added or (None) removed."""
    kept = tuple(pair for pair in head.headers if pair[0].lower() != name.lower())
    return replace(head, headers=kept if value is None else (*kept, (name, value)))


def edited(head: Head, old: str, new: str) -> Head:
    """The head with its Authorization header edited."""
    authorization = head.first("authorization") or ""
    assert old in authorization
    return with_header(head, "Authorization", authorization.replace(old, new))


def test_own_signature_is_accepted() -> None:
    assert verify(signed(), b"{}", known(TEMPORARY), NOW) == Verified(AKID, "eu-west-9", "vpc-lattice")


def test_signing_replaces_what_it_sets_whatever_its_case() -> None:
    given = {"host": "elsewhere", "x-amz-date": "never", "X-AMZ-SECURITY-TOKEN": "other", "authorization": "Bearer x", "User-Agent": "a", "X-Y": " 1  2 "}
    sent = sign("GET", "http://h:1/a?b", given, Credentials(AKID, TEMPORARY.secret, TEMPORARY.token), "sts", "r", NOW)
    assert sorted(sent) == ["Authorization", "Host", "User-Agent", "X-Amz-Date", "X-Amz-Security-Token", "X-Y"]
    assert sent["Host"] == "h:1"
    assert "user-agent" not in sent["Authorization"]
    assert verify(Head("GET", "/a?b", tuple(sent.items())), b"", known(TEMPORARY), NOW) == Verified(AKID, "r", "sts")


def flipped(text: str, index: int) -> str:
    other = "0" if text[index] != "0" else "1"
    return text[:index] + other + text[index + 1 :]


@pytest.mark.parametrize("index", [0, 31, 63])
def test_one_flipped_digit_of_the_signature_is_refused(index: int) -> None:
    head = signed()
    value = (head.first("authorization") or "").rpartition("=")[2]
    assert refusal(edited(head, value, flipped(value, index))).code == "SignatureDoesNotMatch"
    assert refusal(edited(head, value, value.upper())).code == "SignatureDoesNotMatch"
    assert refusal(edited(head, value, value[:-1])).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [
        lambda head: replace(head, method="PUT"),
        lambda head: replace(head, target="/services/svc-2?maxResults=5"),
        lambda head: replace(head, target="/services/svc-1?maxResults=6"),
        lambda head: replace(head, target="/services/svc-1"),
        lambda head: with_header(head, "Host", "127.0.0.1:4567"),
        lambda head: with_header(head, "Content-Type", "application/json2"),
        lambda head: with_header(head, "X-Amz-Date", "20260102T030406Z"),
        lambda head: edited(head, "eu-west-9", "eu-west-8"),
        lambda head: edited(head, "content-type;", ""),
    ],
)
def test_any_signed_part_that_changed_is_refused(change: Callable[[Head], Head]) -> None:
    assert refusal(change(signed())).code == "SignatureDoesNotMatch"


def test_changed_body_is_refused() -> None:
    assert refusal(signed(), b"[]").code == "SignatureDoesNotMatch"
    unsigned_payload = sign(
        "POST", "http://h/", {}, Credentials(AKID, LONG_TERM.secret), "vpc-lattice", "r", NOW, payload_hash="UNSIGNED-PAYLOAD"
    )
    assert refusal(Head("POST", "/", tuple(unsigned_payload.items())), b"", LONG_TERM).code == "SignatureDoesNotMatch"


def test_wrong_secret() -> None:
    assert refusal(signed(), key=replace(TEMPORARY, secret=Secret("x" * 40))).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("head", "code", "words"),
    [
        (Head("POST", "/", (("Host", "h"),)), "MissingAuthenticationToken", "missing Authentication Token"),
        (edited(signed(), "AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 "), "IncompleteSignature", "Unsupported AWS 'algorithm'"),
        (edited(signed(), "Credential=", "Credential"), "IncompleteSignature", "missing equal-sign"),
        (edited(signed(), "SignedHeaders=", "SignedHeader="), "IncompleteSignature", "requires 'SignedHeaders' parameter"),
        (edited(signed(), "/aws4_request", ""), "IncompleteSignature", "exactly 5 slash-delimited elements"),
        (edited(signed(), "aws4_request", "aws5_request"), "SignatureDoesNotMatch", "valid terminator"),
        (edited(signed(), "/vpc-lattice/", "/vpc-lattice-svcs/"), "SignatureDoesNotMatch", "correct service: 'vpc-lattice'"),
        (edited(signed(), "/eu-west-9/", "/EU WEST/"), "SignatureDoesNotMatch", "valid region"),
        (edited(signed(), "/20260102/", "/20260101/"), "SignatureDoesNotMatch", "'20260101' != '20260102'"),
        (edited(signed(), "host;", ""), "SignatureDoesNotMatch", "'Host' or ':authority'"),
        (edited(signed(), "host;", "host;i-am-missing;"), "IncompleteSignature", "'i-am-missing' is named as a SignedHeader"),
        (edited(signed(), "content-type;host", "host;content-type"), "SignatureDoesNotMatch", "does not match"),
        (edited(signed(), AKID, "AKIDUNKNOWN"), "InvalidClientTokenId", "invalid."),
        (with_header(signed(), "X-Amz-Date", "yesterday"), "IncompleteSignature", "Got 'yesterday'"),
        (with_header(signed(), "X-Amz-Date", None), "IncompleteSignature", "'X-Amz-Date' or a 'Date' header"),
        (with_header(signed(), "X-Amz-Injected", "1"), "SignatureDoesNotMatch", "'x-amz-injected' must be a 'SignedHeader'"),
        (with_header(signed(), "X-Amz-Security-Token", "OTHER"), "InvalidClientTokenId", "invalid"),
        (with_header(signed(key=LONG_TERM), "Date", "Fri, 02 Jan 2026 03:04:05 GMT"), "InvalidClientTokenId", "invalid."),
        (replace(signed(), target="/?X-Amz-Algorithm=AWS4-HMAC-SHA256"), "SignatureDoesNotMatch", ""),
        (replace(signed(), target="/a%2"), "MalformedQueryString", "escape"),
        (replace(signed(), target="/?a=%zz"), "MalformedQueryString", "escape"),
        (replace(signed(), target="/\u20ac"), "MalformedQueryString", "not a sequence of bytes"),
        (with_header(signed(), "X-Other", "\u20ac"), "MalformedQueryString", "not a sequence of bytes"),
        (replace(signed(), headers=(*signed().headers, *signed().headers)), "IncompleteSignature", "more than one"),
    ],
)
def test_refusals_name_their_cause(head: Head, code: str, words: str) -> None:
    fault = refusal(head)
    assert (fault.code, words in fault.message) == (code, True), fault.message
    assert isinstance(fault, Invalid if code in ("IncompleteSignature", "MalformedQueryString") else Denied)


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (timedelta(minutes=15, seconds=1), "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)"),
        (timedelta(minutes=-15, seconds=-1), "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T024904Z + 15 min.)"),
    ],
)
def test_clock_skew(offset: timedelta, words: str) -> None:
    assert refusal(signed(), now=NOW + offset, key=replace(TEMPORARY, expires=None)).message == words
    inside = NOW + offset - timedelta(seconds=1 if offset > timedelta() else -1)
    assert verify(signed(), b"{}", known(replace(TEMPORARY, expires=None)), inside).access_key_id == AKID


def test_expired_and_inactive_keys() -> None:
    assert refusal(signed(), key=replace(TEMPORARY, expires=NOW)).code == "ExpiredToken"
    assert refusal(signed(), key=replace(TEMPORARY, active=False)).code == "InvalidClientTokenId"


def test_date_header_in_rfc_form_as_botocore_writes_it() -> None:
    head = boto_head("GET", "http://127.0.0.1:4566/services", Date="Mon, 23 Nov 2020 21:30:26 -0000")
    assert head.first("x-amz-date") is None
    assert verify(head, b"", known(LONG_TERM), datetime.now(UTC)).region == "eu-north-1"


def test_strictness_of_malformed_authorization_never_escapes_as_another_error() -> None:
    whole = signed().first("authorization") or ""
    for cut in range(0, len(whole), 7):
        fault = refusal(with_header(signed(), "Authorization", whole[:cut]))
        assert fault.code in ("IncompleteSignature", "SignatureDoesNotMatch", "InvalidClientTokenId")
