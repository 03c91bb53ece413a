"""Random policies and requests over a small shared vocabulary, so that they meet often."""

from __future__ import annotations

from typing import Any

from asking import ACCOUNT, ANN, ANONYMOUS, OTHER, ROOT, SERVICE, STRANGER, WEB, policy
from hypothesis import strategies as st

from latticewall.base.faults import Fault
from latticewall.policy import spec
from latticewall.policy.decision import Outcome
from latticewall.policy.document import Effect, Form, Policy
from latticewall.policy.operators import NEGATED, POSITIVE
from latticewall.policy.request import Request, principal_context

OUTCOMES = {Outcome.NONE: 0, Outcome.ALLOW: 1, Outcome.DENY: 2}
EFFECTS = {Effect.DENY: 2, Effect.ALLOW: 1}

ACTIONS = ["vpc-lattice-svcs:Invoke", "vpc-lattice-svcs:Connect", "s3:GetObject"]
ACTION_PATTERNS = [*ACTIONS, "*", "vpc-lattice-svcs:*", "VPC-LATTICE-SVCS:inv?ke", "s3:*", "s3:*Obj*", "vpc-lattice-svcs:*e"]
RESOURCES = [f"{SERVICE}/", f"{SERVICE}/rates", f"{SERVICE}/blue/x", f"{SERVICE}/é/x", "arn:aws:s3:::bucket/blue", "*", "arn:aws", "a:b:c:d:e:f"]
RESOURCE_PATTERNS = [
    *RESOURCES,
    *(SERVICE, f"{SERVICE}/*", "*/rates", "*/*", "*a*", "arn:aws:*:*:*:service/*", f"{SERVICE}/${{aws:PrincipalTag/team}}/*", "arn:*", "arn:aws:*e/*s"),
    *(f"{SERVICE}/?/x", "*/?/x", f"{SERVICE}/*/x", f"{SERVICE}*l*", "arn:aws:s3:::*", "arn:aws:s?:*::b*/b?*e", "arn:*:s3:::${x:k}*", "", "a:b:*", "**"),
    *("arn:aws:vpc-lattice:*:${aws:PrincipalAccount}:*/${x:k, 'rates'}", "${x:k}", "${x:k}*", "*${x:k}", "arn:aws:s3:::bucket/${*}", "*rates*"),
]
PRINCIPALS = [WEB, ANN, ROOT, STRANGER, ANONYMOUS]
NAMES = ["*", ACCOUNT, OTHER, f"arn:aws:iam::{ACCOUNT}:root", WEB.arn, WEB.role_arn, ANN.arn, ANN.userid, STRANGER.role_arn, "AROAWEBWEBWEBWEBWEBWE"]
HEADER, QUERY = "vpc-lattice-svcs:RequestHeader/X-K", "vpc-lattice-svcs:RequestQueryString/K"
MULTIVALUED = ["x:k", "x:arn", QUERY, "aws:PrincipalOrgPaths"]
KEYS = ["aws:PrincipalOrgID", "aws:PrincipalType", "aws:PrincipalTag/team", "X:K", "vpc-lattice-svcs:Port", "aws:CurrentTime", HEADER, *MULTIVALUED]
TEXTS = [
    *("", "a", "b", "A", "blue", "o-exampleorg", "Anonymous", "a*", "*", "?", "${aws:PrincipalTag/team}", "${x:none, 'a'}", "${x:none}", "443", "é", "*é*"),
    *("*b*", "b*e", "?lue", "a?", "??", "${*}", "${?}${$}", "x${x:k}${aws:PrincipalTag/team}", "${x:k}*", f"${{{HEADER}}}", f"${{{QUERY}, 'b'}}", "Blue"),
]
NUMBERS = ["80", "443", "443.0", "-1.5", "0443", "+443", "0", "-0", "1" * 20, "1" * 19 + "2", "0.5", ".5", "1e2", "0." + "0" * 20 + "1"]
DATES = [
    *("2026", "2026-01", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T05:04:05.000+02:00", "2026-01-02T03:04:05.000001Z", "1767323045"),
    *("20260", "-99999"),
]
ADDRESSES = ["10.0.0.1", "10.1.0.0", "::1", "2001:db8::1", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1", "10.0.0.01", "fe80::1%eth0", "1.2.3", "::"]
BLOCKS = ["10.0.0.0/8", "10.0.0.1", "10.0.0.0/255.255.255.0", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1", "fe80::/10", "::ffff:0:0/96", "2001:db8::/33"]
ARNS = [WEB.arn, "arn:aws:iam::*:role/*", "a*", "arn:aws:sts::*:assumed-role/${aws:PrincipalTag/team}/*", "arn:aws:iam::${x:k}:role/*", "arn:*:iam::*:r?le/*"]
READABLE = {
    "Numeric": [text for text in NUMBERS if text not in (".5", "1e2")],
    "Date": DATES,
    "Bool": ["true", "false", "TRUE", "${x:k}"],
    "Null": ["true", "false"],
    "Binary": ["YQ==", "YWI=", "YWJj", ""],
    "IpAddress": BLOCKS,
    "NotIp": BLOCKS,
    "Arn": ARNS,
}
GIVEN = {
    "Numeric": NUMBERS,
    "Date": [*DATES, "2026-02-30", "2026-1-1", "2026-01-02T03:04"],
    "Bool": ["true", "False", "", "yes"],
    "Binary": ["YQ==", "YR==", "YQ=", "YWI=", "YWJj", "YQ", "", "Y"],
    "IpAddress": ADDRESSES,
    "Arn": [WEB.arn, WEB.role_arn, "arn:aws:iam::a:role/x", "arn:aws:iam::role/x", "arn:aws:sts::x:assumed-role/blue/y"],
}
VALUES = [*TEXTS[:10], "é", "bé", "\udce9", "xabl", "*", "?${x}", *(text for texts in GIVEN.values() for text in texts)]


def is_accepted(form: Form, resource: str) -> bool:
    """Whether a policy of this form may name the resource."""
    try:
        return bool(policy({"Resource": resource}, form=form).statements)
    except Fault:
        return False


ACCEPTED = {form: [text for text in RESOURCE_PATTERNS if is_accepted(form, text)] for form in (Form.AUTH, Form.IDENTITY)}


def some(values: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([*POSITIVE, *NEGATED]))
        wanted = next((texts for start, texts in READABLE.items() if name.startswith(start)), TEXTS)
        plain = name == "Null"
        prefix = "" if plain else draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]))
        suffix = "" if plain else draw(st.sampled_from(["", "IfExists"]))
        block.setdefault(prefix + name + suffix, {})[draw(st.sampled_from(KEYS))] = draw(some(wanted, draw(st.sampled_from([3, 12]))))
    return block


@st.composite
def statements(draw: st.DrawFn, form: Form = Form.AUTH) -> dict[str, Any]:
    def one_of(element: str) -> str:
        return draw(st.sampled_from([element, element, f"Not{element}"]))

    effect = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
    written: dict[str, Any] = {"Effect": effect, one_of("Action"): draw(some(ACTION_PATTERNS)), "Condition": draw(conditions())}
    written[one_of("Resource")] = draw(some(ACCEPTED[form], 9))
    if form is Form.AUTH:
        written[one_of("Principal") if effect == "Deny" else "Principal"] = {"AWS": draw(some(NAMES, 9))}
    return written


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    version = draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]))
    form = draw(st.sampled_from([Form.AUTH, Form.AUTH, Form.IDENTITY]))
    return policy(*draw(st.lists(statements(form), min_size=1, max_size=4)), form=form, version=version)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    principal = draw(st.sampled_from(PRINCIPALS))
    value = st.sampled_from(["", "a", "b", "blue"]) | st.sampled_from(VALUES)
    single = draw(st.dictionaries(st.sampled_from([key for key in KEYS if key not in MULTIVALUED and "Principal" not in key]), value))
    several = draw(st.dictionaries(st.sampled_from(MULTIVALUED), value | st.lists(value, max_size=3).map(tuple)))
    # An array-typed key is one also when it holds one value.
    several = {key: (own,) if key == QUERY and isinstance(own, str) else own for key, own in several.items()}
    return Request(draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(RESOURCES)), principal, {**principal_context(principal), **single, **several})


def expected(written: list[Policy], request: Request) -> tuple[int, int]:
    """Outcome and first determining statement as the definition has them."""
    decision = spec.evaluate(written, request)
    numbered = enumerate((own, statement) for own in written for statement in own.statements)
    for number, (own, statement) in numbered:
        applies = spec.statement_grant(own, statement, request) is not None
        if applies and EFFECTS[statement.effect] == OUTCOMES[decision.outcome]:
            return OUTCOMES[decision.outcome], number
    return OUTCOMES[decision.outcome], -1
