"""Records which operations the tests performed, and how: the source of docs/operations.md (`make coverage`).

A pytest plugin: `pytest -p tests.coverage_page`. Only what a passed test did with success counts. How an operation was performed:

semantics       by the real App, in this process
wire            by a client's HTTP request, through parser, App and serialiser
data plane      by a client of a running region, or in a test that applies plans to network namespaces (markers netns, scenario)
CloudFormation  by a stack's runner, for a resource of a template
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from latticewall.app import App
from latticewall.faces.http import Endpoint
from latticewall.services.cloudformation.runner import StackRunner

FILE = Path(os.environ.get("OPERATIONS_FILE", "build/operations.json"))
WITH_PACKETS = ("netns", "scenario")

_through: ContextVar[str] = ContextVar("through", default="semantics")
_performed: dict[str, set[str]] = defaultdict(set)
"""Way -> operations, of all tests that passed."""
_current: dict[str, set[str]] = defaultdict(set)
"""The same, of the test that runs."""
_packets = False


def _during(way: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, while which operations count as performed that way."""

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        token = _through.set(way)
        try:
            return function(*args, **kwargs)
        finally:
            _through.reset(token)

    return inside


def _perform(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def performed(app: App, tx: Any, caller: Any, model: Any, params: Any, request_id: str, *, inner: bool) -> Any:
        answer = function(app, tx, caller, model, params, request_id, inner=inner)
        if not inner:
            _note(model.qualified_name, "semantics", _through.get(), *(["data plane"] if _packets else []))
        return answer

    return performed


def _api_call(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(client: Any, operation_name: str, api_params: Any) -> Any:
        answer = function(client, operation_name, api_params)
        if _packets:  # the App is in another process then
            _note(f"{client.meta.service_model.service_name}:{operation_name}", "semantics", "wire", "data plane")
        return answer

    return called


def _note(operation: str, *ways: str) -> None:
    for way in ways:
        _current[way].add(operation)


def pytest_configure() -> None:
    """Stand between callers and what they call."""
    for owner, name, wrapped in (
        (App, "_perform", _perform(App._perform)), (Endpoint, "answer", _during("wire", Endpoint.answer)),
        (StackRunner, "step", _during("CloudFormation", StackRunner.step)), (BaseClient, "_make_api_call", _api_call(BaseClient._make_api_call)),
    ):  # fmt: skip
        setattr(owner, name, wrapped)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    global _packets  # noqa: PLW0603 - tests run one after another
    _packets = any(item.get_closest_marker(name) for name in WITH_PACKETS)
    _current.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for way, operations in _current.items():
            _performed[way] |= operations


def pytest_sessionfinish() -> None:
    """Add to what earlier runs and the other processes of this one found: some tests need root, others an ordinary user."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        found = {way: sorted({*known.get(way, ()), *_performed.get(way, ())}) for way in {*known, *_performed}}
        file.truncate(0)
        file.write(json.dumps(found, indent=1, sort_keys=True) + "\n")
