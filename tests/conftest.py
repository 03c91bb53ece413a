"""Which groups of tests this machine can run, and why not; in CI a group that is skipped as a whole fails the run."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from latticewall.faces.cli.system import missing_tools, search_path

# Before anything imports gRPC, which reads it then: its fork handlers start threads in a forked child, and one with threads cannot enter a user namespace.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
MUST_RUN_IN_CI = ("netns", "engines", "scenario")
"""Terraform is not here: machines without it are expected."""
_outcomes: dict[str, Counter[str]] = {}
_reasons: dict[str, str] = {}


def _programs(*names: str) -> str:
    missing = [name for name in names if shutil.which(name, path=search_path()) is None]
    return f"{', '.join(missing)}: not installed" if missing else ""


@functools.cache
def no_namespaces() -> str:
    """Why this machine refuses private namespaces, "" if it does not."""
    if reason := _programs("unshare", "ip", "nft"):
        return reason
    trial = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "--mount", "true"], capture_output=True, text=True)
    return f"no user and network namespaces here: {trial.stderr.strip()}" if trial.returncode else ""


@functools.cache
def no_engines() -> str:
    """Why Envoy or Suricata cannot run."""
    missing = [tool.name for tool in missing_tools()]
    return f"{', '.join(missing)}: not installed" if missing else ""


@functools.cache
def no_scenario() -> str:
    """Why a whole region with its servers and clients cannot run."""
    return no_namespaces() or no_engines() or _programs("redis-server", "redis-cli", "curl")


@functools.cache
def no_terraform() -> str:
    return _programs("terraform")


REASONS: dict[str, Callable[[], str]] = {"netns": no_namespaces, "engines": no_engines, "scenario": no_scenario, "terraform": no_terraform}


def pytest_configure() -> None:
    """Ordinary users' PATH leaves out where nft and ip are."""
    os.environ["PATH"] = search_path()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what cannot run, with the reason. Where several processes share the files, the long ones come first, and the short ones fill up the end."""
    if hasattr(config, "workerinput"):
        places = _places(items)
        items.sort(key=lambda item: places[item.path])
    for item in items:
        for group, why_not in REASONS.items():
            if item.get_closest_marker(group) and (reason := why_not()):
                item.add_marker(pytest.mark.skip(reason=reason))


def _places(items: list[pytest.Item]) -> dict[Path, int]:
    """Of each file: by the first of these groups that any of its tests is in. Terraform's tests wait for minutes, while others use the processors."""
    groups = ("terraform", "scenario", "engines", "netns")
    places: dict[Path, int] = {}
    for item in items:
        place = next((number for number, group in enumerate(groups) if item.get_closest_marker(group)), len(groups))
        places[item.path] = min(place, places.get(item.path, place))
    return places


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what ran and what was skipped, by group."""
    if report.when == "teardown" or (report.when == "setup" and report.passed):
        return
    for group in REASONS.keys() & set(report.keywords):
        _outcomes.setdefault(group, Counter())[report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            _reasons[group] = str(report.longrepr[2]).removeprefix("Skipped: ")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of several processes, the one that collects their reports decides."""
    if hasattr(session.config, "workerinput"):
        return
    if session.exitstatus == pytest.ExitCode.OK and os.environ.get("CI") == "true" and _skipped_groups():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for group in _skipped_groups():
        consequence = "which fails the run in CI" if os.environ.get("CI") == "true" else "which would fail in CI"
        terminalreporter.write_line(f"all tests of the group {group} were skipped ({_reasons[group]}), {consequence}", red=True)


def _skipped_groups() -> list[str]:
    return [group for group in MUST_RUN_IN_CI if group in _outcomes and set(_outcomes[group]) == {"skipped"}]
