"""The proxy's Lua and the Python verifier give the same answer, word for word, to honest, wrong and damaged requests."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigv4_fuzz import run
from sigv4_machine import LuaVerifier, python_verdict
from sigv4_requests import BY_ID, KEYS, damaged, draw, moment_of, sign


@pytest.fixture(scope="module")
def lua() -> LuaVerifier:
    return LuaVerifier(list(KEYS))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(random=st.randoms(use_true_random=False))
def test_requests_drawn_by_hypothesis(lua: LuaVerifier, random: Random) -> None:
    head, now, strict = sign(draw(random)), moment_of(random), random.random() < 0.1
    assert lua.verify(head, now, strict_generic=strict) == python_verdict(BY_ID, head, now, strict=strict)
    for _ in range(5):
        changed = damaged(random, head)
        assert lua.verify(changed, now, strict_generic=strict) == python_verdict(BY_ID, changed, now, strict=strict)


def test_requests_drawn_by_seed() -> None:
    seen = run(8000, 20260102)
    assert seen["signed"] > 200
    assert {
        "signed",
        "anonymous",
        "400",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignatureException",
        "MalformedQueryStringException",
    } == set(seen)
