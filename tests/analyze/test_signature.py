"""Signatures that botocore made of a slightly different request: the explanation must find which, and where the two differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from latticewall.analyze.signature import Diagnosis, SigningKey, diagnose, token_mark
from latticewall.analyze.signing_mistakes import Surroundings
from latticewall.auth.canonical import Head
from latticewall.base.secret import Secret

KEY, SECRET, TOKEN = "ASIAEXAMPLEEXAMPLE22", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "the-session-token"
REGION, SERVICE = "us-west-2", "vpc-lattice-svcs"
UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
MISMATCH = "InvalidSignatureException: The request signature we calculated does not match the signature you provided."


def signed(
    url: str = "http://rates.example.com/today", method: str = "GET", headers: dict[str, str] | None = None, *, token: str | None = TOKEN, secret: str = SECRET,
    region: str = REGION, service: str = SERVICE, signer: Any = SigV4Auth, body: bytes = b"",
) -> dict[str, str]:  # fmt: skip
    """The headers that botocore would send with such a request."""
    request = AWSRequest(method, url, headers={**UNSIGNED, **(headers or {})}, data=body)
    request.context["payload_signing_enabled"] = False
    signer(Credentials(KEY, secret, token), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def received(headers: dict[str, str], target: str = "/today", method: str = "GET", host: str = "rates.example.com", **changed: str | None) -> Head:
    """As the log has it: half of the signature, a mark in place of the token. changed: headers as they arrived, None for those that did not."""
    arrived = {**headers, **{name.replace("_", "-"): value for name, value in changed.items()}, ":authority": host}
    if "x-amz-security-token" in headers:
        arrived["x-amz-security-token"] = token_mark(headers["x-amz-security-token"])
    arrived["authorization"] = headers["authorization"][:-32]
    arrived.pop("host", None)
    return Head(method, target, tuple((name, value) for name, value in arrived.items() if value is not None))


def diagnosis(head: Head, others: tuple[SigningKey, ...] = (), port: int = 80) -> Diagnosis:
    return diagnose(head, MISMATCH, SigningKey(KEY, Secret(SECRET), Secret(TOKEN)), others, Surroundings(REGION, port, ("rates-1.example.net",)))


def differing(found: Diagnosis) -> tuple[str, str]:
    """The lines of the canonical requests at the first difference: expected here, signed there."""
    assert found.expected is not None
    assert found.signed is not None, found
    assert found.difference is not None
    assert found.difference.part == "canonical request"
    at = found.difference.line - 1
    return found.expected.canonical_request[at], found.signed.canonical_request[at]


def test_a_right_signature_has_no_difference() -> None:
    found = diagnosis(received(signed()))
    assert (found.mistakes, found.difference) == ((), None)
    assert found.signed == found.expected


QUERY = "http://rates.example.com/today?"
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FOREIGN = signed(region="us-east-1")
FOREIGN["authorization"] = FOREIGN["authorization"].replace("us-east-1", REGION)


@pytest.mark.parametrize(
    ("mistake", "head", "lines"),
    [
        ("the method was signed as HEAD", received(signed(method="HEAD")), ("GET", "HEAD")),
        ("the method was signed as POST", received(signed(method="POST")), ("GET", "POST")),
        ("signed without its port: rates.example.com instead of rates.example.com:5044", received(signed(), host="rates.example.com:5044"),
         ("host:rates.example.com:5044", "host:rates.example.com")),
        ("signed with another port: rates.example.com:5044", received(signed("http://rates.example.com:5044/today")),
         ("host:rates.example.com", "host:rates.example.com:5044")),
        ("signed by another name: rates-1.example.net", received(signed("http://rates-1.example.net/today")),
         ("host:rates.example.com", "host:rates-1.example.net")),
        ("signed in lower case", received(signed(), host="Rates.example.com"), ("host:Rates.example.com", "host:rates.example.com")),
        ("the payload's hash was signed", received(signed("http://rates.example.com/a%20b", signer=S3SigV4Auth), "/a%20b"), ("UNSIGNED-PAYLOAD", EMPTY_HASH)),
        ("the path was signed encoded once too often", received(signed("http://rates.example.com/a%2520b"), "/a%20b"), ("/a%2520b", "/a%252520b")),
        ("signed with a final slash", received(signed("http://rates.example.com/today/")), ("/today", "/today/")),
        ("plus sign in the query was signed as a space", received(signed(QUERY + "q=a%20b"), "/today?q=a+b"), ("q=a%2Bb", "q=a%20b")),
        ("the query was left out", received(signed(), "/today?a=1"), ("a=1", "")),
        ("derived for region us-east-1", received(FOREIGN), None),
        ("the header x-team was signed in lower case", received(signed(headers={"x-team": "blue"}), x_team="Blue"), ("x-team:Blue", "x-team:blue")),
        ("the header x-team was signed empty", received(signed(headers={"x-team": ""}), x_team="blue"), ("x-team:blue", "x-team:")),
    ],
)  # fmt: skip
def test_one_mistake_is_found_and_located(mistake: str, head: Head, lines: tuple[str, str] | None) -> None:
    found = diagnosis(head, port=5044)
    assert len(found.mistakes) == 1, found
    assert mistake in found.mistakes[0]
    if lines:
        assert differing(found) == lines


def test_what_the_proxy_accepts_too_is_no_mistake() -> None:
    head = received(signed(QUERY.replace("today", "a%20b") + "a=1&b=2"), "/a%20b?b=2&a=1")
    assert diagnosis(head).mistakes == ()
    other = received(signed("http://rates.example.com/a%20b", signer=S3SigV4Auth), "/a%20b")
    assert differing(diagnosis(other))[0] == "UNSIGNED-PAYLOAD", "the path is not the difference"


@pytest.mark.parametrize(
    ("changed", "mistake", "line"),
    [
        ({"region": "eu-north-1"}, f"it was signed for the region eu-north-1 instead of {REGION}", 3),
        ({"service": "execute-api"}, f"it was signed for the service execute-api instead of {SERVICE}", 3),
    ],
)
def test_another_scope_is_marked_in_the_string_to_sign(changed: dict[str, str], mistake: str, line: int) -> None:
    found = diagnosis(received(signed(**changed)))
    assert found.mistakes == (mistake,)
    assert found.difference is not None
    assert (found.difference.part, found.difference.line) == ("string to sign", line)
    assert found.expected is not None
    assert f"/{REGION}/{SERVICE}/" in found.expected.string_to_sign[2]


def test_a_temporary_key_without_its_token() -> None:
    found = diagnosis(received(signed(token=None)))
    assert found.mistakes == ("a temporary access key was used without its session token",)


def test_a_body_s_hash_that_was_signed_and_not_sent() -> None:
    request = AWSRequest("POST", "http://rates.example.com/today", data=b"hello")
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), SERVICE, REGION).add_auth(request)
    found = diagnosis(received({name.lower(): value for name, value in request.headers.items()}, method="POST"))
    assert found.signed is None
    assert any("the log keeps no body" in note for note in found.notes)


def test_a_payload_hash_in_place_of_the_literal() -> None:
    request = AWSRequest("POST", "http://rates.example.com/today", data=b"{}")
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), SERVICE, REGION).add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert "x-amz-content-sha256" not in headers, "botocore does not even send it"
    found = diagnosis(received(headers, method="POST"))
    assert found.signed is None, "the body is not known here"
    empty = AWSRequest("GET", "http://rates.example.com/today")
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), SERVICE, REGION).add_auth(empty)
    found = diagnosis(received({name.lower(): value for name, value in empty.headers.items()}))
    assert found.mistakes == ("the hash of an empty payload was signed instead of UNSIGNED-PAYLOAD",)


def test_two_mistakes_together() -> None:
    found = diagnosis(received(signed(QUERY + "q=a%20b"), "/today?q=a+b", host="rates.example.com:80"))
    assert len(found.mistakes) == 2
    assert differing(found) == ("q=a%2Bb", "q=a%20b"), "the first difference"


def test_the_secret_of_another_key_of_the_same_principal() -> None:
    other = SigningKey("ASIAOTHEROTHEROTHER2", Secret("another-secret"), Secret("another-token"))
    found = diagnosis(received(signed(secret="another-secret")), (other,))
    assert found.mistakes == ("it was signed with the secret of another key of the same principal, ASIAOTHEROTHEROTHER2",)
    assert found.difference is None, "the texts are the same, the key is not"
    newline = diagnosis(received(signed(secret=SECRET + "\n")))
    assert newline.mistakes == ("the secret access key was used with a newline at the end",)


def test_a_session_token_that_was_not_signed() -> None:
    headers = signed(token=None)
    found = diagnosis(received({**headers, "x-amz-security-token": TOKEN}))
    assert found.mistakes == (), "what was signed was signed rightly; that the token is not covered is what was refused"
    listed = headers["authorization"].replace("x-amz-date,", "x-amz-date;x-amz-security-token,")
    found = diagnosis(received({**headers, "x-amz-security-token": TOKEN, "authorization": listed}))
    assert found.mistakes == ("the header x-amz-security-token is listed as signed and was left out",)


def test_nothing_fits() -> None:
    found = diagnosis(received(signed(secret="nobody's")))
    assert (found.mistakes, found.signed) == ((), None)
    assert found.expected is not None
    assert "none of the usual mistakes" in found.notes[0]


def test_the_session_token_of_another_key() -> None:
    headers = {**signed(token="another's"), "x-amz-security-token": token_mark("another's")}
    found = diagnosis(received(headers))
    assert (found.mistakes, found.signed) == (("the session token of another key was sent",), None)
    long_term = diagnose(received(signed()), MISMATCH, SigningKey(KEY, Secret(SECRET)))
    assert long_term.mistakes == ("a session token was sent with a long-term access key, which has none",)
    assert not any("usual mistakes" in note for note in (*found.notes, *long_term.notes))


def test_a_signature_that_is_no_text() -> None:
    headers = signed()
    headers["authorization"] = headers["authorization"][:-64] + "0" * 63 + "\x80" + "0" * 32
    assert diagnosis(received(headers)).signed is None


def test_an_unknown_key_and_a_head_that_cannot_be_read() -> None:
    found = diagnose(received(signed()), MISMATCH, None)
    assert found.expected is not None
    assert "not known here" in found.notes[0]
    broken = diagnose(Head("GET", "/", (("authorization", "AWS4-HMAC-SHA256 nonsense"), ("host", "x"))), MISMATCH, None)
    assert broken.expected is None
    assert "cannot be read" in broken.notes[0]


def test_an_asymmetric_signature_is_not_compared() -> None:
    headers = signed(headers={"x-amz-region-set": "*"})
    scope = f"Credential={KEY}/{headers['x-amz-date'][:8]}/{SERVICE}/aws4_request"
    listed = "host;x-amz-content-sha256;x-amz-date;x-amz-region-set;x-amz-security-token"
    headers["authorization"] = f"AWS4-ECDSA-P256-SHA256 {scope}, SignedHeaders={listed}, Signature={'30' * 70}"
    found = diagnosis(received(headers))
    assert found.signed is None
    assert found.expected is not None
    assert found.expected.string_to_sign[::2] == ("AWS4-ECDSA-P256-SHA256", f"{headers['x-amz-date'][:8]}/{SERVICE}/aws4_request")
    assert "cannot be compared by halves" in found.notes[0]


def test_a_presigned_request_shows_no_token() -> None:
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20260102%2F{REGION}%2F{SERVICE}%2Faws4_request&X-Amz-Date=20260102T030405Z"
    query += f"&X-Amz-Expires=60&X-Amz-Security-Token={TOKEN}&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
    found = diagnosis(Head("GET", f"/today?{query}", ((":authority", "rates.example.com"),)))
    assert found.expected is not None
    assert TOKEN not in repr(found)


def test_no_secret_and_no_token_is_in_the_answer() -> None:
    for head in (received(signed()), received(signed(method="PUT")), received(signed(secret="x"))):
        text = repr(diagnosis(head).document())
        assert TOKEN not in text
        assert SECRET not in text


def test_a_half_of_a_half_is_not_taken_for_a_match() -> None:
    head = received(signed())
    short = replace(head, headers=tuple((name, value[:-20] if name == "authorization" else value) for name, value in head.headers))
    assert diagnosis(short).signed is None


@pytest.mark.timeout(60)
def test_the_search_is_bounded() -> None:
    headers = {f"x-header-{number:02d}": f"  Value   {number}  " for number in range(60)}
    head = received(signed(secret="nobody's", headers=headers), "/a%20b/../c//d?" + "&".join(f"p{number}=v+{number}" for number in range(60)))
    assert diagnosis(head).signed is None
