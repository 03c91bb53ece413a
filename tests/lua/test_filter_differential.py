"""The whole filter as Envoy runs it and its differential check in Python: the same answer, headers and log for every request under every plan."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from asking import SERVICE
from filter_plans import POINTS, SECRETS, SIGNING, random_inquiry, random_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from lua_filter import LuaFilter
from policy_strategies import RESOURCES, VALUES, statements
from python_filter import decide
from sigv4_requests import Draft, damaged, draw, moment_of, sign

from latticewall.auth.canonical import Head, encode
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.policy.document import Form

SEEDS = st.integers(0, 2**32 - 1)
"""Of what Hypothesis would draw one-sidedly."""


@st.composite
def policy_texts(draw: st.DrawFn, form: Form) -> str:
    version = draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]))
    written: list[dict[str, Any]] = draw(st.lists(statements(form), min_size=1, max_size=3))
    return json.dumps({"Version": version, "Statement": written}, ensure_ascii=False)


@st.composite
def plans(draw: st.DrawFn) -> AuthorizationPlan:
    pools = {form: draw(st.lists(policy_texts(form), min_size=1, max_size=3)) for form in (Form.AUTH, Form.IDENTITY)}
    source = Random(draw(SEEDS))
    return random_plan(source, lambda form: source.choice(pools[form]))


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> LuaFilter:
    return LuaFilter(tmp_path_factory.mktemp("tables"))


def near_the_policies(source: Random, draft: Draft) -> None:
    """Give the request what policies ask about."""
    if source.random() < 0.7:
        path = source.choice(RESOURCES[:4]).removeprefix(SERVICE)
        draft.path = encode(path.encode().decode("latin-1"), keep="/")
    wire = [text.encode("utf-8", "surrogateescape").decode("latin-1") for text in source.choices(VALUES, k=3)]
    if source.random() < 0.5:
        draft.headers += [("x-k", wire[0])]
    if source.random() < 0.5:
        draft.query = "&".join(f"K={encode(text)}" for text in wire[1 : source.randint(2, 3)])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(plan=plans(), seed=SEEDS)
def test_every_answer_is_that_of_the_reference(lua: LuaFilter, plan: AuthorizationPlan, seed: int) -> None:
    source = Random(seed)
    lua.put(plan, SIGNING, SECRETS)
    for _ in range(8):
        draft = draw(source)
        near_the_policies(source, draft)
        head = sign(draft)
        for asked in (head, Head(head.method, head.target.partition("X-Amz")[0], head.headers[:1]), damaged(source, head)):
            inquiry, now = random_inquiry(source, asked), moment_of(source)
            lua.now = int(now.timestamp())
            assert lua.decide(inquiry) == decide(plan, SIGNING, inquiry, now, POINTS), inquiry
