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
    "centralized": (Stack("walkthrough-centralized", "centralized.yaml"),),
    "service-network": (Stack("walkthrough-service-network", "service-network.yaml"),),
    "combined": (
        Stack("walkthrough-combined", "combined.yaml"),
        # Production's default CIDR for Dev too
        Stack("walkthrough-same-cidr", "service-network.yaml", (("DevCidr", "10.1.0.0/16"),)),
    ),
}
"""A scenario's own stack, and those of its variants."""


class Walkthrough:
    """One run. tell: progress, in words; folder: of the examples."""

    def __init__(self, session: Session, folder: Path, report: Report, tell: Callable[[str], None]) -> None:
        self._session = session
        self._folder = folder
        self._report = report
        self._tell = tell
        self._stacks = Stacks(session, folder)
        self._logs = Logs(session, int(time.time() * 1000))
        self._begun: set[str] = set()

    def run(self, scenarios: Sequence[str], keep: str = "") -> None:
        """Results go to the report, also those of what could not be tried. keep: the scenario whose stack stays, "" for none.

        What an earlier run left behind goes first. While a scenario is checked, the next one is being deployed beside it.
        """
        everything = [stack.name for stacks in STACKS.values() for stack in stacks]
        if left := self._stacks.delete(everything):
            raise Problem(f"what an earlier walkthrough left cannot be deleted: {'; '.join(left)}", NOT_AS_EXPECTED)
        accounts = Accounts(self._session)
        checks = {"centralized": self._centralized, "service-network": self._service_network, "combined": self._combined}
        kept = STACKS[keep][0].name if keep else ""
        try:
            for scenario, following in zip(scenarios, [*scenarios[1:], ""], strict=True):
                with self._recorded(scenario):
                    self._tell(f"{scenario}: deploying and checking")
                    checks[scenario](accounts, following)
                    self._stacks.begin_to_delete(stack.name for stack in STACKS[scenario] if stack.name != kept)
        finally:
            with self._recorded(scenarios[-1]):
                self._tell("deleting the stacks")
                accounts.remove(keep_organization=bool(keep))
                self._delete(scenarios[-1], [name for name in everything if name != kept])

    def _delete(self, scenario: str, names: Sequence[str]) -> None:
        left = self._stacks.delete(names)
        self._report.add(Result(scenario, "delete the stacks", "nothing is left of them", "; ".join(left) or "nothing is left of them", not left))

    def _begin(self, scenario: str) -> None:
        """Begin to deploy it, if that has not begun. Raises Refused."""
        for stack in STACKS[scenario]:
            if stack.name not in self._begun:
                self._stacks.create(stack)
                self._begun.add(stack.name)

    def _prepare(self, following: str) -> None:
        """Begin to deploy the next scenario; a refusal is its own result, when its turn comes."""
        if following:
            with contextlib.suppress(Refused):
                self._begin(following)

    def _centralized(self, _: Accounts, following: str) -> None:
        scene = self._deployed("centralized")
        self._prepare(following)
        if scene:
            centralized.check(scene)

    def _service_network(self, accounts: Accounts, following: str) -> None:
        restriction = {"RestrictToOrganization": "yes", "OrganizationId": accounts.organization()}
        foreigner = accounts.foreigner()
        scene = self._deployed("service-network")
        self._prepare(following)
        if scene:
            service_network.check(scene, lambda: self._stacks.update(STACKS["service-network"][0], restriction), foreigner)

    def _combined(self, _: Accounts, following: str) -> None:
        scene = self._deployed("combined")
        self._prepare(following)
        if scene:
            combined.check(scene)
        if same_addresses := self._deployed("combined", variant=1):
            service_network.same_addresses(same_addresses)
        if scene:
            combined.check_logs(scene)

    def _deployed(self, scenario: str, variant: int = 0) -> Scene | None:
        """The scene that a stack makes; None when it did not come about."""
        self._begin(scenario)
        stack = STACKS[scenario][variant]
        deployed = self._stacks.finished(stack.name)
        template = "".join((stack.template, *(f", {key}={value}" for key, value in stack.parameters)))
        seen = "; ".join((f"{deployed.status}, {deployed.resources} resources", *deployed.reasons))
        complete = deployed.status == "CREATE_COMPLETE"
        self._report.add(Result(scenario, f"deploy {template}", "CREATE_COMPLETE", seen, complete))
        return Scene(self._session, self._report, scenario, deployed.outputs, self._folder, self._logs) if complete else None

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
