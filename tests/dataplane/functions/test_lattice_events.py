"""Events and answers, without anything that runs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.dataplane.functions.lattice_events import BadAnswer, Request, event_v1, event_v2, members, response_of

OURS = (
    ("x-amzn-lattice-network", "SourceVpcArn=arn:aws:ec2:r:1:vpc/vpc-1"),
    ("x-amzn-lattice-target", "ServiceArn=arn:s; ServiceNetworkArn=arn:n; TargetGroupArn=arn:t"),
    ("x-amzn-lattice-identity", "Principal=arn:aws:sts::1:assumed-role/r/s; PrincipalOrgID=o-1; PrincipalOrgPaths=o-1/r-1/; SessionName=s; Type=AWS_IAM"),
)


def test_identity_comes_from_the_service_networks_headers() -> None:
    context = event_v2(Request("GET", "/", OURS, b""), "r", 1_700_000_000_000_001)["requestContext"]
    assert context == {
        "serviceNetworkArn": "arn:n", "serviceArn": "arn:s", "targetGroupArn": "arn:t", "region": "r", "timeEpoch": "1700000000000001",
        "identity": {
            "sourceVpcArn": "arn:aws:ec2:r:1:vpc/vpc-1", "type": "AWS_IAM", "principal": "arn:aws:sts::1:assumed-role/r/s", "principalOrgID": "o-1",
            "sessionName": "s",
        },
    }  # fmt: skip


def test_a_certificates_names_are_in_the_identity() -> None:
    identity = "Principal=p; Type=AWS_IAM; X509SubjectCN=web; X509IssuerOU=ou; X509SANURI=spiffe://x; X509SANDNS=a.b; X509SANNameCN=n"
    request = Request("GET", "/", (("x-amzn-lattice-identity", identity),), b"")
    found = event_v2(request, "r", 0)["requestContext"]["identity"]
    assert {name: value for name, value in found.items() if name.startswith("x509")} == {
        "x509SubjectCn": "web", "x509IssuerOu": "ou", "x509SanUri": "spiffe://x", "x509SanDns": "a.b", "x509SanNameCn": "n",
    }  # fmt: skip


def test_members_of_a_header_keep_what_looks_like_one() -> None:
    assert members("A=1=2; B=; C=x;y") == {"A": "1=2", "B": "", "C": "x;y"}


def test_a_header_of_several_values_is_one_text_or_a_list() -> None:
    """As in the guide's example."""
    request = Request("GET", "/", (("header1", "value1"), ("other", "x"), ("header1", "value2")), b"")
    assert event_v1(request)["headers"] == {"header1": "value1, value2", "other": "x"}
    assert event_v2(request, "r", 0)["headers"] == {"header1": ["value1", "value2"], "other": ["x"]}


def test_text_that_is_no_utf_8_is_base64() -> None:
    event = event_v1(Request("POST", "/", (("content-type", "text/plain"),), b"\xff"))
    assert (event["body"], event["is_base64_encoded"]) == ("/w==", True)


@given(st.binary(max_size=200), st.sampled_from(["text/plain", "application/json", "image/png", ""]))
def test_a_body_can_be_had_back(body: bytes, kind: str) -> None:
    event = event_v2(Request("POST", "/", (("content-type", kind),), body), "r", 0)
    assert (base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()) == body


@pytest.mark.parametrize(
    "answer",
    [
        "text", [], {}, {"statusCode": 99}, {"statusCode": 100}, {"statusCode": 600}, {"statusCode": "x"}, {"statusCode": True},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True}, {"statusCode": 200, "isBase64Encoded": "yes", "body": "x"},
        {"statusCode": 200, "headers": []}, {"statusCode": 200, "headers": {"a b": "c"}}, {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": {"a": {}}}, {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 1)},
    ],
    ids=lambda answer: json.dumps(answer)[:40],
)  # fmt: skip
def test_what_is_no_response(answer: Any) -> None:
    with pytest.raises(BadAnswer):
        response_of(json.dumps(answer).encode())


def test_a_response() -> None:
    answer = {"statusCode": "201", "headers": {"X-One": 1, "set-cookie": ["a", "b"], "Transfer-Encoding": "chunked", "content-length": "9"}, "body": "é"}
    found = response_of(json.dumps(answer).encode())
    assert (found.status, found.headers, found.body) == (201, (("x-one", "1"), ("set-cookie", "a"), ("set-cookie", "b")), "é".encode())


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_that_has_no_body_has_none_whatever_a_function_says(status: int) -> None:
    assert response_of(json.dumps({"statusCode": status, "body": "{}"}).encode()).body == b""


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_no_answer_is_worse_than_a_bad_one(value: Any) -> None:
    for answer in (value, {"statusCode": 200, "headers": value}, {"statusCode": value}, {"statusCode": 200, "body": value}):
        try:
            found = response_of(json.dumps(answer).encode())
        except BadAnswer:
            continue
        assert 200 <= found.status <= 599
        assert not any(letter in text for pair in found.headers for text in pair for letter in "\r\n\0")
