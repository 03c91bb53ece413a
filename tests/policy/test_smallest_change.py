"""The smallest change that would let a request pass a layer, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import ACCOUNT, ANONYMOUS, SERVICE, STRANGER, WEB, ask, policy
from drawing import policies, requests, statements
from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.policy.changes import RequestEdit, Side, asking, changed, needed_changes
from latticewall.policy.combine import PolicyType
from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.lattice import CONNECT, INVOKE, Layer
from latticewall.policy.request import Principal, Request
from latticewall.policy.written import StatementEdit, statement_document

HERE = f"{SERVICE}/goodbye"
MET = "vpc-lattice-svcs:RequestMethod"


def sentences(written: list[Policy], request: Request, layer: str = Layer.SERVICE) -> tuple[str, ...]:
    """What one layer alone would have to change."""
    (found,) = needed_changes([Side(layer, tuple(written))], request)
    return tuple(change.sentence for change in found)


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
        (
            condition("StringEquals", MET, ["POST", "PUT"]),
            WEB,
            f"p statement 0 would allow it if {MET} were one of [POST, PUT]; the request has 'GET': add that to its values",
        ),
        (
            condition("StringNotLike", MET, ["G*", "P*"]),
            WEB,
            (
                f"p statement 0 would allow it if {MET} matched anything but one of [G*, P*]; the request has 'GET': "
                "remove from the values of StringNotLike what matches it"
            ),
        ),
        (condition("NumericLessThan", "x:port", 80), WEB, "p statement 0 would allow it if x:port were less than 80; the request has '443'"),
        (condition("Null", "x:port", "true"), WEB, "p statement 0 would allow it if x:port were absent; the request has '443'"),
        (
            condition("ForAllValues:StringEquals", "x:many", ["a"]),
            WEB,
            "p statement 0 would allow it if every value of x:many were a; the request has [a, b]",
        ),
        (
            condition("IpAddress", "aws:SourceIp", ["10.0.0.0/8"]) | {"Sid": "Inside"},
            WEB,
            "p statement 0 (Inside) would allow it if aws:SourceIp were in 10.0.0.0/8; the request has '192.0.2.1': add that to its values",
        ),
        ({"Resource": SERVICE}, WEB, f"add {HERE} to the Resource of p statement 0, which has [{SERVICE}]"),
        ({"NotResource": ["*/goodbye", "*/secret"]}, WEB, f"p statement 0 leaves {HERE} out: remove from its NotResource what matches it"),
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
    assert sentences([policy(statement)], ask(principal, context)) == (sentence,)


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
    assert sentences([policy({"Principal": {"AWS": ACCOUNT}, "Action": CONNECT, "Resource": "*"})], request) == (sentence,)
    in_organization = policy({"Action": CONNECT, "Resource": "*"} | condition("StringEquals", "aws:PrincipalOrgID", "o-exampleorg"))
    assert "sign" not in sentences([in_organization], request)[0]


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
    assert sentences([far], ask(), layer) == (sentence,)
    if layer:
        assert sentences([], ask(), layer) == (sentence,)


def test_every_deny_has_to_go_and_an_allow_has_to_come() -> None:
    outside = condition("NotIpAddress", "aws:SourceIp", "10.0.0.0/8")
    written = policy({"Effect": "Deny", "Sid": "Outside", **outside}, {"Effect": "Deny"})
    assert sentences([written], ask(context={"aws:SourceIp": "192.0.2.1"}), Layer.SERVICE) == (
        (
            "remove p statement 0 (Outside), which denies the request, or see to it that one of its conditions no longer holds: "
            "NotIpAddress aws:SourceIp [10.0.0.0/8], the request has '192.0.2.1'"
        ),
        "remove p statement 1, which denies the request, or narrow what it denies",
        f"add an Allow for vpc-lattice-svcs:Invoke on {HERE} for {WEB.role_arn} to the auth policy of the service",
    )


def test_a_layer_lists_the_other_ways_behind_the_first() -> None:
    blue = condition("StringEquals", "vpc-lattice-svcs:RequestHeader/x-team", "blue")
    (sentence,) = sentences([policy(blue, {"Resource": SERVICE})], ask())
    first, second = sentence.split("; or ")
    assert first.endswith("RequestHeader/x-team were blue; the request has no value")
    assert second == f"add {HERE} to the Resource of p statement 1, which has [{SERVICE}]"


def test_what_one_layer_wants_of_the_request_another_must_not_refuse() -> None:
    """The network wants a header, of which the service wants another value, or that it denies: then a policy has to change."""
    header = "vpc-lattice-svcs:RequestHeader/x-team"
    network = Side(Layer.NETWORK, (policy(condition("StringEquals", header, "blue"), name="network"),))
    for service in (policy(condition("StringEquals", header, "red")), policy({}, {"Effect": "Deny", **condition("StringEquals", header, "blue")})):
        sides = [network, Side(Layer.SERVICE, (service,))]
        request = ask()
        first, second = needed_changes(sides, request)
        assert len(first) == 1
        assert_allowed(sides, request, (first, second))
    agreeing = [network, Side(Layer.SERVICE, (policy(condition("StringLike", header, "b*")),))]
    first, second = needed_changes(agreeing, ask())
    assert (first[0].edit, second) == (RequestEdit(header, "blue"), ()), "a request with the header pleases both"


def test_a_path_that_looks_like_a_pattern() -> None:
    odd = ask(resource=f"{SERVICE}/a*b${{aws:userid}}?")
    (changes,) = needed_changes([Side(Layer.SERVICE, ())], odd)
    allowed = changed(Side(Layer.SERVICE, ()), changes)
    assert allowed.lets_pass(odd)
    assert not allowed.lets_pass(ask(resource=f"{SERVICE}/axb${{aws:userid}}?")), "no more than what was asked for"


# -- every change that is proposed is made, and asked again -----------------------------------------------------------------------------------


def assert_allowed(sides: list[Side], request: Request, found: tuple[Any, ...]) -> None:
    """With all changes made every layer lets the request pass; a layer that does so already has nothing to change."""
    changes = [change for of_layer in found for change in of_layer]
    if any(change.edit is None for change in changes):
        assert (request.principal.is_anonymous, request.action) == (True, INVOKE), "only who has not signed can"
        return
    asked = asking(request, changes)
    for side, own in zip(sides, found, strict=True):
        assert changed(side, own).lets_pass(asked), (side, own)
        for edit in (change.edit for change in own):
            if isinstance(edit, StatementEdit) and edit.statement is None:
                assert (edit.becomes or {}).get("Effect") == "Allow"
    for number, change in enumerate(changes):
        left = changes[:number] + changes[number + 1 :]
        kept = [[one for one in own if one is not change] for own in found]
        enough = all(changed(side, own).lets_pass(asking(request, left)) for side, own in zip(sides, kept, strict=True))
        assert not enough, f"needless: {change.sentence}"


@st.composite
def layers(draw: st.DrawFn) -> list[Side]:
    """Those of a request to a service by somebody with all kinds of policies."""
    found = [Side(layer, tuple(draw(st.lists(policies(), max_size=1)))) for layer in (Layer.NETWORK, Layer.SERVICE)]
    found.append(Side(PolicyType.IDENTITY, tuple(draw(st.lists(policies(Form.IDENTITY), max_size=1))), grants=draw(st.booleans())))
    limits = draw(st.lists(st.sampled_from([PolicyType.SERVICE_CONTROL, PolicyType.BOUNDARY, PolicyType.SESSION]), max_size=2))
    return [*found, *(Side(limit, (draw(policies(Form.IDENTITY)),)) for limit in limits)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(layers(), requests())
def test_the_changes_of_all_layers_together_let_the_request_pass(sides: list[Side], request: Request) -> None:
    found = needed_changes(sides, request)
    assert any(found) is not all(side.lets_pass(request) for side in sides)
    assert_allowed(sides, request, found)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(statements(), statements(Form.IDENTITY))
def test_a_statement_is_written_as_it_was_read(auth: dict[str, Any], identity: dict[str, Any]) -> None:
    for document, form in ((auth, Form.AUTH), (identity, Form.IDENTITY)):
        (read,) = policy(document, form=form).statements
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement_document(read)]})
        assert parse_policy(text, form).statements == (read,)
