"""Random questions for policies, without end: `questions` gives requests made of a policy set's own texts, whole and damaged, so that they come close to
every edge; `fuzz` asks them of the proxy's Lua, the Python engine and, now and then, the definition.

    python tests/lua/policy_fuzz.py --evaluations 1000000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "policy"))

from asking import ACCOUNT, ANN, ANONYMOUS, ROOT, SERVICE, STRANGER, WEB, policy
from policy_machine import Inquiry, Machine, to_lua_bytes
from policy_strategies import ACCEPTED, ACTION_PATTERNS, NAMES, OUTCOMES, READABLE, TEXTS, VALUES, expected

from latticewall.policy.document import Condition, Form, Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import Route
from latticewall.policy.operators import NEGATED, POSITIVE
from latticewall.policy.request import Principal, Request, ResourceOwner, canonical_key

HEADER, QUERY, TAG = "vpc-lattice-svcs:requestheader/", "vpc-lattice-svcs:requestquerystring/", "aws:principaltag/"
KEYS = [
    *("vpc-lattice-svcs:RequestMethod", "vpc-lattice-svcs:RequestPath", "vpc-lattice-svcs:Port", "vpc-lattice-svcs:SourceVpc", "aws:SourceIp"),
    *("vpc-lattice-svcs:RequestHeader/X-K", "vpc-lattice-svcs:RequestHeader/y", "vpc-lattice-svcs:RequestQueryString/K", "aws:PrincipalTag/team"),
    *("vpc-lattice-svcs:RequestQueryString/é", "aws:PrincipalOrgID", "aws:PrincipalArn", "aws:PrincipalType", "aws:PrincipalOrgPaths", "aws:CurrentTime"),
    *("aws:ResourceTag/stage", "aws:UserAgent", "aws:referer", "aws:userid", "aws:username", "aws:EpochTime", "aws:SecureTransport", "other:key"),
]
ROUTE = Route("arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-1", SERVICE, 443, "vpc-9", ACCOUNT)
OWNER = ResourceOwner(ACCOUNT, "o-exampleorg", ("o-exampleorg/r-ab12/",), {"stage": "blue"})
PRINCIPALS = [WEB, ANN, ROOT, STRANGER, ANONYMOUS]


def some(source: random.Random, values: Sequence[str], most: int) -> list[str]:
    return source.choices(values, k=source.choice([1, 1, 2, 3, most]))


def condition_block(source: random.Random) -> dict[str, dict[str, list[str]]]:
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(source.choice([0, 1, 1, 2, 3])):
        name = source.choice([*POSITIVE, *NEGATED])
        plain = name == "Null"
        operator = name if plain else source.choice(["", "", "ForAnyValue:", "ForAllValues:"]) + name + source.choice(["", "", "IfExists"])
        wanted = next((texts for start, texts in READABLE.items() if name.startswith(start)), TEXTS)
        block.setdefault(operator, {})[source.choice(KEYS)] = some(source, wanted, 9)
    return block


def random_statements(source: random.Random, form: Form) -> list[dict[str, Any]]:
    """One to four statements for a policy of this form."""
    statements: list[dict[str, Any]] = []
    for _ in range(source.randint(1, 4)):
        effect = source.choice(["Allow", "Allow", "Deny"])
        action, resource = (source.choice(["", "", "", "Not"]) + element for element in ("Action", "Resource"))
        statement: dict[str, Any] = {"Effect": effect, action: some(source, ACTION_PATTERNS, 4), resource: some(source, ACCEPTED[form], 9)}
        if form is Form.AUTH:
            statement["NotPrincipal" if effect == "Deny" and source.random() < 0.3 else "Principal"] = {"AWS": some(source, NAMES, 8)}
        statements.append({**statement, "Condition": condition_block(source)})
    return statements


def random_policies(source: random.Random) -> list[Policy]:
    """One to three policies, each under a name of its own."""
    made: list[Policy] = []
    for number in range(source.choice([1, 1, 2, 3])):
        form = source.choice([Form.AUTH, Form.AUTH, Form.IDENTITY])
        statements = random_statements(source, form)
        made.append(policy(*statements, form=form, version=source.choice(["2012-10-17", "2012-10-17", "2008-10-17"]), name=str(number)))
    return made


def damaged(source: random.Random, text: str) -> str:
    """The text as it is, or with its wildcards filled in, or with something wrong about it."""
    kind = source.randrange(8)
    place = source.randrange(len(text) + 1)
    if kind < 3:
        return text
    if kind < 5:
        return text.replace("*", source.choice(["", "a", "a/b", "é"])).replace("?", source.choice(["a", "é", "ab"]))
    if kind == 5:
        return text[:place] + text[place + 1 :]
    if kind == 6:
        return text[:place] + source.choice(["a", ":", "0", "*", "é", "\udcff", " "]) + text[place:]
    return "".join(character.swapcase() if character.isascii() else character for character in text)


def line_text(text: str) -> str:
    """What can stand in a header line."""
    return "".join(character for character in text if character not in "\r\n\0").strip(" \t")


@dataclass
class _Texts:
    """What a policy set speaks of: wanted values by canonical key."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def draw(self, source: random.Random, key: str) -> str:
        own = self.values.get(key)
        return damaged(source, source.choice(own)) if own and source.random() < 0.8 else source.choice(VALUES)


def _texts(policies: Sequence[Policy]) -> _Texts:
    conditions: list[Condition] = [condition for own in policies for statement in own.statements for condition in statement.conditions]
    found = _Texts()
    for condition in conditions:
        found.values.setdefault(canonical_key(condition.key), []).extend(condition.values)
    return found


def questions(policies: Sequence[Policy], source: random.Random) -> Iterator[Inquiry]:
    """Requests to ask of these policies, without end."""
    texts = _texts(policies)
    paths = [text.removeprefix(SERVICE).lstrip("/") for own in policies for statement in own.statements
             for text in (*(statement.resources or ()), *(statement.not_resources or ()))]  # fmt: skip
    while True:
        yield _question(texts, paths, source)


def _question(texts: _Texts, paths: list[str], source: random.Random) -> Inquiry:
    headers: list[tuple[str, str]] = []
    parameters: list[str] = []
    for key in texts.values:
        for _ in range(source.choice([0, 1, 1, 1, 2])):
            value = texts.draw(source, key)
            if key.startswith(HEADER) or key in ("aws:useragent", "aws:referer"):
                name = {"aws:useragent": "user-agent", "aws:referer": "referer"}.get(key, key.removeprefix(HEADER))
                headers.append((name, line_text(value)))
            elif key.startswith(QUERY):
                name = key.removeprefix(QUERY)
                parameters.append(f"{_escaped(source, name)}={_escaped(source, value)}")
    source.shuffle(headers)
    caller = source.choice(PRINCIPALS)
    if caller.tags and source.random() < 0.5:
        caller = Principal(**{**vars(caller), "tags": {"team": texts.draw(source, f"{TAG}team")}})
    path = _escaped(source, damaged(source, source.choice(paths)), safe="/:*?"[: source.choice([1, 3])])
    query = "&".join(parameters) if parameters else source.choice([None, "", "&", "=", "K"])
    method = texts.draw(source, "vpc-lattice-svcs:requestmethod") if source.random() < 0.2 else source.choice(["GET", "POST"])
    address = source.choice(["10.1.0.10", "", texts.draw(source, "aws:sourceip")])
    return Inquiry(caller, method, f"/{path}" if query is None else f"/{path}?{query}", tuple(headers), ROUTE, OWNER, source_ip=address)


def _escaped(source: random.Random, text: str, safe: str = "") -> str:
    """Percent-encoded, with some escapes in lower case, and some that are none."""
    written = quote_from_bytes(to_lua_bytes(text), safe=safe)
    return written.lower() if source.random() < 0.1 else written + source.choice(["", "", "", "%", "%4", "+"])


@dataclass
class Tally:
    """What a run has seen. disagreements: texts of policies and questions, to become corpus cases."""

    evaluations: int = 0
    outcomes: dict[int, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES.values(), 0))
    disagreements: list[str] = field(default_factory=list)


def by_engine(engine: PolicySet, written: Sequence[Policy], inquiry: Inquiry) -> tuple[int, int]:
    """Outcome and number of the first determining statement, as the Python engine has them."""
    return by_engine_of(engine, written, inquiry.request())


def by_engine_of(engine: PolicySet, written: Sequence[Policy], request: Request) -> tuple[int, int]:
    """As `by_engine`, of a request as Python asks it."""
    decision = engine.evaluate(request)
    if not decision.statements:
        return OUTCOMES[decision.outcome], -1
    first = decision.statements[0]
    return OUTCOMES[decision.outcome], first.statement + sum(len(own.statements) for own in written[: int(first.policy)])


def fuzz(evaluations: int, seed: int, per_set: int = 200, spec_every: int = 50) -> Tally:
    """Ask so many questions, per_set of each policy set; every spec_every-th also of the definition. The same seed asks the same."""
    source, machine, tally = random.Random(seed), Machine(), Tally()
    while tally.evaluations < evaluations:
        written = random_policies(source)
        evaluator, engine = machine.compile(written), PolicySet(written)
        asked = questions(written, source)
        for _ in range(min(per_set, evaluations - tally.evaluations)):
            inquiry = next(asked)
            answer: tuple[int, int] = evaluator(machine.table(inquiry.question()))
            wanted = by_engine(engine, written, inquiry)
            tally.evaluations += 1
            tally.outcomes[answer[0]] += 1
            checked = tally.evaluations % spec_every or expected(written, inquiry.request()) == wanted
            if answer != wanted or not checked:
                tally.disagreements.append(f"lua {answer}, engine {wanted}, seed {seed}, evaluation {tally.evaluations}: {written} asked {inquiry}")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    tally = fuzz(chosen.evaluations, chosen.seed)
    print(f"{tally.evaluations} evaluations in {time.monotonic() - started:.0f} s, outcomes {tally.outcomes}, {len(tally.disagreements)} disagreements")
    for disagreement in tally.disagreements[:10]:
        print(disagreement)
    return 1 if tally.disagreements else 0


if __name__ == "__main__":
    raise SystemExit(main())
