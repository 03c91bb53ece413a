"""`latticewall deploy`: create or update a CloudFormation stack, and watch it."""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session
from latticewall.faces.cli.targets import Target, checked_targets

_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
_POLL_SECONDS = 0.2
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_UNUSABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""A stack in these states can only be deleted."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("template", type=Path, metavar="TEMPLATE", help="a CloudFormation template, YAML or JSON")
    parser.add_argument("--stack-name", metavar="NAME", help="the stack's name (default: the template's file name)")
    parser.add_argument("--parameter", action="append", default=[], type=_parameter, metavar="KEY=VALUE", help="a parameter of the template; repeat for more")
    parser.add_argument("--capabilities", nargs="+", choices=_CAPABILITIES, default=list(_CAPABILITIES[:2]), help="what the template may do (default: roles)")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="how long to watch (default: 300)")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """0 when the stack is complete and its targets have been checked, whatever was found; 1 when it failed, 2 when it takes longer than the timeout."""
    template, name = _template(chosen.template), chosen.stack_name or _stack_name(chosen.template)
    deployment = Deployment(session, name, output)
    stack = deployment.describe()
    if stack is not None and stack["StackStatus"] in _UNUSABLE:
        advice = f"delete it first, with `aws cloudformation delete-stack --stack-name {name}`"
        raise Problem(f"stack {name} cannot be updated: it is in {stack['StackStatus']} and can only be deleted: {advice}", NOT_AS_EXPECTED)
    request = {"StackName": name, "TemplateBody": template, "Parameters": chosen.parameter, "Capabilities": chosen.capabilities}
    try:
        changed = deployment.submit(request, exists=stack is not None)
    except Refused as refused:
        raise Problem(f"stack {name} is refused: {refused}", NOT_AS_EXPECTED) from None
    deadline = time.monotonic() + chosen.timeout
    if changed:
        deployment.watch(deadline)
    return deployment.conclude(deadline, changed=changed)


class Deployment:
    """One stack while it is created or updated."""

    def __init__(self, session: Session, name: str, output: Output) -> None:
        self._session = session
        self._name = name
        self._output = output
        self._seen: set[str] = set()
        self._reasons: list[str] = []

    def describe(self) -> dict[str, Any] | None:
        """The stack as it is; None when there is none."""
        try:
            found: list[dict[str, Any]] = self._session.call("cloudformation:DescribeStacks", {"StackName": self._name})["Stacks"]
        except Refused as refused:
            if "does not exist" in refused.message:
                return None
            raise
        return found[0] if found else None

    def submit(self, request: dict[str, Any], *, exists: bool) -> bool:
        """Ask for the change; False when there is nothing to change. Raises Refused."""
        if not exists:
            self._session.call("cloudformation:CreateStack", request)
            return True
        self._seen = {event["EventId"] for event in self._events()}
        try:
            self._session.call("cloudformation:UpdateStack", request)
        except Refused as refused:
            if "No updates are to be performed" in refused.message:
                return False
            raise
        return True

    def watch(self, deadline: float) -> None:
        """Show every event until the stack rests. Raises Problem when it does not in time."""
        while True:
            stack = self.describe()
            for event in self._events():
                self._show(event)
            if stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return
            if time.monotonic() > deadline:
                raise Problem(f"stack {self._name} is still in {stack['StackStatus']}: watch it with `aws cloudformation describe-stack-events`")
            time.sleep(_POLL_SECONDS)

    def conclude(self, deadline: float, *, changed: bool) -> int:
        """Print the outcome, for a complete stack when its targets have been checked; returns the exit code."""
        stack = self.describe() or {"StackStatus": "DELETE_COMPLETE"}
        complete = stack["StackStatus"] in _DONE or (not changed and stack["StackStatus"].endswith("_COMPLETE"))
        outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs") or ()}
        targets = checked_targets(self._session, self._name, deadline, self._waiting) if complete else []
        if self._output.as_json:
            summary = {"stack": self._name, "id": stack.get("StackId"), "status": stack["StackStatus"], "changed": changed}
            own = {"outputs": outputs, "targets": [asdict(target) for target in targets], "reasons": [] if complete else self._reasons}
            self._output.document({**summary, **own})
        else:
            self._output.line(f"stack {self._name}: {stack['StackStatus']}" + ("" if changed else ", nothing to change"))
            for reason in () if complete else self._reasons:
                self._output.line(f"  failed: {reason}")
            for target in filter(_is_amiss, targets):
                self._output.line(f"  {target}")
            for key, value in outputs.items():
                self._output.line(f"  {key} = {value}")
        return 0 if complete else NOT_AS_EXPECTED

    def _events(self) -> list[dict[str, Any]]:
        """Events not shown yet, oldest first."""
        found = self._session.pages("cloudformation:DescribeStackEvents", {"StackName": self._name}, "StackEvents")
        return [event for event in reversed(found) if event["EventId"] not in self._seen]

    def _show(self, event: dict[str, Any]) -> None:
        self._seen.add(event["EventId"])
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason") or ""
        if status.endswith("_FAILED") and "cancelled" not in reason:
            self._reasons.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
        text = f"{str(event['Timestamp'])[11:19]}  {status:<28} {event['LogicalResourceId']}  {event['ResourceType']}"
        self._progress(text + (f"  {reason}" if reason else ""))

    def _waiting(self, targets: int) -> None:
        self._progress(f"waiting for the first health check of {targets} target{'s' if targets > 1 else ''}")

    def _progress(self, line: str) -> None:
        (self._output.remark if self._output.as_json else self._output.line)(line)


def _is_amiss(target: Target) -> bool:
    return target.status in ("INITIAL", "UNHEALTHY")


def _template(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Problem(f"template {path} cannot be read: {reason}") from None


def _stack_name(template: Path) -> str:
    """The file's name as CloudFormation takes it: letters, digits and hyphens, beginning with a letter."""
    return re.sub(r"[^A-Za-z0-9]+", "-", template.stem).strip("-").lstrip("0123456789-") or "stack"


def _parameter(text: str) -> dict[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: KEY=VALUE is needed")
    return {"ParameterKey": key, "ParameterValue": value}


COMMAND = Command(
    "deploy",
    "create or update a CloudFormation stack, and watch it",
    ("latticewall deploy network.yaml", "latticewall deploy network.yaml --stack-name net --parameter VpcCidr=10.1.0.0/16"),
    run,
    arguments,
)
