"""The parts of one Lua chunk while it is written: run-time functions it uses, sets of texts, functions of its own.

LuaJIT allows 60 upvalues and 200 locals per function, jumps of 32,767 instructions and 200 levels of nesting. So a function longer than `LONGEST` is
never written: long lists of tests become functions of `WIDEST` tests each, and sets of texts live in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from latticewall.policy.lua.literals import quote

ARGUMENTS = "q,a,r,P,p,c,x"
"""What every function of a chunk is given: question, action, resource, principal, the principal's keys, the route's keys, the value under test."""
TRUE, FALSE = "true", "false"
WIDEST = 48
"""Tests in one expression."""
LONGEST = 16_384
"""Characters of source text in one function."""
CHAIN = 6
"""So many texts are compared one by one; more are looked up in a set."""


class Chunk:
    """Collects; `text` puts everything together."""

    def __init__(self) -> None:
        self._used: dict[str, None] = {}
        self._sets: dict[str, int] = {}
        self._functions: list[str] = []

    def call(self, name: str, *arguments: str) -> str:
        """A call of a run-time function (`latticewall.policy`)."""
        self._used[name] = None
        return f"{name}({','.join(arguments)})"

    def function(self, body: str) -> str:
        """A function of the chunk, as a callable expression."""
        self._functions.append(body)
        return f"G[{len(self._functions)}]"

    def set_of(self, texts: Iterable[str]) -> str:
        """A set of quoted texts, as an expression that maps each to true."""
        written = "{" + ",".join(f"[{text}]=true" for text in sorted(set(texts))) + "}"
        return f"S[{self._sets.setdefault(written, len(self._sets) + 1)}]"

    def equals_any(self, subject: str, texts: Iterable[bytes | str], chain: int = CHAIN) -> list[str]:
        """Tests of which one holds if the subject is one of the texts. chain: up to how many are compared one by one."""
        quoted = list(dict.fromkeys(map(quote, texts)))
        if len(quoted) <= chain:
            return [f"{subject}=={text}" for text in quoted]
        return [f"{self.set_of(quoted)}[{subject}]"]

    def any_of(self, tests: Sequence[str]) -> str:
        """Whether one of the tests holds."""
        if TRUE in tests:
            return TRUE
        tests = [test for test in dict.fromkeys(tests) if test != FALSE]
        if not tests:
            return FALSE
        while len(tests) > WIDEST or sum(map(len, tests)) > LONGEST > max(map(len, tests)):
            tests = [f"{self.function('return ' + ' or '.join(batch))}({ARGUMENTS})" for batch in _batches(tests)]
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"

    def fitted(self, steps: Sequence[str], ending: str, call: Callable[[str], str]) -> list[str]:
        """Steps short enough for one function: while they are not, they become functions of steps, with this ending, and steps that call those."""
        while sum(map(len, steps)) > LONGEST and len(steps) > 1:
            steps = [call(f"{self.function(' '.join((*batch, ending)))}({ARGUMENTS})") for batch in _batches(steps)]
        return list(steps)

    def text(self, main: str) -> str:
        """The chunk: a function of the run-time library that returns the evaluator. main: the evaluator's body."""
        used = sorted(self._used)
        parts = ["return function(R)"]
        if used:
            parts.append(f"local {','.join(used)}={','.join(f'R.{name}' for name in used)}")
        if self._sets:
            parts.append(f"local S={{{','.join(self._sets)}}}")
        if self._functions:
            parts.append("local G={}")
        parts.extend(f"G[{index}]=function({ARGUMENTS}) {body} end" for index, body in enumerate(self._functions, 1))
        parts.append(f"return function(q) {main} end end")
        return "\n".join(parts)


def _batches(texts: Sequence[str]) -> list[list[str]]:
    """Groups of neighbours, each small enough for one function; at least two in each, as far as there are."""
    groups: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if len(groups[-1]) >= 2 and (len(groups[-1]) >= WIDEST or size + len(text) > LONGEST):
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text)
    return groups
