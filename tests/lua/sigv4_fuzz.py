"""A great many requests against the proxy's signature verifier: it must never raise, and say of each what the Python verifier says.

    python tests/lua/sigv4_fuzz.py [REQUESTS] [SEED]

A million take some four minutes on one core.
"""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

from sigv4_machine import LuaVerifier, Verdict, python_verdict
from sigv4_requests import BY_ID, KEYS, moment_of, requests

from latticewall.auth.lattice import Refusal


def run(count: int, seed: int) -> Counter[str]:
    """How often each kind of answer was given to so many requests. Raises AssertionError with the first request that is answered differently."""
    lua, random, seen = LuaVerifier(list(KEYS)), Random(seed), Counter[str]()
    for number, head in enumerate(requests(random, count)):
        now, strict = moment_of(random), random.random() < 0.1
        answer, wanted = lua.verify(head, now, strict_generic=strict), python_verdict(BY_ID, head, now, strict=strict)
        assert answer == wanted, f"request {number} of seed {seed}: {head} got {answer}, expected {wanted}"
        seen[kind_of(answer)] += 1
    return seen


def kind_of(answer: Verdict) -> str:
    """The name of the refusal, `signed` or `anonymous`."""
    if isinstance(answer, Refusal):
        return answer.text.partition(":")[0] or str(answer.status)
    return "signed" if answer else "anonymous"


if __name__ == "__main__":
    for kind, times in run(int((sys.argv[1:] or ["1000000"])[0]), int((sys.argv[2:] or ["1"])[0])).most_common():
        print(f"{times:9} {kind}")
