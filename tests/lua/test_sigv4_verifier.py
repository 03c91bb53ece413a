"""The proxy's signature verifier: the project's golden vector, what is kept between requests, hostile input, and speed."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sigv4_machine import KeyFacts, LuaVerifier, Verdict, python_verdict, utc
from sigv4_requests import KEYS, NOW, TOKEN, Draft, sign

from latticewall.auth.canonical import Head, s3_uri
from latticewall.auth.lattice import Refusal
from latticewall.auth.sigv4 import derive_signing_key

SESSION, LONG_TERM = KEYS[0], KEYS[1]
INVALID = Refusal(403, "UnrecognizedClientException: The security token included in the request is invalid.")
MISMATCH = "InvalidSignatureException: The request signature we calculated does not match the signature you provided."


@pytest.fixture
def lua() -> LuaVerifier:
    return LuaVerifier(list(KEYS))


def both(lua: LuaVerifier, head: Head, *, strict: bool = False) -> Verdict:
    """What the two verifiers say, which must be the same."""
    answer = lua.verify(head, NOW, strict_generic=strict)
    assert answer == python_verdict({key.id: key for key in KEYS}, head, NOW, strict=strict)
    return answer


def draft(key: KeyFacts = SESSION, method: str = "GET", path: str = "/orders", query: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Draft:
    token = TOKEN if key.token_digest else ""
    return Draft(key, method, path, query, list(headers), NOW.strftime("%Y%m%dT%H%M%SZ"), token=token, signed=[name for name, _ in headers])


def with_header(head: Head, name: str, value: str) -> Head:
    return replace(head, headers=(*(pair for pair in head.headers if pair[0] != name), (name, value)))


GOLDEN = {
    "generic": "c4a534d42dc1ffc87a7295798887b78a118e74571b5f2677eaf57512e81b49c6",
    "S3": "072a5954b1018ddd6cf0ad992fde2f1a4dd8e75c58a79527f951d0dc5dca6ba0",
}


@pytest.mark.parametrize("form", GOLDEN)
def test_the_golden_vector(form: str) -> None:
    """Four independent signers gave these signatures (two of them, for the S3 form)."""
    secret, token = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "SESSIONTOKEN"
    assert derive_signing_key(secret, "20260102", "us-west-2", "vpc-lattice-svcs").hex() == "d23cefb4b5866560be3ffe7bb327793effa33f0a3e4723a85d2e5c8cbdbd1511"
    lua = LuaVerifier([KeyFacts("AKIDEXAMPLE", secret, hashlib.sha256(token.encode()).hexdigest(), days=("20260102",))])
    names = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
    credential = "Credential=AKIDEXAMPLE/20260102/us-west-2/vpc-lattice-svcs/aws4_request"
    head = Head(
        "POST",
        "/a%20b/c?x=1&y=&x=0",
        (
            *((":authority", "svc.example.com"), ("content-type", "application/json"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
            *(("x-amz-date", "20260102T030405Z"), ("x-amz-security-token", token)),
            ("authorization", f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={GOLDEN[form]}"),
        ),
    )
    now = utc("20260102T030405Z")
    assert lua.verify(head, now) == "AKIDEXAMPLE"
    assert (lua.verify(head, now, strict_generic=True) == "AKIDEXAMPLE") == (form == "generic")


def test_sha256_and_hmac_are_those_of_python(lua: LuaVerifier) -> None:
    lua.lua.execute("""
        local sha256, ffi = require("latticewall.sha256"), require("ffi")
        local out = ffi.new("uint8_t[32]")
        function mac(key, text)
          sha256.hmac(out, sha256.new_key(key), text, #text)
          return sha256.hex(ffi.string(out, 32))
        end
        function hash(one, other)
          sha256.hash_two(out, one, #one, other, #other)
          return sha256.hex(ffi.string(out, 32)), sha256.hex(sha256.digest(one .. other))
        end
    """)
    drawn = random.Random(1)
    for length in (0, 1, 31, 32, 55, 56, 63, 64, 65, 119, 120, 200, 4096):
        key, text = drawn.randbytes(length), drawn.randbytes(length * 2)
        written = key.decode("latin-1"), text.decode("latin-1")
        assert lua.lua.globals().mac(*written) == hmac.digest(key, text, "sha256").hex()
        assert lua.lua.globals().hash(*written) == (hashlib.sha256(key + text).hexdigest(),) * 2


def test_a_revoked_key_and_a_new_token_take_effect_at_once(lua: LuaVerifier) -> None:
    """What was kept of earlier requests must not outlive the record it rests on."""
    head = sign(draft())
    assert [lua.verify(head, NOW) for _ in range(3)] == [SESSION.id] * 3
    lua.put(replace(SESSION, token_digest=hashlib.sha256(b"renewed").hexdigest()))
    assert lua.verify(head, NOW) == INVALID
    lua.put(replace(SESSION, secret="another"))
    refused = lua.verify(head, NOW)
    assert isinstance(refused, Refusal)
    assert refused.text.startswith(MISMATCH)
    lua.put(replace(SESSION, days=("20260101",)))
    assert lua.verify(head, NOW) == INVALID
    lua.put(SESSION)
    assert lua.verify(head, NOW) == SESSION.id
    lua.lua.execute("put_record('ASIASESSION000000001', {}, '', '', 0)")
    assert lua.verify(head, NOW) == INVALID


def test_a_known_beginning_does_not_vouch_for_its_end(lua: LuaVerifier) -> None:
    head = sign(draft())
    assert both(lua, head) == SESSION.id
    old = head.headers[-1][1]
    ends = [old[:-64] + end for end in ("", "0" * 64, old[-64:].upper(), old[-64:-1], old[-64:] + "0", old[-64:-2] + ",a", "," + old[-63:], " " + old[-63:])]
    for changed in ends:
        assert isinstance(both(lua, with_header(head, "authorization", changed)), Refusal), changed
    assert isinstance(both(lua, with_header(head, "x-amz-date", "20260102T000201Z")), Refusal)
    assert isinstance(both(lua, with_header(head, "x-amz-date", "20260101T235959Z")), Refusal)
    assert isinstance(lua.verify(head, NOW, "us-east-1"), Refusal)
    assert isinstance(lua.verify(head, NOW + timedelta(seconds=301)), Refusal)
    assert both(lua, head) == SESSION.id


def test_what_is_kept_is_of_signed_requests_only_and_bounded(lua: LuaVerifier) -> None:
    lua.lua.execute("""
        local function upvalue(f, name)
          for index = 1, 60 do
            local own, value = debug.getupvalue(f, index)
            if own == name then return value, index end
          end
        end
        local remember = upvalue(upvalue(require("latticewall.sigv4").verify, "authenticate"), "remember")
        jit.off(remember) -- compiled code takes a limit for a constant
        function kept()
          local count = 0
          for _ in pairs(upvalue(remember, "claims")) do count = count + 1 end
          return count
        end
        function limit(bytes)
          local _, index = upvalue(remember, "MOST_KEPT_BYTES")
          debug.setupvalue(remember, index, bytes)
        end
    """)
    head, kept = sign(draft()), lua.lua.globals().kept
    for number in range(300):
        forged = with_header(head, "authorization", head.headers[-1][1].replace(SESSION.id, f"AKIA{number:016d}"))
        assert lua.verify(forged, NOW) == INVALID
    assert kept() == 0
    for number in range(50):
        assert lua.verify(sign(draft(headers=((f"x-h{number}", "1"),))), NOW) == SESSION.id
    assert kept() == 50
    long = sign(draft(headers=tuple((f"x-header-{number:03d}", "1") for number in range(80))))
    assert lua.verify(long, NOW) == SESSION.id
    assert kept() == 50, "a beginning of more than a kilobyte is parsed each time"
    lua.lua.globals().limit(100_000)
    for number in range(50, 400):
        assert lua.verify(sign(draft(headers=((f"x-h{number}", "1"),))), NOW) == SESSION.id
        assert kept() < 60


HOSTILE = {
    "two Authorization headers": lambda head: replace(head, headers=(*head.headers, head.headers[-1])),
    "a second, of another kind": lambda head: replace(head, headers=(*head.headers, ("authorization", "Bearer x"))),
    "one of another kind and its own, made one by a proxy": lambda head: with_header(head, "authorization", "Bearer x,\t" + head.headers[-1][1]),
    "signed in header and query": lambda head: replace(head, target=head.target + "?X-Amz-Algorithm=AWS4-HMAC-SHA256"),
    "an encoded sign of a signature in the query": lambda head: replace(head, target=head.target + "?%58%2DAmz-Algorithm=AWS4-HMAC-SHA256"),
    "Bearer and presigned": lambda head: replace(with_header(head, "authorization", "Bearer x"), target="/?X-Amz-Algorithm=AWS4-HMAC-SHA256"),
    "an unknown algorithm": lambda head: with_header(head, "authorization", head.headers[-1][1].replace("SHA256", "SHA512", 1)),
    "more than a hundred names": lambda head: with_header(head, "authorization", head.headers[-1][1].replace("=host", "=" + "a;" * 100 + "host")),
    "an Authorization header of nine kilobytes": lambda head: with_header(head, "authorization", head.headers[-1][1].replace("=host", "=" + "a" * 9000)),
    "ten thousand parameters": lambda head: replace(head, target=head.target + "?" + "a=1&" * 10_000),
    "NUL in a signed value": lambda head: with_header(head, "x-amz-content-sha256", "UNSIGNED-PAYLOAD\0"),
    "NUL in the date": lambda head: with_header(head, "x-amz-date", head.first("x-amz-date") + "\0"),
    "a newline in the token": lambda head: with_header(head, "x-amz-security-token", TOKEN + "\nx: y"),
    "NUL in the path": lambda head: replace(head, target="/orders\0"),
    "a newline in the path": lambda head: replace(head, target="/orders\n"),
    "a newline in the method": lambda head: replace(head, method="GET\n/"),
    "no method": lambda head: replace(head, method=""),
    "no path": lambda head: replace(head, target=""),
    "no headers": lambda head: replace(head, headers=head.headers[-1:]),
    "the token of another key": lambda head: with_header(head, "x-amz-security-token", "another token"),
    "no token": lambda head: replace(head, headers=tuple(pair for pair in head.headers if pair[0] != "x-amz-security-token")),
    "two hosts": lambda head: replace(head, headers=(*head.headers, ("host", "elsewhere"))),
    "a slipped-in header": lambda head: replace(head, headers=(*head.headers, ("x-amz-target", "x"))),
    "bytes that are no UTF-8": lambda head: with_header(head, "authorization", head.headers[-1][1].replace("ASIA", "\xff\xfe")),
    "a signed pseudo header": lambda head: with_header(head, "authorization", head.headers[-1][1].replace("=host", "=:method;host")),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_requests_are_refused_alike(lua: LuaVerifier, what: str) -> None:
    head = sign(draft())
    for warm in (False, True):
        if warm:
            assert both(lua, head) == SESSION.id
        assert isinstance(both(lua, HOSTILE[what](head)), Refusal)


def test_signed_values_with_line_breaks_are_refused_even_when_the_signature_fits(lua: LuaVerifier) -> None:
    for value in ("a\0b", "a\r\nx-amz-meta: b", "a\nb", "a\rb"):
        assert both(lua, sign(draft(headers=(("x-other", value),)))) == Refusal(400, "")
    assert both(lua, sign(draft(headers=(("x-other", "a\x01b"),)))) == SESSION.id


def test_long_requests_and_many_parameters(lua: LuaVerifier) -> None:
    """Buffers grow; a thousand parameters in the worst order are sorted."""
    parameters = "&".join(f"p{number:04d}={number}" for number in range(1000, 0, -1))
    for query in (parameters, "a=" + "%41" * 30_000, "b&" * 999 + "a"):
        assert both(lua, sign(draft(query=query))) == SESSION.id
    assert both(lua, sign(draft(query=parameters + "&p1=1"))) == Refusal(403, "MalformedQueryStringException: The request has more than 1000 query parameters.")
    assert both(lua, sign(draft(headers=(("x-big", "v" * 200_000),)))) == SESSION.id
    assert both(lua, sign(draft(path="/" + "x" * 60_000))) == SESSION.id
    assert both(lua, sign(draft())) == SESSION.id


def test_a_signed_path_is_not_taken_for_another_that_encodes_to_it(lua: LuaVerifier) -> None:
    """`/a%20b` signed by a generic signer and `/a%2520b` signed by an S3-style one have one canonical form: strict_generic keeps them apart."""
    captured = draft(path="/a%2520b")
    captured.uri = s3_uri
    swapped = replace(sign(captured), target="/a%20b")
    assert both(lua, swapped) == SESSION.id
    assert both(lua, sign(captured), strict=True) != SESSION.id
