"""`python -m fuzz`: everything, about a quarter of an hour. Exit status 1 and a way to see it again for whatever is wrong."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import policy_fuzz

from fuzz import filter as lua_filter
from fuzz import live

Part = Callable[[argparse.Namespace], list[str]]


def requests(chosen: argparse.Namespace) -> list[str]:
    """The proxy's Lua under hostile requests."""
    started = time.monotonic()
    tally = lua_filter.run(chosen.requests, chosen.seed, chosen.world)
    print(f"{tally.requests} requests in {time.monotonic() - started:.0f} s: {tally.forgeries} forgeries, {tally.compared} compared as a whole,")
    print(f"  the slowest {tally.slowest * 1000:.1f} ms; answers: {', '.join(f'{kind} {count}' for kind, count in tally.answers.most_common())}")
    return [
        f"python -m fuzz --only requests --seed {chosen.seed} --world {world} --requests {lua_filter.PER_WORLD}\n  {text}" for world, text in tally.findings
    ]


def policies(chosen: argparse.Namespace) -> list[str]:
    """Compiled policies, the engine and the definition asked the same."""
    started = time.monotonic()
    tally = policy_fuzz.fuzz(chosen.evaluations, chosen.seed)
    print(f"{tally.evaluations} policy evaluations in {time.monotonic() - started:.0f} s: outcomes {tally.outcomes}")
    return [f"python -m fuzz --only policies --seed {chosen.seed}\n  {text}" for text in tally.disagreements[:10]]


def envoy(chosen: argparse.Namespace) -> list[str]:
    """A real Envoy."""
    if reason := live.missing():
        return [f"no Envoy was tried: {reason}"]
    tally = live.run(chosen.minutes * 60, chosen.seed)
    print(tally.summary())
    return [f"python -m fuzz --only envoy --seed {chosen.seed} --minutes {chosen.minutes:g}\n  {text}" for text in tally.findings]


PARTS: dict[str, Part] = {"requests": requests, "policies": policies, "envoy": envoy}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=20260102, help="the same seed asks the same (%(default)s)")
    parser.add_argument("--requests", type=int, default=1_000_000, help="against the Lua (%(default)s)")
    parser.add_argument("--world", type=int, default=0, help="the set of tables to begin with")
    parser.add_argument("--evaluations", type=int, default=1_000_000, help="of policies (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="against a live Envoy (%(default)s)")
    parser.add_argument("--only", choices=PARTS, help="one part")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    findings: list[str] = []
    for name, part in PARTS.items():
        if chosen.only in (None, name):
            findings += part(chosen)
            sys.stdout.flush()
    for text in findings:
        print(f"\n{text}")
    print(f"\n{len(findings)} findings" if findings else "nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
