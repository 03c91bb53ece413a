"""Questions as the proxy asks them, with keys computed on demand, against the same requests asked in Python; and the corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import ACCOUNT, ANN, ANONYMOUS, SERVICE, STRANGER, WEB, policy
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_machine import Inquiry, Machine
from policy_strategies import expected

from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.lattice import Route
from latticewall.policy.request import Principal, ResourceOwner

MACHINE = Machine()
NETWORK = "arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-1"
ROUTE = Route(NETWORK, SERVICE, 80, "vpc-9", ACCOUNT)


def agrees(written: list[Policy], inquiry: Inquiry) -> tuple[int, int]:
    """The answer of Lua, which must be the definition's."""
    answer: tuple[int, int] = MACHINE.compile(written)(MACHINE.table(inquiry.question()))
    assert answer == expected(written, inquiry.request())
    return answer


CORPUS = sorted((Path(__file__).parents[1] / "policy" / "corpus").glob("*.json"))


def test_the_corpus_is_found() -> None:
    assert len(CORPUS) >= 10


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_corpus(file: Path) -> None:
    document = json.loads(file.read_text())
    sets = [[parse_policy(json.dumps(document[layer]["policy"]), Form.AUTH)] for layer in ("network", "service") if document[layer].get("policy")]
    sets.append([parse_policy(json.dumps(own), Form.IDENTITY) for own in document["identity"]])
    for case in document["cases"]:
        principal = ANONYMOUS if case["principal"] == "anonymous" else Principal(**{**case["principal"], "tags": case["principal"].get("tags", {})})
        route = Route(NETWORK, SERVICE, case.get("port", 80), case.get("source_vpc", "vpc-9"), ACCOUNT)
        headers = tuple((name.lower(), value) for name, value in case["headers"])
        for written in sets:
            agrees(written, Inquiry(principal, case["method"], case["target"], headers, route))


QUERY_PIECES = ["a", "b", "=", "&", "%41", "%", "%4", "+", "%C3%A9", "%c3%A9", "%ff", "?", "k", "k=", "k=a", "&k=b", "%6b=a", "=x"]
HEADERS = ["x-k", "x-é", "user-agent", "referer", "host"]
HEADER_VALUES = ["", "a", "b", "a,b", "é", "\udce9", "443", "10.1.0.10", "2026-01-02T03:04:05Z"]
inquiries = st.builds(
    Inquiry,
    st.sampled_from([WEB, ANN, STRANGER, ANONYMOUS]),
    st.sampled_from(["GET", "POST"]),
    st.builds(lambda path, query: f"/{path}?{query}" if query is not None else f"/{path}", st.sampled_from(["", "a", "a/b", "%41", "/x"]),
              st.none() | st.lists(st.sampled_from(QUERY_PIECES), max_size=8).map("".join)),
    st.lists(st.tuples(st.sampled_from(HEADERS), st.sampled_from(HEADER_VALUES)), max_size=5).map(tuple),
    st.sampled_from([ROUTE, Route(), Route(NETWORK, SERVICE, 443)]),
    st.sampled_from([ResourceOwner(), ResourceOwner(ACCOUNT, "o-exampleorg", ("o-exampleorg/r-1/",), {"stage": "a", "Team": "b"})]),
    source_ip=st.sampled_from(["10.1.0.10", "", "fd00::1"]),
)  # fmt: skip
KEYS = [
    *("vpc-lattice-svcs:RequestMethod", "vpc-lattice-svcs:RequestPath", "vpc-lattice-svcs:RequestHeader/X-K", "vpc-lattice-svcs:RequestHeader/host"),
    *("vpc-lattice-svcs:RequestQueryString/k", "vpc-lattice-svcs:RequestQueryString/é", "vpc-lattice-svcs:RequestQueryString/", "aws:UserAgent"),
    *("vpc-lattice-svcs:RequestQueryString/K", "vpc-lattice-svcs:RequestQueryString/a", "vpc-lattice-svcs:RequestHeader/:method", "aws:referer"),
    *("vpc-lattice-svcs:Port", "vpc-lattice-svcs:ServiceArn", "vpc-lattice-svcs:ServiceNetworkArn", "vpc-lattice-svcs:SourceVpc", "aws:SourceIp"),
    *("aws:CurrentTime", "aws:EpochTime", "aws:ResourceTag/stage", "aws:ResourceTag/TEAM", "aws:ResourceAccount", "aws:ResourceOrgPaths", "aws:TagKeys"),
    *("aws:PrincipalTag/team", "aws:PrincipalArn", "aws:PrincipalType", "aws:PrincipalOrgPaths", "aws:userid", "aws:username", "aws:SecureTransport"),
    *("aws:RequestedRegion", "aws:ViaAWSService", "vpc-lattice-svcs:RequestQueryString/\udcff", "vpc-lattice-svcs:RequestQueryString/\ud800", "other:key"),
]
WANTED = [*HEADER_VALUES[:5], "*", "?", "GET", "/a*", "A", "%41", "80", "b", "+", "us-west-2", "false", "blue", WEB.role_arn, "${aws:PrincipalTag/team}", "x"]
FAMILIES = {
    "StringEquals": WANTED,
    "StringNotEquals": WANTED,
    "StringLike": WANTED,
    "ForAnyValue:StringEquals": WANTED,
    "ForAnyValue:StringNotLike": WANTED,
    "ForAllValues:StringLike": WANTED,
    "StringEqualsIfExists": WANTED,
    "Null": ["true", "false"],
    "DateLessThanEquals": ["2026-01-02T03:04:05Z", "1767323044"],
    "NumericGreaterThan": ["80", "1767323044"],
    "IpAddress": ["10.0.0.0/8", "fd00::/8"],
    "Bool": ["false"],
}


@st.composite
def asking_policies(draw: st.DrawFn) -> Policy:
    written: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        block: dict[str, dict[str, list[str]]] = {}
        for _ in range(draw(st.integers(1, 2))):
            operator = draw(st.sampled_from([*FAMILIES]))
            values = draw(st.lists(st.sampled_from(FAMILIES[operator]), min_size=1, max_size=3))
            block.setdefault(operator, {})[draw(st.sampled_from(KEYS))] = values
        written.append({"Effect": draw(st.sampled_from(["Allow", "Deny"])), "Condition": block})
    resource = draw(st.sampled_from(["*", f"{SERVICE}/*", f"{SERVICE}/${{vpc-lattice-svcs:RequestHeader/x-k}}", "*${vpc-lattice-svcs:RequestQueryString/k}"]))
    return policy(*written, {"Resource": resource})


@settings(max_examples=700, deadline=None, derandomize=True)
@given(asking_policies(), st.lists(inquiries, min_size=1, max_size=4))
def test_keys_computed_on_demand_are_those_of_python(written: Policy, asked: list[Inquiry]) -> None:
    for inquiry in asked:
        agrees([written], inquiry)


def test_repeated_headers_are_one_value_and_repeated_parameters_several() -> None:
    header, parameter = "vpc-lattice-svcs:RequestHeader/x-k", "vpc-lattice-svcs:RequestQueryString/k"
    headers = (("x-k", "b"), ("other", "z"), ("x-k", "a"), ("x-k", ""))
    inquiry = Inquiry(ANONYMOUS, target="/?k=1&&K=9&k=2&=e&j=a=b&J&%6c=%2b+%c3%A9%&m=%C3%aF%c3%Bf", headers=headers, route=ROUTE)
    assert agrees([policy({"Condition": {"StringEquals": {header: "b,a,"}}})], inquiry) == (1, 0)
    assert agrees([policy({"Condition": {"StringEquals": {header: "b"}}})], inquiry) == (0, -1)
    assert agrees([policy({"Condition": {"ForAllValues:StringEquals": {parameter: ["1", "2"]}}})], inquiry) == (1, 0)
    assert agrees([policy({"Condition": {"ForAnyValue:StringEquals": {parameter: "2"}}})], inquiry) == (1, 0)
    assert agrees([policy({"Condition": {"StringEquals": {parameter: ["1", "2"]}}})], inquiry) == (0, -1)
    assert agrees([policy({"Effect": "Deny", "Condition": {"StringEquals": {parameter: "2"}}})], inquiry) == (2, 0)
    for name, value in (("K", "9"), ("", "e"), ("j", "a=b"), ("J", ""), ("l", "++é%"), ("m", "ïÿ")):
        assert agrees([policy({"Condition": {"StringEquals": {f"vpc-lattice-svcs:RequestQueryString/{name}": value}}})], inquiry) == (1, 0)


def test_the_authority_is_the_host() -> None:
    written = [policy({"Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/Host": "orders.example.com"}}})]
    question = Inquiry(ANONYMOUS).question()
    evaluator = MACHINE.compile(written)
    assert evaluator(MACHINE.table(question)) == (0, -1)
    question["head"]["authority"] = "orders.example.com"
    assert evaluator(MACHINE.table(question)) == (1, 0)


def test_a_connection_has_no_head() -> None:
    keys = ("RequestMethod", "RequestPath", "RequestHeader/x", "RequestHeader/host", "RequestQueryString/x")
    absent = {f"vpc-lattice-svcs:{key}": "true" for key in keys} | {"aws:UserAgent": "true", "aws:referer": "true"}
    written = [policy({"Action": "vpc-lattice-svcs:Connect", "Condition": {"Null": absent, "StringEquals": {"vpc-lattice-svcs:Port": "6379"}}})]
    question = {key: Inquiry(WEB).question()[key] for key in ("resource", "principal", "p", "now", "source_ip")}
    question |= {"action": "vpc-lattice-svcs:connect", "c": {"vpc-lattice-svcs:port": "6379"}}
    assert MACHINE.compile(written)(MACHINE.table(question)) == (1, 0)
