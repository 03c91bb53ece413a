"""The public SigV4 test suite, as the facts it states: what each case sends and which signature belongs to it.

Two signers that share no code with this repository (botocore, and aws-c-auth through awscrt) compute every signature again, so that the table cannot be wrong
alone. The suite's paths are raw (`/example space/`) and its cases partly rest on dot segments, both of which the Lattice data plane refuses before it looks at
a signature: therefore the check below is `verify_signature`, the part of the verifier that is SigV4 and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sigv4_machine import KeyFacts, LuaVerifier, Verdict, utc

from latticewall.auth.canonical import Head, canonical_query, encode, uris
from latticewall.auth.lattice import Refusal
from latticewall.auth.sigv4 import KnownKey, verify
from latticewall.base.secret import Secret

AKID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
STAMP, REGION, SERVICE = "20150830T123600Z", "us-east-1", "service"
NOW = utc(STAMP)
FORM = b"Param1=value1"
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHORT_TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
STS_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1Nt"
    "BmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX"
    "9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@dataclass(frozen=True)
class Case:
    """One request of the suite. headers: beside Host and X-Amz-Date, all of them signed. normalized: whether the signed path is."""

    name: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    signature: str
    body: bytes = b""
    normalized: bool = True

    def __str__(self) -> str:
        return self.name


VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
POSTED = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
SPACED = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"
ETHIOPIC = "\u1234".encode().decode("latin-1")


def my(*values: str, name: str = "My-Header1") -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for value in values)


def form(content_type: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type), ("Content-Length", "13"), ("x-amz-content-sha256", hashlib.sha256(FORM).hexdigest()))


URLENCODED = "application/x-www-form-urlencoded"
CASES = (
    Case("get-header-key-duplicate", "GET", "/", my("value2", "value2", "value1"), "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    # HTTP's obsolete line folding: the suite takes each line for a value of its own
    Case("get-header-value-multiline", "GET", "/", my("value1", "value2", "value3"), "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"),
    Case("get-header-value-order", "GET", "/", my("value4", "value1", "value3", "value2"), "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    Case(
        "get-header-value-trim",
        "GET",
        "/",
        (*my(" value1"), *my(' "a   b   c"', name="My-Header2")),
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    Case("get-relative-normalized", "GET", "/example/..", (), VANILLA),
    Case("get-relative-unnormalized", "GET", "/example/..", (), "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282", normalized=False),
    Case("get-relative-relative-normalized", "GET", "/example1/example2/../..", (), VANILLA),
    Case(
        "get-relative-relative-unnormalized",
        "GET",
        "/example1/example2/../..",
        (),
        "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b",
        normalized=False,
    ),
    Case("get-slash-dot-slash-normalized", "GET", "/./", (), VANILLA),
    Case("get-slash-dot-slash-unnormalized", "GET", "/./", (), "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145", normalized=False),
    Case("get-slash-normalized", "GET", "//", (), VANILLA),
    Case("get-slash-unnormalized", "GET", "//", (), "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e", normalized=False),
    Case("get-slash-pointless-dot-normalized", "GET", "/./example", (), "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    Case(
        "get-slash-pointless-dot-unnormalized", "GET", "/./example", (), "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff", normalized=False
    ),
    Case("get-slashes-normalized", "GET", "//example//", (), "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    Case("get-slashes-unnormalized", "GET", "//example//", (), "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5", normalized=False),
    Case("get-space-normalized", "GET", "/example space/", (), SPACED),
    Case("get-space-unnormalized", "GET", "/example space/", (), SPACED, normalized=False),
    Case("get-unreserved", "GET", f"/{UNRESERVED}", (), "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    Case("get-utf8", "GET", f"/{ETHIOPIC}", (), "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    Case("get-vanilla", "GET", "/", (), VANILLA),
    Case("get-vanilla-empty-query-key", "GET", "/?Param1=value1", (), "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    Case("get-vanilla-query", "GET", "/", (), VANILLA),
    Case(
        "get-vanilla-query-order-encoded",
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        (),
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    Case(
        "get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", (), "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    ),
    Case(
        "get-vanilla-query-unreserved", "GET", f"/?{UNRESERVED}={UNRESERVED}", (), "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"
    ),
    Case("get-vanilla-utf8-query", "GET", f"/?{ETHIOPIC}=bar", (), "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    Case(
        "get-vanilla-with-session-token",
        "GET",
        "/",
        (("X-Amz-Security-Token", SHORT_TOKEN),),
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    ),
    Case("post-header-key-case", "POST", "/", (), POSTED),
    Case("post-header-key-sort", "POST", "/", my("value1"), "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    Case("post-header-value-case", "POST", "/", my("VALUE1"), "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    Case("post-sts-header-after", "POST", "/", (), POSTED),
    Case(
        "post-sts-header-before", "POST", "/", (("X-Amz-Security-Token", STS_TOKEN),), "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    ),
    Case("post-vanilla", "POST", "/", (), POSTED),
    Case("post-vanilla-empty-query-value", "POST", "/?Param1=value1", (), "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    Case("post-vanilla-query", "POST", "/?Param1=value1", (), "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    Case("post-x-www-form-urlencoded", "POST", "/", form(URLENCODED), "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", body=FORM),
    Case(
        "post-x-www-form-urlencoded-parameters",
        "POST",
        "/",
        form(f"{URLENCODED}; charset=utf-8"),
        "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        body=FORM,
    ),
)


def head_of(case: Case, *, algorithm: str = "AWS4-HMAC-SHA256", region: str = f"/{REGION}", more: tuple[tuple[str, str], ...] = ()) -> Head:
    """The signed request that the suite prints."""
    sent = (("Host", "example.amazonaws.com"), *case.headers, ("X-Amz-Date", STAMP), *more)
    names = ";".join(sorted({name.lower() for name, _ in sent}))
    credential = f"Credential={AKID}/{STAMP[:8]}{region}/{SERVICE}/aws4_request"
    return Head(case.method, case.target, (*sent, ("Authorization", f"{algorithm} {credential}, SignedHeaders={names}, Signature={case.signature}")))


def token_digest(head: Head) -> str:
    token = head.first("x-amz-security-token")
    return hashlib.sha256(token.encode()).hexdigest() if token else ""


@pytest.fixture(scope="module")
def lua() -> LuaVerifier:
    return LuaVerifier()


def verdict(lua: LuaVerifier, head: Head, body: bytes = b"", *, strict: bool = False) -> Verdict:
    payload = hashlib.sha256(body).hexdigest()
    return lua.verify(head, NOW, REGION, how="verify_signature", service=SERVICE, payload=payload, strict_generic=strict)


def put_key(lua: LuaVerifier, head: Head) -> None:
    lua.put(KeyFacts(AKID, SECRET, token_digest(head), days=(STAMP[:8],), region=REGION, service=SERVICE))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_suites_signatures_are_verified(lua: LuaVerifier, case: Case) -> None:
    head = head_of(case)
    put_key(lua, head)
    assert verdict(lua, head, case.body) == AKID
    assert verdict(lua, head, case.body) == AKID, "once more, as the client's later requests are verified"
    assert (verdict(lua, head, case.body, strict=True) == AKID) == (case.normalized or case.signature == SPACED)


@pytest.mark.parametrize("case", [case for case in CASES if case.normalized], ids=str)
def test_the_control_plane_verifies_them_too(case: Case) -> None:
    head = head_of(case)
    token = head.first("x-amz-security-token")
    known = KnownKey(Secret(SECRET), Secret(token) if token else None)
    assert verify(head, case.body, lambda key_id: known if key_id == AKID else None, NOW, services=(SERVICE,)).access_key_id == AKID


def botocore_signature(case: Case) -> str:
    """botocore encodes the path itself (and so gets the suite's raw one), but only sorts the query (which it gets encoded)."""
    path, _, query = case.target.partition("?")
    wire_query = encode(query, keep="&=%")
    request = AWSRequest(case.method, f"https://example.amazonaws.com{path.encode('latin-1').decode()}?{wire_query}".rstrip("?"), data=case.body)
    for name, value in (*case.headers, ("X-Amz-Date", STAMP)):
        request.headers.add_header(name, value)
    request.context["timestamp"] = STAMP
    signer = SigV4Auth(Credentials(AKID, SECRET), SERVICE, REGION)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


def awscrt_signature(case: Case) -> str:
    sent = [("Host", "example.amazonaws.com"), *case.headers]
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=AwsCredentialsProvider.new_static(AKID, SECRET),
        region=REGION,
        service=SERVICE,
        date=NOW,
        use_double_uri_encode=True,
        should_normalize_uri_path=case.normalized,
        signed_body_value=hashlib.sha256(case.body).hexdigest(),
        signed_body_header_type=AwsSignedBodyHeaderType.NONE,
        omit_session_token=True,
    )
    # the signer adds the session token and the payload's hash itself, and refuses to find them
    request = HttpRequest(case.method, case.target.encode("latin-1").decode(), HttpHeaders(sent))
    signed = aws_sign_request(request, config).result(10)
    found = re.search(r"Signature=([0-9a-f]{64})$", str(signed.headers.get("Authorization")))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("case", [case for case in CASES if case.normalized], ids=str)
def test_botocore_gives_the_same_signatures(case: Case) -> None:
    if case.name in ("get-header-key-duplicate", "get-header-value-order"):
        pytest.skip("botocore sorts the values of a repeated header")
    assert botocore_signature(case) == case.signature


SIGNER_ADDS = frozenset({"x-amz-security-token", "x-amz-content-sha256"})


@pytest.mark.parametrize("case", [case for case in CASES if not SIGNER_ADDS & {name.lower() for name, _ in case.headers}], ids=str)
def test_awscrt_gives_the_same_signatures(case: Case) -> None:
    assert awscrt_signature(case) == case.signature


def flips(text: str) -> Iterator[str]:
    """Every text that differs in one character."""
    for index, character in enumerate(text):
        for other in {chr(ord(character) ^ 1), chr(ord(character) ^ 0x20), "0", "z", "/", " "} - {character}:
            yield text[:index] + other + text[index + 1 :]


def mutations(head: Head) -> Iterator[Head]:
    """The request with one character changed: in method, path and query, or the value of a header (signed ones, date, scope, signature)."""
    yield from (replace(head, method=method) for method in flips(head.method))
    yield from (replace(head, target=target) for target in flips(head.target))
    for index, (name, value) in enumerate(head.headers):
        for changed in flips(value):
            yield replace(head, headers=(*head.headers[:index], (name, changed), *head.headers[index + 1 :]))


def written_alike(one: Head, other: Head) -> bool:
    """Whether every signer takes the two for the same request: they differ in white space of values and around the parts of an Authorization header, in
    needless escapes, or (below Lattice's refusal) in what normalising takes out of a path."""
    return (
        one.method == other.method
        and not set(uris(one.path, strict_generic=False)).isdisjoint(uris(other.path, strict_generic=False))
        and canonical_query(one.parameters) == canonical_query(other.parameters)
        and [words(*pair) for pair in one.headers] == [words(*pair) for pair in other.headers]
    )


def words(name: str, value: str) -> str:
    return " ".join(re.split(r"[ \t,]+" if name == "Authorization" else r"[ \t]+", value.strip(" \t")))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_change_of_any_one_byte_is_refused(lua: LuaVerifier, case: Case) -> None:
    head = head_of(case)
    put_key(lua, head)
    changes = [changed for changed in mutations(head) if not written_alike(head, changed)]
    assert len(changes) > 1000
    for changed in changes:
        answer = verdict(lua, changed, case.body)
        assert isinstance(answer, Refusal) or (answer is None and not (changed.first("authorization") or "").startswith("AWS4-")), changed
