"""Explanations as they are printed, and what `explain` takes for a question."""

from __future__ import annotations

from typing import Any

import pytest

from latticewall.faces.cli.explanation import show
from latticewall.faces.cli.main import main
from latticewall.faces.cli.output import Output

GATE = {
    "name": "network-policy", "outcome": "fail", "detail": "no statement allows it", "decided_by": "nearest: x", "failed": ["a"], "change": ["b"], "parts": [],
}  # fmt: skip
PART = {**GATE, "name": "permissions boundary"}
WRITTEN = {"canonical_request": ["GET", "/"], "string_to_sign": ["AWS4-HMAC-SHA256", "x"], "key": "AKIA for 1"}
ANSWER: dict[str, Any] = {
    "summary": "denied at network-policy", "verdict": "denied", "notes": ["so it is"], "decision": {"text": "AccessDeniedException: ..."},
    "request": {"method": "GET", "host": "rates", "port": 8080, "target": "/x", "vpc": "vpc-1", "instance": "i-1"}, "caller": {"arn": "arn:web"},
    "gates": [GATE, {**GATE, "name": "identity-policy", "parts": [PART]}], "changes": [],
}  # fmt: skip
SIGNATURE: dict[str, Any] = {
    "mistakes": ["the method was signed as POST"], "notes": [], "expected": WRITTEN, "signed": {**WRITTEN, "canonical_request": ["POST", "/"]},
    "difference": {"part": "canonical request", "line": 1, "column": 1},
}  # fmt: skip


def shown(capsys: pytest.CaptureFixture[str], **changed: Any) -> str:
    show({**ANSWER, **changed}, Output(as_json=False))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        ({"scheme": "https", "port": 443}, "GET https://rates/x by"),
        ({"scheme": "https", "port": 80}, "GET https://rates:80/x by"),
        ({"scheme": "http", "port": 80, "host": "fd00::1"}, "GET http://[fd00::1]/x by"),
        ({"scheme": "tls", "port": 443}, "a tls connection to rates:443 by"),
        ({"scheme": "tcp", "port": 6379}, "a tcp connection to rates:6379 by"),
    ],
)
def test_what_was_asked(capsys: pytest.CaptureFixture[str], request_: dict[str, Any], line: str) -> None:
    assert shown(capsys, request={**ANSWER["request"], **request_}).splitlines()[1].startswith(line)


def test_gates_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    assert lines[0] == "denied at network-policy"
    assert lines[1] == "GET http://rates:8080/x by arn:web from i-1 in vpc-1"
    assert lines[2:4] == ["DENY network-policy: no statement allows it (nearest: x)", "       not: a"]
    assert lines[4:6] == ["DENY identity-policy: no statement allows it (nearest: x)", "     DENY permissions boundary: no statement allows it (nearest: x)"]
    assert lines[6:] == ["            not: a", "the answer: AccessDeniedException: ...", "note: so it is"]


def test_all_changes_are_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [{"gate": "network-policy", "change": "b"}, {"gate": "identity-policy", "change": "c"}]
    assert "to let it pass, all of these:\n  1. b [network-policy]\n  2. c [identity-policy]\n" in shown(capsys, changes=changes)
    assert "to let it pass: b\n" in shown(capsys, changes=changes[:1])
    assert "with audit mode off, it would need: b\n" in shown(capsys, changes=changes[:1], verdict="allowed")


def test_two_canonical_requests_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, signature=SIGNATURE)
    marked = next(line for line in text.splitlines() if line.lstrip().startswith(">>"))
    assert marked.split() == [">>", "1", "GET", "POST"]
    assert "first difference: line 1 of the canonical request, from column 1 on" in text
    assert "string to sign" not in text, "it differs because the request does"


def test_another_key_has_the_same_texts(capsys: pytest.CaptureFixture[str]) -> None:
    other = {**SIGNATURE, "signed": {**WRITTEN, "key": "AKIB for 2"}, "difference": {"part": "key", "line": 0, "column": 0}}
    assert "signing key: expected that of AKIA for 1, signed with that of AKIB for 2" in shown(capsys, signature=other)


def test_a_signature_that_nothing_explains(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, signature={**SIGNATURE, "mistakes": [], "signed": None, "difference": None, "notes": ["none of the usual mistakes"]})
    assert "signature: none of the usual mistakes" in text
    assert "as computed here" in text
    assert "must have signed" not in text
    right = shown(capsys, signature={**SIGNATURE, "mistakes": [], "signed": WRITTEN, "difference": None})
    assert "it is right, for what was signed" in right
    assert "as computed here" not in right, "there is nothing to compare"
    assert "as computed here" not in shown(capsys, signature={**SIGNATURE, "mistakes": [], "expected": None, "signed": None, "difference": None})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["http://rates/"], "say who asks with --as ROLE"),
        (["id-1", "--as", "web"], "go with a URL"),
        (["id-1", "--anonymous"], "go with a URL"),
        (["id-1", "--header", "x: y"], "go with a URL"),
    ],
)
def test_questions_that_are_refused_at_once(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["explain", *words]) == 2
    assert message in capsys.readouterr().err
