"""CloudFormation stacks of the walkthrough's templates."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import latticewall
from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session

DEPLOY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_CANCELLED = "Resource creation cancelled"
"""Not a failure of its own: another resource failed first."""
T = TypeVar("T")


@dataclass(frozen=True)
class Stack:
    """A stack to deploy. template: a file in the templates' folder. parameters: besides those that this machine decides."""

    name: str
    template: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Deployed:
    """How a deployment ended. reasons: of its failures, in AWS's words."""

    status: str
    outputs: Mapping[str, str]
    resources: int
    reasons: tuple[str, ...]


def until(condition: Callable[[], T | None], seconds: float, pause: float = _POLL_SECONDS) -> T | None:
    """The first answer that is true; None when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            return None
        time.sleep(pause)
    return answer


def examples() -> Path:
    """The checkout's folder of templates, servers and clients. Raises Problem."""
    folder = Path(latticewall.__file__).parents[2] / "examples" / "walkthrough"
    if not folder.is_dir():
        raise Problem("the walkthrough needs the templates, servers and clients of a checkout: run it from one")
    return folder


class Stacks:
    """The region's stacks. folder: of the templates."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._folder = folder

    def create(self, stack: Stack) -> None:
        """Begin to. Raises Refused."""
        self._session.call("cloudformation:CreateStack", {**self._request(stack, {}), "OnFailure": "DO_NOTHING"})

    def update(self, stack: Stack, changed: Mapping[str, str]) -> None:
        """Begin to, with these parameters changed. Raises Refused."""
        self._session.call("cloudformation:UpdateStack", self._request(stack, changed))

    def finished(self, name: str) -> Deployed:
        """The stack, once nothing moves in it. Raises Problem when that takes too long."""
        found = until(lambda: self._at_rest(name), DEPLOY_SECONDS)
        if found is None:
            raise Problem(f"stack {name} did not come to rest within {DEPLOY_SECONDS:.0f} s")
        resources = self._session.pages("cloudformation:ListStackResources", {"StackName": name}, "StackResourceSummaries")
        outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs") or ()}
        reasons = tuple(
            f"{item['LogicalResourceId']}: {item.get('ResourceStatusReason') or item['ResourceStatus']}"
            for item in resources
            if item["ResourceStatus"].endswith("_FAILED") and item.get("ResourceStatusReason") != _CANCELLED
        )
        return Deployed(found["StackStatus"], outputs, len(resources), reasons or tuple(filter(None, [found.get("StackStatusReason")])))

    def begin_to_delete(self, names: Iterable[str]) -> dict[str, str]:
        """Those that exist; name -> id."""
        ids = {name: str(found["StackId"]) for name in names if (found := self._describe(name)) and found["StackStatus"] != "DELETE_COMPLETE"}
        for name in ids:
            self._session.call("cloudformation:DeleteStack", {"StackName": name})
        return ids

    def delete(self, names: Iterable[str]) -> list[str]:
        """Delete those that exist, together; what could not be deleted, with the reason."""
        ids = self.begin_to_delete(names)
        left = []
        for name, id_ in ids.items():
            ended = self.finished(id_)
            if ended.status != "DELETE_COMPLETE":
                left.append(f"{name}: {ended.status}: {'; '.join(ended.reasons)}")
        return left

    def _request(self, stack: Stack, changed: Mapping[str, str]) -> dict[str, Any]:
        machine = {"ServersPath": str(self._folder / "servers"), "Python": sys.executable}
        values = {**machine, **dict(stack.parameters), **changed}
        return {
            "StackName": stack.name,
            "TemplateBody": (self._folder / stack.template).read_text(),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            "Capabilities": ["CAPABILITY_IAM"],
        }

    def _at_rest(self, name: str) -> dict[str, Any] | None:
        found = self._describe(name)
        if found is None:
            raise Problem(f"stack {name} has disappeared")
        return None if found["StackStatus"].endswith("_IN_PROGRESS") else found

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            found: list[dict[str, Any]] = self._session.call("cloudformation:DescribeStacks", {"StackName": name})["Stacks"]
        except Refused as refused:
            if "does not exist" in refused.message:
                return None
            raise
        return found[0] if found else None
