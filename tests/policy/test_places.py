"""Refusals point at the fault: line and column, the path of the element, the wrong quotation mark; and enormous text costs next to nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.policy.document import Form, Malformed, minify, parse_policy
from latticewall.policy.source import Places, line_and_column, spell

HEAD = '{"Version": "2012-10-17",\n "Statement": [\n  {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"},\n  '
"""A first statement without fault; the second begins in line 4, column 3."""


def refused(text: str, form: Form = Form.AUTH) -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse_policy(text, form)
    return caught.value


def test_the_printed_policy_of_the_article() -> None:
    """Copied from a page, a policy carries typographic quotation marks."""
    text = (
        "{\n “Version”: “2012-10-17”,\n “Statement”: [{\n  “Effect”: “Allow”, “Principal”: “*”, “Action”: “*”, “Resource”: “*”,\n"
        "  “Condition”: {“StringEquals”: {“aws:PrincipalOrgID”: “o-123456example”}}\n }]\n}"
    )
    fault = refused(text)
    assert (fault.line, fault.column) == (2, 2)
    assert fault.message == (
        "Syntax errors in policy. (line 2 column 2: the character “ (U+201C LEFT DOUBLE QUOTATION MARK) is no quotation mark of JSON: "
        'plain double quotes " are needed)'
    )
    assert fault.members == {"reason": "cannotParse"}
    assert parse_policy(text.replace("“", '"').replace("”", '"'), Form.AUTH).statements[0].actions == ("*",)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"Version”: "2012-10-17"}', 1, 10, "U+201D RIGHT DOUBLE QUOTATION MARK"),
        ('{"Version": "2012-10-17”}', 1, 24, "U+201D"),
        ('{"Version": "2012-10-17",\n "Statement": „x“}', 2, 15, "U+201E DOUBLE LOW-9 QUOTATION MARK"),
        ('{"Version": «2012-10-17»}', 1, 13, "U+00AB"),
        ("{'Version': '2012-10-17'}", 1, 2, "U+0027 APOSTROPHE"),
        ('{"Id": "“quoted”", "Statement" []}', 1, 32, "Expecting ':' delimiter"),
        ('{\u00a0"Version": 1}', 1, 2, "(U+00A0 NO-BREAK SPACE) cannot stand here"),
        ('\ufeff{"Version": 1}', 1, 1, "(U+FEFF ZERO WIDTH NO-BREAK SPACE) cannot stand here"),
        ('{"Version": "2012-10-17",\n}', 2, 1, "Expecting property name enclosed in double quotes"),
        ('{"Version": "2012-10-17"\n "Statement": []}', 2, 2, "Expecting ',' delimiter"),
        ('{"a": 1} {"b": 2}', 1, 10, "Extra data"),
        ('{"a": [1,\n NaN]}', 2, 2, "NaN is not JSON"),
        ('{"Statement": {"Sid": "a", "Effect": "Deny",\n "S\\u0069d": "b"}}', 2, 2, "duplicate element Sid"),
        ('{"a": {"b": 1}, "c": [{"b": 2}, {"d": 1, "d": 2}]}', 1, 42, "duplicate element d"),
        ("[" * 2000, 1, 65, "nested too deeply"),
    ],
)
def test_syntax_errors(text: str, line: int, column: int, words: str) -> None:
    fault = refused(text)
    assert (fault.line, fault.column) == (line, column)
    assert f"line {line} column {column}: " in fault.message
    assert words in fault.message


@pytest.mark.parametrize(
    ("second", "path", "at"),
    [
        ('{"Effect": "Grant"}', "Statement[1].Effect", '"Grant"'),
        ('{"Effect": "Allow", "Acton": "*"}', "Statement[1].Acton", '"Acton"'),
        ('{"Effect": "Allow", "Action": ["a:b", 7]}', "Statement[1].Action[1]", "7]"),
        ('{"Effect": "Allow", "Action": "a:b", "Resource": {}}', "Statement[1].Resource[0]", "{}"),
        ('{"Effect": "Allow", "Action": ["a:b", "Get"], "Resource": "*", "Principal": "*"}', "Statement[1].Action[1]", '"Get"'),
        ('{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": {"AWS": ["*", "bob"]}}', "Statement[1].Principal.AWS[1]", '"bob"'),
        ('{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": {"Aws": "*"}}', "Statement[1].Principal.Aws", '"Aws"'),
        ('{"Effect": "Allow", "Action": "a:b", "Resource": "*"}', "Statement[1]", "{"),
        ('{"Effect": "Allow", "Resource": "*", "Principal": "*"}', "Statement[1]", "{"),
        ('{"Effect": "Allow", "Condition": {"StringEqual": {"a:b": "c"}}}', "Statement[1].Condition.StringEqual", '"StringEqual"'),
        ('{"Effect": "Allow", "Condition": {"Bool": {"ab": "true"}}}', "Statement[1].Condition.Bool.ab", '"ab"'),
        (
            '{"Effect": "Allow", "Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "ten"]}}}',
            "Statement[1].Condition.IpAddress.aws:SourceIp[1]",
            '"ten"',
        ),
        ('{"Effect": "Allow", "NotPrincipal": "*"}', "Statement[1].NotPrincipal", '"NotPrincipal"'),
    ],
)
def test_wrong_elements(second: str, path: str, at: str) -> None:
    fault = refused(HEAD + second + "]}")
    assert fault.path == path
    assert (fault.line, fault.column) == (4, 3 + second.index(at))
    assert f"line 4 column {fault.column}" in fault.message
    assert fault.members == {"reason": "fieldValidationFailed"}


def test_a_single_statement_has_a_place_too() -> None:
    fault = refused('{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "b", "Resource": "*", "Principal": "*"}}')
    assert (fault.path, fault.column) == ("Statement[0].Action[0]", 69)


ENORMOUS = [
    "[" * 1_000_000,
    '{"a":' * 20_000,
    '[{"a":' * 20_000,
    '"' + '\\"' * 60_000,
    '"\\"' * 40_000,
    "[0," * 40_000,
    '{"Statement":[' + ",".join(['{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}'] * 100_000) + "]}",
    '{"Statement":[' + ",".join(f'{{"Sid":"s{n}","Effect":"Deny","Action":"*","Resource":"*"}}' for n in range(2000)) + ",1]}",
    '{"Statement":{' + ",".join(f'"a{n}":1' for n in range(10_000)) + "}}",
    '{"Statement":{' + ",".join(f'"a{n % 9999}":1' for n in range(10_000)) + "}}",
    '{"Statement":{"Effect":"Allow","Action":[' + '"a:b",' * 20_000 + "1]}}",
    " " * 2_000_000,
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ENORMOUS, ids=range(len(ENORMOUS)))
@pytest.mark.parametrize("form", [Form.AUTH, Form.MANAGED])
def test_enormous_text_is_refused_in_bounded_time(text: str, form: Form) -> None:
    assert refused(text, form).line == 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ['"\\"' * 40_000, '"' + "\\" * 120_001, '"a' * 60_000])
def test_minify_time_is_linear(text: str) -> None:
    assert len(minify(text)) == len(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VALUES, st.sampled_from([None, 1, 2]), st.booleans())
def test_every_value_is_found_where_it_stands(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    places = Places(text)
    ahead: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while ahead:
        path, own = ahead.pop()
        offset = places.offset(path)
        assert json.JSONDecoder().raw_decode(text, offset)[0] == own
        assert line_and_column(text, offset)[0] == text[:offset].count("\n") + 1
        if isinstance(own, dict):
            ahead += [((*path, key), inner) for key, inner in own.items()]
            assert all(json.JSONDecoder().raw_decode(text, places.offset((*path, key), at_name=True))[0] == key for key in own)
        elif isinstance(own, list):
            ahead += [((*path, index), inner) for index, inner in enumerate(own)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text('{}[]",:\\ \n"a1“', max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    fault = refused(text)
    assert 1 <= fault.line <= text.count("\n") + 1
    assert fault.column >= 1


def test_paths_are_spelled_as_people_write_them() -> None:
    assert spell(("Statement", 0, "Condition", "StringEquals", "aws:username", 1)) == "Statement[0].Condition.StringEquals.aws:username[1]"
