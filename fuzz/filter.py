"""Hostile requests without end against the very text that Envoy runs, in LuaJIT, with tables as the control plane writes them.

Of every request: no Lua error; nothing passes that the reference does not let pass; whoever passes as a signer has signed just that; what was changed after
it was signed is refused; no request costs more than a bounded time. Of one in fifty: the whole answer is that of the reference.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from filter_plans import POINTS, SECRETS, SIGNING, random_inquiry, random_plan
from lua_filter import IDENTITY, LuaFilter
from policy_fuzz import questions, random_statements, to_lua_bytes
from policy_machine import Inquiry as Question
from python_filter import Answer, Inquiry, decide
from sigv4_requests import NOW, Draft, damaged, draw, moment_of, sign

from fuzz.hostile import Notary, forged, giant
from latticewall.auth.canonical import Head, has_bad_escape, has_dot_segment
from latticewall.base.faults import Fault
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.policy.document import Form, Policy, parse_policy

PER_WORLD = 4000
"""Requests under the same tables."""
_BATCH = 25
_COMPARED = 50
"""One answer in so many is compared as a whole."""
MOST_SECONDS = 0.5
"""Processor time for the largest request on a busy machine; the mean is some ten microseconds."""
_KINDS = ("networks", "services", "identities", "keys")
_BROKEN = (
    "",
    "--x",
    "--x\nreturn",
    "--x\nerror('no')",
    "--x\nreturn 1",
    "--x\nreturn {}",
    "\x1bLJ\x02",
    "--x\n\x1bLJ\x02",
    "--x\nreturn nil",
    "--x\n(((((",
    "x" * 5000,
)


@dataclass
class Tally:
    """What a run has seen. answers: by kind. slowest: processor seconds of one request."""

    requests: int = 0
    compared: int = 0
    forgeries: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    findings: list[tuple[int, str]] = field(default_factory=list)
    """Number of the world, and what is wrong in it."""


def policy_text(source: Random, form: Form) -> str:
    return json.dumps({"Version": source.choice(["2012-10-17", "2012-10-17", "2008-10-17"]), "Statement": random_statements(source, form)})


def policies_of(plan: AuthorizationPlan) -> list[Policy]:
    """Those that can be read."""
    texts = [(layer.policy, Form.AUTH) for layer in (*plan.networks, *plan.services)]
    texts += [(text, Form.IDENTITY) for identity in plan.identities for text in identity.policies]
    found = []
    for text, form in texts:
        try:
            found.append(parse_policy(text, form))
        except Fault:
            continue
    return found


def kind_of(answer: Answer) -> str:
    if answer.status == 0:
        return "passed, signed" if answer.headers else "passed, not refused (audit)" if answer.facts else "passed"
    return str(answer.facts.get("authDeniedReason") or answer.body.partition(":")[0] or answer.status)


def _wire(text: str) -> str:
    """One character per byte."""
    return to_lua_bytes(text).decode("latin-1")


def draft_of(source: Random, asked: Question) -> Draft:
    """A request to be signed that says what the policies ask about."""
    draft = draw(source)
    if source.random() < 0.7:
        path, _, draft.query = _wire(asked.target).partition("?")
        if not has_bad_escape(path) and not has_dot_segment(path):
            draft.path = path
        if asked.method.isalpha() and asked.method.isascii():
            draft.method = asked.method
        added = [(_wire(name).lower(), _wire(value)) for name, value in asked.headers]
        draft.headers += added
        draft.signed += [name for name, _ in added if source.random() < 0.5]
    return draft


class World:
    """One set of tables and the requests to it. The same seed and number make the same world."""

    def __init__(self, lua: LuaFilter, seed: int, number: int, tally: Tally) -> None:
        self.lua, self.tally = lua, tally
        self.number = number
        self.source = Random(f"{seed}/{number}")
        self.plan = random_plan(self.source, lambda form: policy_text(self.source, form))
        self.notary = Notary()
        lua.put(self.plan, SIGNING, SECRETS)

    def run(self, count: int) -> None:
        asked = questions(policies_of(self.plan), self.source)
        made = 0
        while made < count:
            size = min(_BATCH, count - made)
            how = self.source.random()
            if how < 0.04:
                self._with_broken_tables(next(asked), size)
            elif how < 0.05:
                self._with_stale_tables(next(asked), size)
            else:
                self._batch(next(asked), size)
            made += size

    def _heads(self, asked: Question, count: int) -> Iterator[tuple[Head, bool]]:
        """So many requests, and of each whether it is a forgery: one that is signed, then what can be made of it."""
        source = self.source
        draft = draft_of(source, asked)
        head = sign(draft)
        self.notary.record(draft)
        yield head, False
        for _ in range(count - 1):
            how = source.random()
            if how < 0.4:
                yield forged(source, draft, head), True
            elif how < 0.8:
                yield damaged(source, head), False
            elif how < 0.995:
                yield Head(draft.method, f"{draft.path}?{draft.query}" if draft.query else draft.path, ((draft.host, draft.authority), *draft.headers)), False
            else:
                yield giant(source, head), False

    def _batch(self, asked: Question, count: int) -> None:
        for head, is_forged in self._heads(asked, count):
            inquiry, now = random_inquiry(self.source, head), moment_of(self.source)
            self.lua.now = int(now.timestamp())
            answer = self._ask(inquiry)
            if answer is None:
                continue
            self.tally.forgeries += is_forged
            if is_forged and not self._is_refused(answer, inquiry):
                self._found("a forged request is not refused", inquiry, answer)
            self._check_signer(inquiry, answer)
            if answer.status == 0 or self.tally.requests % _COMPARED == 0:
                self.tally.compared += 1
                wanted = decide(self.plan, SIGNING, inquiry, now, POINTS)
                if answer != wanted:
                    self._found(f"the reference, at {now}, answers {wanted}", inquiry, answer)

    def _ask(self, inquiry: Inquiry) -> Answer | None:
        """The answer; None when there is none, which is a finding."""
        started = time.thread_time()
        try:
            answer = self.lua.decide(inquiry)
        except Exception as error:  # noqa: BLE001 - whatever Lua or the glue raises is what is looked for
            self._found(f"{type(error).__name__}: {error}", inquiry, None)
            return None
        spent = time.thread_time() - started
        self.tally.requests += 1
        self.tally.answers[kind_of(answer)] += 1
        self.tally.slowest = max(self.tally.slowest, spent)
        if spent > MOST_SECONDS:
            self._found(f"took {spent:.3f} s", inquiry, answer)
        return answer

    def _is_refused(self, answer: Answer, inquiry: Inquiry) -> bool:
        """Refused for its signature, or would be; or it came in where nobody asks."""
        if self._is_open(inquiry):
            return True
        return answer.facts == {"resolvedUser": "Unknown"} and not answer.headers

    def _is_open(self, inquiry: Inquiry) -> bool:
        layers = [layer for layer in (*self.plan.networks, *self.plan.services) if layer.arn in (inquiry.network_arn, inquiry.service_arn)]
        return len(layers) == 2 and all(layer.auth_type == "NONE" for layer in layers)

    def _check_signer(self, inquiry: Inquiry, answer: Answer) -> None:
        signed = any(name == IDENTITY for name, _ in answer.headers) or "callerPrincipal" in answer.facts
        if not signed:
            return
        try:
            known = self.notary.knows(inquiry.head)
        except Fault as fault:
            self._found(f"passes as signed: {fault}", inquiry, answer)
            return
        if not known:
            self._found("passes as signed, and nobody signed it", inquiry, answer)

    def _found(self, what: str, inquiry: Inquiry, answer: Answer | None) -> None:
        self.tally.findings.append((self.number, f"request {self.tally.requests}: {what}; answered {answer}; {inquiry}"))

    def _with_stale_tables(self, asked: Question, count: int) -> None:
        """Tables past their life close everything."""
        self.lua.tables.extend(int(NOW.timestamp()) - 10)
        for head, _ in self._heads(asked, count):
            inquiry = random_inquiry(self.source, head)
            self.lua.now = int(NOW.timestamp())
            answer = self._ask(inquiry)
            if answer is not None and (answer.status, answer.headers) != (403, ()):
                self._found("passes with tables past their life", inquiry, answer)
        self.lua.tables.extend(2**32 - 1)

    def _with_broken_tables(self, asked: Question, count: int) -> None:
        """What is broken is absent."""
        kind = self.source.choice(_KINDS)
        layer = self.source.choice(getattr(self.plan, kind))
        name = layer.access_key_id if kind == "keys" else layer.id
        whole = self.plan
        with self._broken(self.lua.folder / kind / name):
            self.plan = replace(whole, **{kind: tuple(item for item in getattr(whole, kind) if item is not layer)})
            self._batch(asked, count)
        self.plan = whole

    @contextmanager
    def _broken(self, file: Path) -> Iterator[None]:
        content = file.read_bytes()
        torn = b"--torn\n" + content.partition(b"\n")[2][: self.source.randrange(len(content) - 40)]
        broken = self.source.choice([None, torn, torn, *(text.encode("latin-1") for text in _BROKEN)])
        file.unlink()
        if broken is not None:
            file.write_bytes(broken)
        self.lua.tables.announce()
        try:
            yield
        finally:
            file.write_bytes(content)
            self.lua.tables.announce()


MOST_FINDINGS = 10


def run(requests: int, seed: int, first: int = 0) -> Tally:
    """So many requests, from that world on; ends early when there is enough to look at."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="lw-fuzz-") as folder:
        lua = LuaFilter(Path(folder))
        number = first
        while tally.requests < requests and len(tally.findings) < MOST_FINDINGS:
            World(lua, seed, number, tally).run(min(PER_WORLD, requests - tally.requests))
            number += 1
    return tally
