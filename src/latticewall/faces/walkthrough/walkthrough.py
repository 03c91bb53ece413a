"""The course of events: a region, a stack per scenario, the checks, and everything taken away again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session
from latticewall.faces.walkthrough import centralized, combined, service_network
from latticewall.faces.walkthrough.accounts import Accounts
from latticewall.faces.walkthrough.records import Logs, command
from latticewall.faces.walkthrough.report import Report, Result
from latticewall.faces.walkthrough.scene import Scene
from latticewall.faces.walkthrough.stacks import Stack, Stacks

SCENARIOS = ("centralized", "service-network", "combined")
STACKS = {
    "centralized": Stack("walkthrough-centralized", "centralized.yaml"),
    "service-network": Stack("walkthrough-service-network", "service-network.yaml"),
    "combined": Stack("walkthrough-combined", "combined.yaml"),
}
SAME_CIDR = Stack("walkthrough-same-cidr", "service-network.yaml", (("DevCidr", "10.1.0.0/16"),))
"""Production's default CIDR for Dev too; it belongs to the combined scenario."""


class Walkthrough:
    """One run. tell: progress, in words; folder: of the examples."""

    def __init__(self, session: Session, folder: Path, report: Report, tell: Callable[[str], None]) -> None:
        self._session = session
        self._folder = folder
        self._report = report
        self._tell = tell
        self._stacks = Stacks(session, folder)
        self._logs = Logs(session, int(time.time() * 1000))

    def run(self, scenarios: Sequence[str], keep: str = "") -> None:
        """Results go to the report, also those of what could not be tried. keep: the scenario whose stack stays, "" for none.

        What an earlier run left behind goes first.
        """
        names = [stack.name for stack in (*STACKS.values(), SAME_CIDR)]
        if left := self._stacks.delete(names):
            raise Problem(f"what an earlier walkthrough left cannot be deleted: {'; '.join(left)}", NOT_AS_EXPECTED)
        accounts = Accounts(self._session)
        ours = [name for name in names if not keep or name != STACKS[keep].name]
        try:
            for scenario in scenarios:
                with self._recorded(scenario):
                    self._tell(f"{scenario}: deploying and checking")
                    self._scenario(scenario, accounts)
                    if scenario != keep:
                        self._stacks.begin_to_delete([STACKS[scenario].name])
        finally:
            with self._recorded(scenarios[-1]):
                self._take_away(scenarios[-1], ours, accounts)

    def _take_away(self, scenario: str, names: Sequence[str], accounts: Accounts) -> None:
        self._tell("deleting the stacks")
        accounts.remove()
        left = self._stacks.delete(names)
        self._report.add(Result(scenario, "delete the stacks", "nothing is left of them", "; ".join(left) or "nothing is left of them", not left))

    def _scenario(self, scenario: str, accounts: Accounts) -> None:
        stack = STACKS[scenario]
        self._stacks.create(stack)
        if scenario == "centralized":
            if scene := self._deployed(scenario, stack):
                centralized.check(scene)
        elif scenario == "service-network":
            restriction = {"RestrictToOrganization": "yes", "OrganizationId": accounts.organization()}
            foreigner = accounts.foreigner()
            if scene := self._deployed(scenario, stack):
                service_network.check(scene, lambda: self._stacks.update(stack, restriction), foreigner)
        else:
            self._stacks.create(SAME_CIDR)
            scene = self._deployed(scenario, stack)
            if scene:
                combined.check(scene)
            if variant := self._deployed(scenario, SAME_CIDR):
                service_network.same_addresses(variant)
            if scene:
                combined.check_logs(scene)

    def _deployed(self, scenario: str, stack: Stack) -> Scene | None:
        """The scene that a stack makes; None when it did not come about."""
        begin = time.monotonic()
        deployed = self._stacks.finished(stack.name)
        parameters = "".join(f", {key}={value}" for key, value in stack.parameters)
        seen = f"{deployed.status}, {deployed.resources} resources in {time.monotonic() - begin:.1f} s"
        result = Result(
            scenario, f"deploy {stack.template}{parameters}", "CREATE_COMPLETE", "; ".join((seen, *deployed.reasons)), deployed.status == "CREATE_COMPLETE"
        )
        self._report.add(result)
        return Scene(self._session, self._report, scenario, deployed.outputs, self._folder, self._logs) if result.ok else None

    @contextlib.contextmanager
    def _recorded(self, scenario: str) -> Iterator[None]:
        """What ends a scenario early is a result too."""
        try:
            yield
        except (Problem, Refused) as trouble:
            said = f"the region refuses: {trouble.message} ({trouble.code})" if isinstance(trouble, Refused) else str(trouble)
            self._report.add(Result(scenario, "the scenario is gone through", "to its end", said, ok=False))


@contextlib.contextmanager
def region(session: Session, *, keep: bool, tell: Callable[[str], None]) -> Iterator[bool]:
    """The session's region: the one that is up, else one made here on a free port of the loopback, and stopped at the end unless it is kept.

    Yields whether it stays.
    """
    if session.find() is not None:
        yield True
        return
    tell("starting the region")
    _must(session, "up", "--detach", "--listen", "127.0.0.1:0")
    try:
        yield keep
    finally:
        if not keep:
            _must(session, "down")


def _must(session: Session, *words: str) -> None:
    done = command(session, *words)
    if done.returncode:
        raise Problem(done.stderr.strip().removeprefix("latticewall: ") or f"latticewall {words[0]} ended with {done.returncode}", NOT_AS_EXPECTED)
