"""Values that come close to every edge of what an operator reads: numbers, dates, addresses, base64, ARNs and patterns, written by grammar and damaged by hand.

`disagreements` asks the proxy's Lua, the Python engine and the definition about one condition at a time.

    python tests/lua/hostile_values.py --conditions 100000 --seed 1
"""

from __future__ import annotations

import argparse
import base64
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "policy"))

from asking import ANN, SERVICE, policy
from policy_fuzz import by_engine_of
from policy_machine import Machine
from policy_strategies import expected

from latticewall.base.faults import Fault
from latticewall.policy.document import Form, Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.operators import NEGATED, POSITIVE
from latticewall.policy.request import Request, principal_context

KEY, OTHER_KEY = "x:k", "x:other"
ODD = [
    *("\x00", "\x01", "\x02", "\x03", "\x7f", " ", "\t", "\n", "\u2028", "\ufeff", "\udcff", "\udc80", "\udcc3", "\udced"),
    *("\u00e9", "\u017f", "\u212a", "\u0130", "\U0001d51e", "\u0663", "\uff13", "\u00b2"),
]
"""Characters that are not what they look like, bytes that are no character, and those that the Lua uses for itself."""
Draw = Callable[[random.Random], str]


def digits(source: random.Random, most: int = 4) -> str:
    return "".join(source.choices("0123456789", k=source.randint(1, most)))


def number(source: random.Random) -> str:
    long = source.choice([3, 3, 3, 63, 64, 65])
    text = source.choice(["", "", "-", "+", "--"]) + source.choice(["0" * source.randint(0, 5), ""]) + source.choice(["0", "9" * long, digits(source, long)])
    if source.random() < 0.5:
        text += "." + source.choice(["", "0", "0" * source.choice([1, 63, 64]), digits(source, source.choice([2, 64, 65]))])
    return text + source.choice(["", "", "", "", "e3", "E3", ".", "f", "_0", "L"])


def date(source: random.Random) -> str:
    if source.random() < 0.2:
        return source.choice(["", "-"]) + source.choice(["0", "00000", "9" * source.randint(4, 19), digits(source, 19), f"{10**9 * source.randint(1, 9)}"])
    year = source.choice(["0000", "0001", "1969", "1970", "2000", "1900", "2024", "2026", "2100", "9999", digits(source, 5)])
    text = f"{year}-{source.choice(['00', '01', '02', '02', '06', '12', '13', '1'])}-{source.choice(['00', '01', '28', '29', '30', '31', '32', '1'])}"
    text += source.choice(["T", "T", "T", "t", " ", ""])
    text += source.choice(["00:00", "23:59", "24:00", "12:60", "1:00", "03:04"]) + source.choice(["", ":00", ":59", ":60", ":05", ":5"])
    text += source.choice(["", "", ".0", ".5", ".000001", ".999999", ".0000009", ".9999999", ".123456789", ".1234567890", "."])
    zones = ["", "Z", "Z", "z", "+00:00", "-00:00", "+0000", "+23:59", "-23:59", "+24:00", "+14:00", "+05:60", "+05:99", "-0530", "+05", "+05:30:15", " +00:00"]
    text += source.choice(zones)
    return text[: source.choice([4, 5, 7, 8, 10, 11, 13, 16, 99, 99, 99, 99, 99, 99])]


def address(source: random.Random) -> str:
    if source.random() < 0.4:
        octets = [source.choice(["0", "1", "10", "127", "255", "256", "00", "010", "1e1", "", "0x1"]) for _ in range(source.choice([4, 4, 4, 4, 3, 5]))]
        return ".".join(octets)
    groups = [source.choice(["0", "1", "ffff", "FFFF", "0000", "abcd", "00001", "g", "fe80", "2001", "db8"]) for _ in range(source.randint(0, 9))]
    text = ":".join(groups)
    place = source.randrange(len(groups) + 1)
    if source.random() < 0.7:
        text = ":".join(groups[:place]) + "::" + ":".join(groups[place:])
    if source.random() < 0.2:
        text += source.choice(["", ":"]) + source.choice(["10.0.0.1", "1.2.3.4", "1.2.3", "256.1.1.1", "01.2.3.4"])
    return text + source.choice(["", "", "", "", "%eth0", "%", ":", "::"])


def block(source: random.Random) -> str:
    mask = source.choice(["0", "1", "8", "15", "16", "17", "31", "32", "33", "63", "64", "65", "127", "128", "129", "08", "-1", "", "255.255.0.0", "0.0.0.255"])
    return address(source) + source.choice(["", f"/{mask}"])


def binary(source: random.Random) -> str:
    text = base64.b64encode(bytes(source.choices([0, 1, 97, 98, 255], k=source.randint(0, 5)))).decode()
    if source.random() < 0.3:
        text = text.replace("A", source.choice(["B", "a", "-"]))
    return text + source.choice(["", "", "", "=", "\n"])


def word(source: random.Random) -> str:
    pieces = ["a", "b", "ab", "aab", ":", "/", "*", "?", "arn:", "$", "{", "}", "${*}", "${?}", "${$}", f"${{{KEY}}}", f"${{{OTHER_KEY}}}"]
    pieces += ["${x:none, 'd'}", "${x:none}", "${X:K, ''}", "${ x:other }", "${x:other,'q'}", "${x:other, '*'}", "${}", "${,'a'}", *ODD]
    return "".join(source.choices(pieces, k=source.choice([0, 1, 2, 3, 5, 9])))


def arn(source: random.Random) -> str:
    parts = ["arn", *(source.choice(["aws", "*", "?", "", "iam", "a*", f"${{{OTHER_KEY}}}", word(source)]) for _ in range(source.choice([5, 5, 5, 4, 6])))]
    return ":".join(parts) + source.choice(["", "/*", ":x", word(source)])


def boolean(source: random.Random) -> str:
    return source.choice(["true", "false", "TRUE", "False", "tRUE", "truE", "yes", "1", "", "true ", "tr\u00fce", "\u017false", f"${{{OTHER_KEY}}}"])


DRAWS: dict[str, tuple[Draw, Draw]] = {
    "Numeric": (number, number),
    "Date": (date, date),
    "IpAddress": (block, address),
    "NotIp": (block, address),
    "Binary": (binary, binary),
    "Arn": (arn, arn),
    "Bool": (boolean, boolean),
    "Null": (boolean, word),
    "String": (word, word),
}
"""By what an operator's name begins with: how policies and requests write its values."""


def draws(operator: str) -> tuple[Draw, Draw]:
    return next(pair for start, pair in DRAWS.items() if operator.startswith(start))


def changed(source: random.Random, text: str) -> str:
    """The text as it is, or with one character more, less or other."""
    place, kind = source.randrange(len(text) + 1), source.randrange(7)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + source.choice([*"09aA:./-+*?", *ODD]) + text[place + source.randint(0, 1) :]
    if kind == 2:
        return text.replace("*", source.choice(["", "a", "a:b", "é", "\udcff"])).replace("?", source.choice(["a", "\U0001d51e", "\udcff", ""]))
    return text


def condition(source: random.Random) -> tuple[Policy, str, list[str]]:
    """A policy with one condition, its operator, and the values it wants."""
    while True:
        name = source.choice([*POSITIVE, *NEGATED])
        written = name if name == "Null" else source.choice(["", "", "ForAnyValue:", "ForAllValues:"]) + name + source.choice(["", "IfExists"])
        wanted = [draws(name)[0](source) for _ in range(source.choice([1, 1, 2, 8]))]
        wanted = [text for text in wanted if not any("\ud800" <= character <= "\udfff" for character in text)]
        resource = source.choice(["*", "*", f"{SERVICE}/{word(source)}".encode("utf-8", "ignore").decode()])
        effect, version = source.choice(["Allow", "Deny"]), source.choice(["2012-10-17", "2012-10-17", "2008-10-17"])
        statement = {"Effect": effect, "Action": "*", "Resource": resource, "Principal": "*", "Condition": {written: {KEY: wanted}}}
        try:
            return policy(statement, form=Form.AUTH, version=version, name="0"), name, wanted
        except Fault:
            continue


def on_the_wire(text: str) -> str:
    """As it reads when it has been bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def requests(source: random.Random, operator: str, wanted: list[str]) -> Iterator[Request]:
    """Requests for this condition, without end."""
    given = draws(operator)[1]

    def one() -> str:
        return on_the_wire(changed(source, source.choice(wanted)) if wanted and source.random() < 0.6 else given(source))

    while True:
        context: dict[str, str | tuple[str, ...]] = {**principal_context(ANN)}
        kind = source.randrange(8)
        if kind:
            context[KEY] = one() if kind < 5 else tuple(one() for _ in range(source.choice([0, 1, 1, 2, 3])))
        if source.random() < 0.7:
            context[OTHER_KEY] = source.choice([one(), on_the_wire(word(source)), "*", "a", ("a",)])
        yield Request("vpc-lattice-svcs:Invoke", source.choice([f"{SERVICE}/", f"{SERVICE}/{one()}", one()]), ANN, context)


def disagreements(conditions: int, seed: int, per_condition: int = 12) -> Iterator[str]:
    """What the three answer differently, as text. The same seed asks the same."""
    source, machine = random.Random(seed), Machine()
    for _ in range(conditions):
        written, operator, wanted = condition(source)
        evaluator, engine = machine.compile([written]), PolicySet([written])
        asked = requests(source, operator, wanted)
        for _ in range(per_condition):
            request = next(asked)
            answers = (machine.ask(evaluator, request), by_engine_of(engine, [written], request), expected([written], request))
            if len(set(answers)) > 1:
                yield f"lua, engine, definition {answers}: {written.statements} asked {request.resource!r} {dict(request.context)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conditions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    found = 0
    for disagreement in disagreements(chosen.conditions, chosen.seed):
        found += 1
        if found <= 20:
            print(disagreement)
    print(f"{chosen.conditions} conditions, {found} disagreements")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
