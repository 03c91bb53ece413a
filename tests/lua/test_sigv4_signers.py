"""What botocore, awscrt, curl and the JavaScript SDK sign is verified by the proxy's Lua, and by Python alike."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from real_signers import AKID, METHODS, SECRET, SIGNERS, TARGETS, TOKEN, curl, wrongly_signed
from sigv4_machine import KeyFacts, LuaVerifier, Verdict, python_verdict

from latticewall.auth.canonical import Head
from latticewall.auth.lattice import Refusal


def key() -> KeyFacts:
    """The client's key, for today and the days around."""
    now = datetime.now(UTC)
    days = tuple((now + timedelta(days=days)).strftime("%Y%m%d") for days in (-1, 0, 1))
    return KeyFacts(AKID, SECRET, hashlib.sha256(TOKEN.encode()).hexdigest(), now + timedelta(hours=1), days)


@pytest.fixture(scope="module")
def lua() -> LuaVerifier:
    return LuaVerifier([key()])


def verdict(lua: LuaVerifier, head: Head) -> Verdict:
    now = datetime.now(UTC).replace(microsecond=0)
    answer = lua.verify(head, now)
    assert answer == python_verdict({AKID: key()}, head, now)
    return answer


REQUESTS = [(method, target) for method in METHODS for target in TARGETS]


@pytest.mark.parametrize("signer", SIGNERS)
def test_what_a_real_client_signs_is_verified(lua: LuaVerifier, signer: str) -> None:
    heads = SIGNERS[signer](REQUESTS)
    assert {head.target: verdict(lua, head) for head in heads} == {head.target: AKID for head in heads}
    for head in heads:
        other = "DELETE" if head.method == "GET" else "GET"
        assert isinstance(verdict(lua, replace(head, method=other)), Refusal)
        assert isinstance(verdict(lua, replace(head, target="/other" + head.target)), Refusal)


def test_curl_with_a_raw_path(lua: LuaVerifier) -> None:
    """Some versions of curl escape it (in lower case), others send the bytes."""
    head = curl("GET", "/caf\u00e9/x")
    assert head.target in ("/caf%c3%a9/x", "/caf\u00c3\u00a9/x")
    assert verdict(lua, head) == AKID


REFUSALS = {
    "a payload hash": "IncompleteSignatureException: Missing the 'x-amz-content-sha256' in canonical headers.",
    "a payload hash, as awscurl signs and sends": "InvalidSignatureException: Signed payloads are not supported",
    "another region": "InvalidSignatureException: Credential should be scoped to a valid region, not 'us-east-1'.",
    "another service": "InvalidSignatureException: Credential should be scoped to correct service: 'vpc-lattice-svcs'.",
    "other regions": "InvalidSignatureException: Credential should be scoped to a valid region, not 'eu-*'.",
}


def test_what_is_signed_for_something_else_is_refused_in_the_documented_words(lua: LuaVerifier) -> None:
    refusals = {wrong: verdict(lua, head) for wrong, head in wrongly_signed()}
    refusals["a payload hash, as awscurl signs and sends"] = verdict(lua, awscurl())
    assert refusals == {wrong: Refusal(403, text) for wrong, text in REFUSALS.items()}


def awscurl() -> Head:
    """A request signed as awscurl does it: the body's own hash, sent and signed."""
    return curl("GET", "/goodbye", hashlib.sha256(b"").hexdigest())
