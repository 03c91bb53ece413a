"""One deployed scenario: its instances, its log groups, and the results of what is tried in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session
from latticewall.faces.walkthrough.inside import Attempt
from latticewall.faces.walkthrough.records import Logs, Record
from latticewall.faces.walkthrough.report import Report, Result
from latticewall.faces.walkthrough.trials import LIMIT, Trial, observed

_READY_SECONDS = 20
_WAIT_FOR_PORT = "for try in $(seq {tries}); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2> /dev/null && exit; sleep 0.05; done; exit 1"


class Scene:
    """scenario: its name in the results. outputs: of the stack; instances are called by the names of their outputs. folder: of the examples."""

    def __init__(self, session: Session, report: Report, scenario: str, outputs: Mapping[str, str], folder: Path, logs: Logs) -> None:
        self.session = session
        self.logs = logs
        self.outputs = outputs
        self._report = report
        self._scenario = scenario
        self._clients = folder / "clients"
        self._inits: dict[str, int] = {}

    # -- programs -----------------------------------------------------------------------------------------------------------------------

    def client(self, name: str, *arguments: str) -> tuple[str, ...]:
        """A client of the examples as a program to run in an instance."""
        interpreter = ("sh",) if name.endswith(".sh") else (sys.executable,)
        return (*interpreter, str(self._clients / name), *arguments)

    def start(self, instance: str, program: Iterable[str], stdin: str = "", seconds: float = LIMIT) -> Attempt:
        """instance: as in the outputs, "Web" for the one whose id is WebInstanceId. Raises Problem when it does not run."""
        id_ = self.outputs[f"{instance}InstanceId"]
        if id_ not in self._inits:
            self._inits = {item["id"]: int(item["pid"]) for item in self.session.ask("instances") if item.get("pid")}
        if id_ not in self._inits:
            raise Problem(f"instance {id_} ({instance}) does not run")
        return Attempt(self._inits[id_], tuple(program), stdin.encode(), seconds)

    def await_servers(self, **ports: int) -> None:
        """Until a server answers on each of these ports, in its own instance. Raises Problem."""
        script = _WAIT_FOR_PORT.format(tries=_READY_SECONDS * 20, port="{port}")
        waiting = {name: self.start(name, ("bash", "-c", script.format(port=port)), seconds=_READY_SECONDS + 5) for name, port in ports.items()}
        late = [name for name, attempt in waiting.items() if attempt.wait().code != 0]
        if late:
            raise Problem(f"no server answers in {', '.join(f'{name} (port {ports[name]})' for name in late)} after {_READY_SECONDS} s")

    def await_applied(self) -> None:
        """Until the data plane has every change that was acknowledged. Raises Problem."""
        if not self.session.ask("wait", {"timeout": 30}, 40)["applied"]:
            raise Problem("the data plane has not applied the newest revision within 30 s: see `latticewall status`")

    # -- results ------------------------------------------------------------------------------------------------------------------------

    def add(self, check: str, expected: str, seen: str, ok: Any) -> None:
        self._report.add(Result(self._scenario, check, expected, seen, bool(ok)))

    def carry_out(self, *trials: Trial) -> None:
        """All at the same time; a result for each, in this order."""
        attempts = [self.start(trial.instance, trial.program, trial.stdin) for trial in trials]
        for trial, attempt in zip(trials, attempts, strict=True):
            outcome = attempt.wait()
            self.add(trial.check, trial.expected.words, observed(outcome), trial.expected.holds(outcome))

    def log_has(self, check: str, group: str, wanted: Mapping[str, Callable[[Record], bool]], lacking: Callable[[Record], frozenset[str]]) -> None:
        """A record for each of what is wanted, all with the documented fields. lacking: the fields that a record lacks."""
        missing = self.logs.missing(group, wanted)
        incomplete = sorted({field for record in self.logs.read(group) for field in lacking(record)})
        faults = [f"no record of {name}" for name in missing] + ([f"without the fields {', '.join(incomplete)}"] if incomplete else [])
        expected = f"a record with all fields of each: {', '.join(wanted)}"
        self.add(check, expected, "; ".join(faults) or f"{len(wanted)} of {len(wanted)}, all fields", not faults)

    def logs_show(self, *groups: str) -> None:
        """`latticewall logs` shows what the groups hold."""
        held = {group: len(self.logs.read(group)) for group in groups}
        lines = self.logs.shown(groups).splitlines()
        shown = {group: sum(f"  {group}  " in line for line in lines) for group in groups}
        short = [group for group in groups if not held[group] or shown[group] < held[group]]
        self.add(
            f"latticewall logs: {', '.join(group.rpartition('/')[2] for group in groups)}",
            "a line for every record",
            f"nothing or not all of {', '.join(short)}" if short else f"{sum(shown.values())} lines",
            not short,
        )
