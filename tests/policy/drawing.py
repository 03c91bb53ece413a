"""Random policies and requests over a small shared vocabulary, so that they meet often."""

from __future__ import annotations

import json
from typing import Any

from asking import ACCOUNT, ANN, ANONYMOUS, OTHER, ROOT, SERVICE, STRANGER, WEB, policy
from hypothesis import strategies as st

from latticewall.policy.document import Form, Policy
from latticewall.policy.operators import NEGATED, POSITIVE
from latticewall.policy.request import Request, principal_context

ACTIONS = ["vpc-lattice-svcs:Invoke", "vpc-lattice-svcs:Connect", "s3:GetObject"]
ACTION_PATTERNS = [*ACTIONS, "*", "vpc-lattice-svcs:*", "VPC-LATTICE-SVCS:inv?ke", "s3:*"]
RESOURCES = [f"{SERVICE}/", f"{SERVICE}/rates", f"{SERVICE}/blue/x", "arn:aws:s3:::bucket/blue", "*"]
RESOURCE_PATTERNS = [
    *RESOURCES,
    *(SERVICE, f"{SERVICE}/*", f"{SERVICE}/?ates", "*/rates", "*a*e*", "", "arn:aws:*:*:*:service/*", "arn:*", "arn:aws:vpc-lattice:*/rates"),
    *(f"{SERVICE}/${{aws:PrincipalTag/team}}/*", f"{SERVICE}/${{x:K}}/*", f"{SERVICE}/${{x:none, 'blue'}}/*", "*/${x:none}", "arn:aws:${x:k}:::${*}/*"),
]
PRINCIPALS = [WEB, ANN, ROOT, STRANGER, ANONYMOUS]
NAMES = ["*", ACCOUNT, OTHER, WEB.arn, WEB.role_arn, ANN.arn, STRANGER.role_arn, "AROAWEBWEBWEBWEBWEBWE"]
QUERY = ("vpc-lattice-svcs:RequestQueryString/v", "vpc-lattice-svcs:RequestQueryString/V")
KEYS = ["aws:PrincipalOrgID", "aws:PrincipalType", "aws:PrincipalTag/team", "x:k", "X:K", "x:port", "x:arn", *QUERY]
TEXTS = ["", "a", "b", "blue", "o-exampleorg", "Anonymous", "a*", "?", "${*}", "B", "${x:port}", "${aws:PrincipalTag/team}", "${x:none, 'a'}", "443"]
READABLE = {
    "Numeric": ["80", "443"],
    "Date": ["2026", "2026-01-02T03:04:05Z"],
    "Bool": ["true", "false"],
    "Null": ["true", "false"],
    "Binary": ["YQ=="],
    "IpAddress": ["10.0.0.0/8", "10.0.0.1"],
    "NotIp": ["10.0.0.0/8"],
    "Arn": [WEB.arn, "arn:aws:iam::*:role/*", "a*", "arn:aws:sts::*:assumed-role/${aws:PrincipalTag/team}/*"],
}
VALUES = [*TEXTS[:6], "80", "443", "true", "2026-01-02", "YQ==", "10.0.0.1", WEB.arn, WEB.role_arn]


def some(values: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*POSITIVE, *NEGATED]))
        wanted = next((texts for start, texts in READABLE.items() if name.startswith(start)), TEXTS)
        plain = name == "Null"
        prefix = "" if plain else draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]))
        suffix = "" if plain else draw(st.sampled_from(["", "IfExists"]))
        block.setdefault(prefix + name + suffix, {})[draw(st.sampled_from(KEYS))] = draw(some(wanted))
    return block


@st.composite
def statements(draw: st.DrawFn, form: Form = Form.AUTH, negations: bool = True) -> dict[str, Any]:
    def one_of(element: str) -> str:
        return draw(st.sampled_from([element, element, f"Not{element}"])) if negations else element

    effect = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
    written: dict[str, Any] = {"Effect": effect, one_of("Action"): draw(some(ACTION_PATTERNS)), "Condition": draw(conditions())}
    vague = ("aws:*", "aws:$")  # an identity policy names the service of a resource
    patterns = [text for text in RESOURCE_PATTERNS if form is Form.AUTH or text == "*" or (text.count(":") >= 5 and not any(part in text for part in vague))]
    written[one_of("Resource")] = draw(some(patterns))
    if form is Form.AUTH:
        written[one_of("Principal") if effect == "Deny" else "Principal"] = {"AWS": draw(some(NAMES))}
    return written


@st.composite
def policies(draw: st.DrawFn, form: Form = Form.AUTH, negations: bool = True) -> Policy:
    version = draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]))
    return policy(*draw(st.lists(statements(form, negations), min_size=1, max_size=4)), form=form, version=version, name=draw(st.sampled_from("pqr")))


@st.composite
def policies_as_written(draw: st.DrawFn) -> str:
    """The text of an auth policy."""
    written = [{"Resource": "*"} | statement for statement in draw(st.lists(statements(), min_size=1, max_size=3))]
    for statement in written:
        statement.pop("Resource" if "NotResource" in statement else "NotResource", None)
    return json.dumps({"Version": draw(st.sampled_from(["2012-10-17", "2008-10-17"])), "Statement": written})


@st.composite
def requests(draw: st.DrawFn) -> Request:
    principal = draw(st.sampled_from(PRINCIPALS))
    value = st.sampled_from(VALUES)
    keys = ["x:k", "X:K", "x:port", "X:Arn", "aws:principaltag/Team", *QUERY]
    context = draw(st.dictionaries(st.sampled_from(keys), value | st.lists(value, max_size=2).map(tuple)))
    return Request(draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(RESOURCES)), principal, {**principal_context(principal), **context})
