"""`latticewall policy`: lint a policy, test it against expectations, and keep expectations in the region so that it requires them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latticewall.base.faults import Fault
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session
from latticewall.policy.document import Form, Malformed, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.expectations import Result, check, failed
from latticewall.policy.expectations_file import Misread, Read, inlined, read_expectations
from latticewall.policy.lint import Severity, lint

FORMS = {form.value.replace(" ", "-"): form for form in Form}
_VERBS = {
    ("test", 1): "test FILE",
    ("lint", 1): "lint FILE",
    ("tests", 1): "tests list",
    ("tests", 2): "tests get|delete NAME",
    ("tests", 3): "tests put NAME FILE",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = "lint FILE, test FILE, tests put NAME FILE, tests list, tests get NAME, tests delete NAME"
    parser.add_argument("verb", metavar="lint|test|tests", choices=("lint", "test", "tests"), help=verbs)
    parser.add_argument("words", nargs="+", metavar="FILE|...", help="a policy to lint, expectations to test, or what to do with the tests kept in the region")
    parser.add_argument("--network-policy", metavar="FILE", help="test: the service network's auth policy, in place of the one that the expectations name")
    parser.add_argument("--form", choices=FORMS, default="auth", help="lint: where the policy is attached (default: auth)")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """test: 0 when every expectation is met, 1 when one is not; lint: 0 without warnings and errors, 1 with some; 2 for what cannot be read."""
    if (chosen.verb, len(chosen.words)) not in _VERBS:
        forms = ", ".join(f"`{session.command} policy {form}`" for form in _VERBS.values())
        raise Problem(f"policy {chosen.verb} {' '.join(chosen.words)}: write one of {forms}")
    if chosen.verb == "lint":
        return _lint(chosen.words[0], chosen.form, output)
    if chosen.verb == "test":
        return _test(Path(chosen.words[0]), chosen.network_policy, output)
    return _kept(session, chosen.words, output)


def text_of(path: Path | str) -> str:
    """A file's text. Raises Problem."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"{path} is not UTF-8 text") from None


def _beside(path: Path) -> Read:
    """Files that expectations name are looked for beside them."""
    return lambda name: (path.parent / name).read_text(encoding="utf-8")


# -- test -----------------------------------------------------------------------------------------------------------------------------------


def _test(path: Path, network_policy: str | None, output: Output) -> int:
    try:
        expectations = read_expectations(text_of(path), _beside(path))
    except Misread as problem:
        raise Problem(f"{path}:{problem.line}:{problem.column}: {problem.message}") from None
    results = check(expectations, parsed_set(network_policy) if network_policy else None)
    missed = failed(results)
    if output.as_json:
        output.document({"file": str(path), "passed": len(results) - len(missed), "failed": len(missed), "tests": [_document(result) for result in results]})
        return NOT_AS_EXPECTED if missed else 0
    for result in results:
        _show(path, result, output)
    output.line(f"{len(results) - len(missed)} of {len(results)} expectations are met")
    return NOT_AS_EXPECTED if missed else 0


def parsed_set(path: str) -> PolicySet:
    """An auth policy's file, ready to be asked. Raises Problem with the place of a fault."""
    try:
        return PolicySet([parse_policy(text_of(path), Form.AUTH, path)])
    except Malformed as fault:
        raise Problem(f"{path}:{fault.line}:{fault.column}: {fault.message}", NOT_AS_EXPECTED) from None
    except Fault as fault:
        raise Problem(f"{path}: {fault.message}", NOT_AS_EXPECTED) from None


def _document(result: Result) -> dict[str, Any]:
    test = result.expectation
    found = {"name": test.name, "line": test.line, "passed": result.passed, "expected": str(test.wanted), "got": result.got}
    return found if result.passed else {**found, "why": list(result.why)}


def _show(path: Path, result: Result, output: Output) -> None:
    test = result.expectation
    output.line(f"{'ok  ' if result.passed else 'FAIL'} {test.name}")
    if not result.passed:
        output.line(f"     {path}:{test.line}: expected {test.wanted}, got {result.got}")
        for line in result.why[1:]:
            output.line(f"       {line}")


# -- tests that the region keeps ------------------------------------------------------------------------------------------------------------


def _kept(session: Session, words: list[str], output: Output) -> int:
    steps: dict[str, Callable[[], Any]] = {
        "list": lambda: session.ask("policy-tests", {"action": "list"}),
        "get": lambda: session.ask("policy-tests", {"action": "get", "name": words[1]}),
        "delete": lambda: session.ask("policy-tests", {"action": "delete", "name": words[1]}),
        "put": lambda: session.ask("policy-tests", {"action": "put", "name": words[1], "text": _whole(Path(words[2]))}),
    }
    needed = {"list": 1, "put": 3}.get(words[0], 2)
    if words[0] not in steps or len(words) != needed:
        raise Problem(f"policy tests {' '.join(words)}: write {', '.join(form for (verb, _), form in _VERBS.items() if verb == 'tests')}")
    answer = steps[words[0]]()
    if output.as_json:
        output.document(answer)
    elif words[0] == "list":
        output.table(("name", "tests", "updated"), [(item["name"], str(item["tests"]), item["updated_at"]) for item in answer], numbers=("tests",))
    elif words[0] == "get":
        output.line(answer["text"])
    else:
        output.line(f"{answer['name']}: {answer['tests']} tests {'kept' if words[0] == 'put' else 'deleted'}")
    return 0


def _whole(path: Path) -> str:
    """The expectations with every policy in place: the region never reads a file by name."""
    try:
        return inlined(text_of(path), _beside(path))
    except Misread as problem:
        raise Problem(f"{path}:{problem.line}:{problem.column}: {problem.message}") from None


# -- lint -----------------------------------------------------------------------------------------------------------------------------------


def _lint(path: str, form: str, output: Output) -> int:
    findings = lint(text_of(path), FORMS[form])
    if output.as_json:
        output.document({"file": path, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            hint = f" ({finding.suggestion})" if finding.suggestion else ""
            output.line(f"{path}:{finding.line}:{finding.column}: {finding.severity}: {finding.sentence}{hint} [{finding.code}]")
        if not findings:
            output.line(f"{path}: nothing to remark")
    return NOT_AS_EXPECTED if any(finding.severity is not Severity.INFO for finding in findings) else 0


COMMAND = Command(
    "policy",
    "lint a policy, test it against expectations, keep expectations that the region requires",
    (
        "latticewall policy lint network.json",
        "latticewall policy test network.tests.yaml",
        "latticewall policy tests put shared network.tests.yaml",
        "latticewall policy tests list",
    ),
    run,
    arguments,
)
