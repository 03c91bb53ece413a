"""Conditions of load balancers' rules as expressions: patterns mean what AWS says, and nothing else in them means anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.compile.render.balancer_conditions import SOURCE, glob, route_match
from latticewall.plan.load_balancers import Condition

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@given(TEXT)
def test_a_text_without_wildcards_means_itself_alone(text: str) -> None:
    plain = re.sub(r"[*?\\]", "", text)
    assert re.fullmatch(glob(plain), plain)
    assert not re.fullmatch(glob(plain), plain + "x")
    for at in range(len(plain)):
        assert not re.fullmatch(glob(plain), plain[:at] + "\x01" + plain[at + 1 :])


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/img/*", ["/img/", "/img/a/b"], ["/img", "/imga"]),
        ("/a?c", ["/abc", "/a*c"], ["/ac", "/abbc"]),
        (r"/\*", ["/*"], ["/a", "/"]),
        (r"a\?b", ["a?b"], ["acb"]),
        (r"a\\b", [r"a\b"], ["ab"]),
        (r"a\b", [r"a\b"], ["ab"]),
        ("(a|b)+[c].{2}^$", ["(a|b)+[c].{2}^$"], ["ac", "a"]),
    ],
)
def test_wildcards(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [bool(re.fullmatch(glob(pattern), text)) for text in (*yes, *no)] == [True] * len(yes) + [False] * len(no)


def test_all_conditions_of_a_rule_must_hold() -> None:
    query = Condition("query-string", pairs=(("v", "1*"), ("", "any")))
    header, source = Condition("http-header", ("*x*",), name="x-team"), Condition("source-ip", ("10.0.0.0/8",))
    match = route_match([Condition("path-pattern", ("/a", "/b*")), header, query, source])
    assert match["safe_regex"] == {"regex": "(/a|/b.*)"}
    headers = {item["name"]: item["string_match"]["safe_regex"]["regex"] for item in match["headers"]}
    assert set(headers) == {"x-team", ":path"}
    assert match["filter_state"] == [{"key": SOURCE, "address_match": {"ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}}]
    found = [bool(re.fullmatch(headers[":path"], path)) for path in ("/?v=12", "/?a=b&V=1&c=d", "/?w=any", "/?any&b", "/?v=2", "/v=1", "/?vv=1")]
    assert found == [True, True, True, True, False, False, False]
    assert route_match([]) == {"prefix": ""}
