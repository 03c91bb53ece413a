"""Policies as large as they may be, and what they cost: LuaJIT's limits on functions, memory and loading time of many policies, time of a decision."""

from __future__ import annotations

import random
from typing import Any

import pytest
from asking import ACCOUNT, SERVICE, WEB, ask, policy
from policy_machine import Inquiry, Machine
from policy_strategies import expected

from latticewall.policy.document import Form, Policy
from latticewall.policy.lattice import Route
from latticewall.policy.lua.chunk import LONGEST
from latticewall.policy.request import Principal, Request
from latticewall.policy.to_lua import compile_set

MACHINE = Machine()
MANY = 3000


def large(**statement: Any) -> list[Policy]:
    return [policy({"Effect": "Deny", **statement}, {"Effect": "Allow"}, form=Form.RESOURCE)]


KEYED = {f"x:{number}": f"v{number}" for number in range(MANY)}
LARGE: list[tuple[str, list[Policy], list[Request]]] = [
    ("values", large(Condition={"StringEquals": {"x:k": [f"v{n}" for n in range(MANY)]}}), [ask(context={"x:k": f"v{n}"}) for n in (0, MANY - 1, MANY)]),
    ("any case", large(Condition={"StringEqualsIgnoreCase": {"x:k": [f"v{n}" for n in range(MANY)]}}), [ask(context={"x:k": f"V{n}"}) for n in (0, MANY)]),
    ("patterns", large(Condition={"StringLike": {"x:k": [f"v{n}-*" for n in range(MANY)]}}), [ask(context={"x:k": f"v{n}-x"}) for n in (0, MANY - 1, MANY)]),
    (
        "negated patterns of several values",
        large(Condition={"ForAnyValue:StringNotLike": {"x:k": [f"v{n}-*" for n in range(MANY)]}}),
        [ask(context={"x:k": (f"v{n}-x", "v1-y")}) for n in (0, MANY - 1, MANY)],
    ),
    (
        "variables",
        large(Condition={"StringEquals": {"x:k": [f"${{x:v}}-{n}" for n in range(MANY)]}}),
        [ask(context={"x:k": f"a-{n}", "x:v": "a"}) for n in (0, MANY - 1, MANY)],
    ),
    ("pieces", large(Condition={"StringLike": {"x:k": "${x:v}-" * 700}}), [ask(context={"x:k": "a-" * n, "x:v": "a"}) for n in (700, 699)]),
    ("numbers", large(Condition={"NumericEquals": {"x:k": [f"{n}.5" for n in range(MANY)]}}), [ask(context={"x:k": f"{n}.50"}) for n in (0, MANY - 1, MANY)]),
    ("blocks", large(Condition={"IpAddress": {"x:k": [f"10.{n // 256}.{n % 256}.0/24" for n in range(MANY)]}}),
     [ask(context={"x:k": text}) for text in ("10.0.0.9", "10.11.183.9", "10.11.184.9")]),
    ("keys", large(Condition={"StringEquals": KEYED}), [ask(context=KEYED), ask(context={**KEYED, "x:9": ""}), ask(context={**KEYED, f"x:{MANY - 1}": ""})]),
    ("absent keys", large(Condition={"ForAllValues:StringLike": {f"x:{n}": "v*" for n in range(MANY)}}), [ask(), ask(context={f"x:{MANY - 1}": "w"})]),
    ("resources", large(Resource=[f"{SERVICE}/p{n}/*" for n in range(1200)]), [ask(resource=f"{SERVICE}/p{n}/x") for n in (0, 1199, 1200)]),
    ("exact resources", large(NotResource=[f"{SERVICE}/p{n}" for n in range(1200)]), [ask(resource=f"{SERVICE}/p{n}") for n in (0, 1199, 1200)]),
    ("segments", large(Resource=[f"arn:aws:*:*:*:s*/p{n}" for n in range(MANY)]), [ask(resource=f"arn:aws:a:b:c:s/p{n}") for n in (0, MANY)]),
    ("actions", large(Action=[f"s{n}:Get*" for n in range(MANY)]), [ask(action=f"s{n}:GetIt") for n in (0, MANY - 1, MANY)]),
    ("principals", large(Principal={"AWS": [f"{WEB.role_arn}{n}" for n in range(2000)]}),
     [ask(Principal(WEB.arn, ACCOUNT, "AssumedRole", role_arn=f"{WEB.role_arn}{n}", userid=WEB.userid)) for n in (0, 1999, 2000)]),
    ("accounts", large(NotPrincipal={"AWS": [f"{n:012d}" for n in range(2000)]}),
     [ask(Principal(f"arn:aws:iam::{n:012d}:root", f"{n:012d}", "Account", userid=f"{n:012d}")) for n in (0, 1999, 2000)]),
    (
        "statements",
        [policy(*({"Effect": "Allow", "Resource": f"{SERVICE}/p{n}/*"} for n in range(700)), form=Form.RESOURCE)],
        [ask(resource=f"{SERVICE}/p{n}/x") for n in (0, 350, 699, 700)],
    ),
    (
        "policies",
        [policy({"Effect": "Allow" if n % 3 else "Deny", "Resource": f"{SERVICE}/p{n}/*"}, form=Form.RESOURCE) for n in range(1000)],
        [ask(resource=f"{SERVICE}/p{n}/x") for n in (0, 1, 999, 998, 1000)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("written", "requests"), [pytest.param(written, requests, id=name) for name, written, requests in LARGE])
def test_large_policies(written: list[Policy], requests: list[Request]) -> None:
    text = compile_set(written)
    assert len(text) > LONGEST or len(text) > 10_000, "large enough to be worth it"
    evaluator = MACHINE.load(text)
    answers = [MACHINE.ask(evaluator, request) for request in requests]
    assert answers == [expected(written, request) for request in requests]
    assert len(set(answers)) > 1


def hexadecimal(source: random.Random, count: int) -> str:
    return "".join(source.choice("0123456789abcdef") for _ in range(count))


def ten_kilobytes(source: random.Random) -> Policy:
    """An auth policy of the greatest size (10 KB), no text of which occurs in another."""
    service = f"arn:aws:vpc-lattice:us-west-2:{source.randrange(10**12):012d}:service/svc-{hexadecimal(source, 17)}"
    statements = [
        {
            "Sid": hexadecimal(source, 6),
            "Effect": source.choice(["Allow", "Allow", "Deny"]),
            "Principal": {"AWS": [f"arn:aws:iam::{source.randrange(10**12):012d}:role/{hexadecimal(source, 8)}" for _ in range(source.randint(1, 3))]},
            "Action": "vpc-lattice-svcs:Invoke",
            "Resource": [f"{service}/{hexadecimal(source, 6)}/*" for _ in range(source.randint(1, 3))],
            "Condition": {
                "StringEquals": {
                    "vpc-lattice-svcs:RequestMethod": source.sample(["GET", "PUT", "POST", "DELETE"], 2),
                    "aws:PrincipalOrgID": f"o-{hexadecimal(source, 10)}",
                },
                "StringLike": {f"vpc-lattice-svcs:RequestHeader/x-{hexadecimal(source, 4)}": f"{hexadecimal(source, 5)}*"},
                "ForAnyValue:StringEquals": {
                    f"vpc-lattice-svcs:RequestQueryString/{hexadecimal(source, 4)}": [hexadecimal(source, 6) for _ in range(3)],
                },
            },
        }
        for _ in range(15)
    ]
    return policy(*statements, form=Form.RESOURCE)


def test_a_thousand_policies_of_ten_kilobytes_fit() -> None:
    machine, source = Machine(), random.Random(5)
    texts = [compile_set([ten_kilobytes(source)]).encode() for _ in range(1000)]
    keep = machine.execute("local kept, load = {}, ... return function(text) kept[#kept + 1] = assert(load(text)) end", machine.library[b"load"])
    measure = machine.execute("return function() collectgarbage() collectgarbage() return collectgarbage('count') end")
    before = measure()
    for text in texts:
        keep(text)
    megabytes = (measure() - before) / 1024
    assert megabytes < 25


TYPICAL = policy(
    {"Effect": "Deny", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorg"}}},
    {
        "Effect": "Allow",
        "Action": "vpc-lattice-svcs:Invoke",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/apps/admin"},
        "Resource": f"{SERVICE}/admin/*",
    },
    {
        "Effect": "Allow",
        "Action": "vpc-lattice-svcs:Invoke",
        "Principal": "*",
        "Resource": f"{SERVICE}/rates/*",
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": "o-exampleorg", "vpc-lattice-svcs:RequestMethod": ["GET", "HEAD"]},
            "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/apps/*"},
            "StringLike": {"vpc-lattice-svcs:RequestHeader/x-env": "prod*"},
        },
    },
)
MEASURE = """
local evaluator, questions, count = ...
local order = {}
for i = 1, 4096 do order[i] = questions[(i * 7919) % #questions + 1] end
local function run(n)
  local sum = 0
  for i = 1, n do
    local outcome, statement = evaluator(order[i % 4096 + 1])
    sum = sum + outcome * 7 + statement
  end
  return sum
end
run(count / 10)
collectgarbage()
collectgarbage("stop")
local before = collectgarbage("count")
local sum = run(count)
local garbage = collectgarbage("count") - before
collectgarbage("restart")
return garbage, sum
"""


def test_a_typical_decision_makes_no_garbage() -> None:
    source = random.Random(7)
    route = Route("arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-1", SERVICE, 80, "vpc-1", ACCOUNT)
    inquiries = [
        Inquiry(WEB, source.choice(["GET", "HEAD", "POST"]), f"/{source.choice(['rates', 'rates', 'admin'])}/{number}", (("x-env", f"prod-{number}"),), route)
        for number in range(64)
    ]
    evaluator = MACHINE.compile([TYPICAL])
    answers = [evaluator(MACHINE.table(inquiry.question())) for inquiry in inquiries]
    assert answers == [expected([TYPICAL], inquiry.request()) for inquiry in inquiries]
    assert {outcome for outcome, _ in answers} == {0, 1}
    questions = MACHINE.table([inquiry.question() for inquiry in inquiries])
    # where the machine puts things decides when LuaJIT compiles what it came to late, which leaves some bytes once
    assert min(MACHINE.execute(MEASURE, evaluator, questions, 100_000)[0] for _ in range(3)) == 0
