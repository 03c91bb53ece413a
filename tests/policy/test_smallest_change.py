"""The smallest change that would let a request pass a layer, in words."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ACCOUNT, ANONYMOUS, SERVICE, STRANGER, WEB, ask, policy
from drawing import policies, requests
from hypothesis import given, settings

from latticewall.policy import spec
from latticewall.policy.combine import PolicyType
from latticewall.policy.document import Form, Policy
from latticewall.policy.explain import smallest_change
from latticewall.policy.lattice import CONNECT, Layer
from latticewall.policy.request import Principal, Request

HERE = f"{SERVICE}/goodbye"
MET = "vpc-lattice-svcs:RequestMethod"


def condition(operator: str, key: str, values: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: values}}}


@pytest.mark.parametrize(
    ("statement", "principal", "sentence"),
    [
        (
            condition("StringEquals", "aws:PrincipalOrgID", "o-exampleorg"),
            ANONYMOUS,
            "p statement 0 would allow it if aws:PrincipalOrgID were o-exampleorg; sign the request: unsigned, it has no value",
        ),
        (
            condition("StringNotEquals", "aws:PrincipalType", "Anonymous"),
            ANONYMOUS,
            "p statement 0 would allow it if aws:PrincipalType were anything but Anonymous; sign the request: unsigned, it has 'Anonymous'",
        ),
        (
            condition("StringEquals", "aws:PrincipalTag/tier", "blue"),
            WEB,
            "p statement 0 would allow it if aws:PrincipalTag/tier were blue; the request has no value",
        ),
        (condition("StringEquals", MET, ["POST", "PUT"]), WEB, f"p statement 0 would allow it if {MET} were one of [POST, PUT]; the request has 'GET'"),
        (condition("StringNotLike", MET, "G*"), WEB, f"p statement 0 would allow it if {MET} matched anything but G*; the request has 'GET'"),
        (condition("NumericLessThan", "x:port", 80), WEB, "p statement 0 would allow it if x:port were less than 80; the request has '443'"),
        (condition("Null", MET, "true"), WEB, f"p statement 0 would allow it if {MET} were absent; the request has 'GET'"),
        (
            condition("ForAllValues:StringEquals", "x:many", ["a"]),
            WEB,
            "p statement 0 would allow it if every value of x:many were a; the request has [a, b]",
        ),
        (
            condition("IpAddress", "aws:SourceIp", ["10.0.0.0/8"]) | {"Sid": "Inside"},
            WEB,
            "p statement 0 (Inside) would allow it if aws:SourceIp were in 10.0.0.0/8; the request has '192.0.2.1'",
        ),
        ({"Resource": SERVICE}, WEB, f"add {HERE} to the Resource of p statement 0, which has [{SERVICE}]"),
        ({"NotResource": "*/goodbye"}, WEB, f"p statement 0 leaves {HERE} out: remove from its NotResource what matches it"),
        ({"Action": "vpc-lattice-svcs:Connect"}, WEB, "add vpc-lattice-svcs:Invoke to the Action of p statement 0, which has [vpc-lattice-svcs:Connect]"),
        ({"Principal": {"AWS": ACCOUNT}}, STRANGER, f"p statement 0 would allow it for another caller: add {STRANGER.role_arn} to its Principal"),
        (
            {"Principal": {"AWS": ACCOUNT}},
            ANONYMOUS,
            'p statement 0 would allow it for another caller: sign the request as one of those it names, or give it the Principal "*"',
        ),
    ],
)
def test_one_element_is_missing(statement: dict[str, Any], principal: Principal, sentence: str) -> None:
    context: dict[str, str | tuple[str, ...]] = {MET: "GET", "x:port": "443", "x:many": ("a", "b"), "aws:SourceIp": "192.0.2.1"}
    assert smallest_change([policy(statement)], ask(principal, context)) == (sentence,)


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        (SERVICE, 'p statement 0 would allow it for another caller: give it the Principal "*"'),
        (
            SERVICE.replace(":service/svc", ":resourceconfiguration/rcfg"),
            'p statement 0 would allow it for another caller: connect from an instance with a role that it names, or give it the Principal "*"',
        ),
    ],
)
def test_connections_cannot_be_signed(resource: str, sentence: str) -> None:
    request = ask(ANONYMOUS, action=CONNECT, resource=resource)
    assert smallest_change([policy({"Principal": {"AWS": ACCOUNT}, "Action": CONNECT, "Resource": "*"})], request) == (sentence,)
    in_organization = policy({"Action": CONNECT, "Resource": "*"} | condition("StringEquals", "aws:PrincipalOrgID", "o-exampleorg"))
    assert "sign" not in smallest_change([in_organization], request)[0]


@pytest.mark.parametrize(
    ("layer", "form", "sentence"),
    [
        (Layer.NETWORK, Form.AUTH, f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} for {WEB.role_arn} to the auth policy of the service network"),
        (Layer.SERVICE, Form.AUTH, f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} for {WEB.role_arn} to the auth policy of the service"),
        (Layer.IDENTITY, Form.IDENTITY, f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} to the identity policies of {WEB.role_arn}"),
        ("", Form.IDENTITY, f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} to the identity policies of {WEB.role_arn}"),
        (PolicyType.BOUNDARY, Form.IDENTITY, f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} to the permissions boundary"),
    ],
)
def test_no_statement_comes_close(layer: str, form: Form, sentence: str) -> None:
    far = policy({"Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}, form=form)
    assert smallest_change([far], ask(), layer) == (sentence,)
    if layer:
        assert smallest_change([], ask(), layer) == (sentence,)


def test_every_deny_has_to_go_and_an_allow_has_to_come() -> None:
    outside = condition("NotIpAddress", "aws:SourceIp", "10.0.0.0/8")
    written = policy({"Effect": "Deny", "Sid": "Outside", **outside}, {"Effect": "Deny"})
    assert smallest_change([written], ask(context={"aws:SourceIp": "192.0.2.1"}), Layer.SERVICE) == (
        (
            "remove p statement 0 (Outside), which denies the request, or see to it that one of its conditions no longer holds: "
            "NotIpAddress aws:SourceIp [10.0.0.0/8], the request has '192.0.2.1'"
        ),
        "remove p statement 1, which denies the request, or narrow what it denies",
        f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} for {WEB.role_arn} to the auth policy of the service",
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(policies(), requests())
def test_there_is_a_change_exactly_if_the_layer_does_not_allow(written: Policy, request: Request) -> None:
    assert bool(smallest_change([written], request)) is not spec.evaluate([written], request).allowed
