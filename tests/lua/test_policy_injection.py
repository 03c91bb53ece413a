"""Whatever a policy says, its Lua text is printable ASCII, loads, and behaves as the definition does: nothing of a policy is ever code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import ACCOUNT, SERVICE, WEB
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy_machine import Machine
from policy_strategies import expected

from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.lua.literals import to_bytes
from latticewall.policy.request import Principal, Request, principal_context
from latticewall.policy.to_lua import compile_set, literal, quote

MACHINE = Machine()
SLY = [
    *('"', "'", "\\", "\\\\", "\n", "\r", "\r\n", "\0", "]]", "[[", "]=]", "--", "--[[", "end", "return false", "goto s0", "::s0::", "{leave}", "%s", "{0}"),
    *('") os.exit(1) --', "]] error() --[[", "\\065", "\\x41", "\\u{41}", "\\z", "${x:k}", "${*}", "${x:k, 'd'}", "$", "${", "}", "*", "?", "\1", "\2"),
    *("\3", ":"),
    *("é", "€", "😀", "\u202e", "\ufeff", "\ufffd", "\x7f", "\x80", "K", "İ", "a", "arn:", "arn:aws:a:b:c:d", "\t", " ", "true", "-0", "1e999"),
]
SLY_TEXTS = st.lists(st.sampled_from(SLY), max_size=5).map("".join) | st.text(max_size=12)
REQUEST_TEXTS = SLY_TEXTS | st.lists(st.sampled_from([*SLY, "\udcff", "\udc80"]), max_size=5).map("".join)
FREE_OPERATORS = [
    *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ArnLike", "ArnNotEquals", "ForAnyValue:StringLike", "ForAllValues:StringEquals"),
]


@st.composite
def sly_policies(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> Policy:
    keys = texts.map(lambda text: f"x:{text}") | texts.map(lambda text: f"vpc-lattice-svcs:RequestQueryString/{text}")
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(0, 3))):
        block.setdefault(draw(st.sampled_from(FREE_OPERATORS)), {})[draw(keys)] = draw(st.lists(texts, min_size=1, max_size=8))
    statement: dict[str, Any] = {
        "Sid": draw(texts),
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        draw(st.sampled_from(["Action", "NotAction"])): draw(st.sampled_from(["*", "vpc-lattice-svcs:*", 'vpc-lattice-svcs:") error() --'])),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(st.lists(texts, min_size=1, max_size=8)),
        "Principal": draw(st.sampled_from(["*", {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/apps/web", f'arn:aws:iam::{ACCOUNT}:role/") error() --']}])),
        "Condition": block,
    }
    document = {"Version": draw(st.sampled_from(["2012-10-17", "2008-10-17"])), "Id": draw(texts), "Statement": [statement]}
    return parse_policy(json.dumps(document), Form.RESOURCE, draw(texts))


def asked(policy: Policy, resource: str, values: list[str]) -> Request:
    """A request that has the policy's own keys, with values that may be the policy's own texts."""
    keys = [condition.key for condition in policy.statements[0].conditions]
    own = [text for condition in policy.statements[0].conditions for text in condition.values]
    context = {key: values[number % len(values)] if number % 2 else own[number % len(own)] for number, key in enumerate(keys)}
    sly = Principal(WEB.arn, ACCOUNT, "AssumedRole", role_arn=WEB.role_arn, userid=WEB.userid, tags={"team": values[0]})
    return Request("vpc-lattice-svcs:Invoke", resource, sly, {**principal_context(sly), "x:k": values[-1], **context})


@settings(max_examples=700, deadline=None, derandomize=True)
@given(sly_policies(SLY_TEXTS), REQUEST_TEXTS, st.lists(REQUEST_TEXTS, min_size=1, max_size=3))
def test_any_text_anywhere_is_only_text(policy: Policy, resource: str, values: list[str]) -> None:
    text = compile_set([policy])
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    evaluator = MACHINE.load(text)
    statement = policy.statements[0]
    for own in (resource, *(statement.resources or ()), *(statement.not_resources or ())):
        request = asked(policy, own, values)
        if all(to_bytes(given_text) is not None for given_text in (own, *request.context, *values)):
            assert MACHINE.ask(evaluator, request) == expected([policy], request)


BYTES = st.binary(max_size=40) | st.lists(st.sampled_from(SLY), max_size=6).map(lambda texts: "".join(texts).encode())


@settings(max_examples=500, deadline=None, derandomize=True)
@given(BYTES)
@example(bytes(range(256)))
def test_a_quoted_text_is_that_text(written: bytes) -> None:
    source = quote(written)
    assert source.isascii()
    assert source.isprintable()
    assert MACHINE.execute(f"return {source}") == written


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8")), st.recursive(SLY_TEXTS | st.booleans() | st.integers(-(2**53), 2**53),
       lambda own: st.lists(own, max_size=4) | st.dictionaries(SLY_TEXTS | st.integers(1, 9), own, max_size=4), max_leaves=12))  # fmt: skip
def test_a_literal_is_that_value(text: str, value: Any) -> None:
    def back(own: Any) -> Any:
        if isinstance(own, bytes):
            return own.decode()
        if isinstance(own, bool | int | float):
            return own
        return {back(key): back(item) for key, item in own.items()}

    def as_table(own: Any) -> Any:
        if isinstance(own, list):
            return {number: as_table(item) for number, item in enumerate(own, 1)}
        return {key: as_table(item) for key, item in own.items()} if isinstance(own, dict) else own

    assert back(MACHINE.execute(f"return {literal(text)}")) == text
    assert back(MACHINE.execute(f"return {literal(value)}")) == as_table(value)


@pytest.mark.parametrize("value", [1.5, object(), 2**53 + 1, {1.5: "a"}, [{"a": {1, 2}}]])
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        literal(value)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        quote("\ud800")


def test_absent_members_are_left_out() -> None:
    assert literal({"a": None, "b": "c"}) == '{["b"]="c"}'
    assert SERVICE in literal([SERVICE])
