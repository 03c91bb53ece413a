"""The functions part of a plan: unpack code, write the process's file, see that the process runs, wait until it has the file in force."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latticewall.base.reasons import reason
from latticewall.dataplane.functions import config as file_format
from latticewall.dataplane.functions.unpack import BadPackage, unpack
from latticewall.dataplane.names.process import replace as replace_file
from latticewall.dataplane.names.process import status_path
from latticewall.plan.functions import Function, FunctionsPlan
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Failure, Report

PATIENCE_SECONDS = 15.0
"""How long a file may take to be in force; a process that was just started is included."""
PACKAGE_SECONDS = 3600.0
Credentials = Callable[[str], Mapping[str, str] | None]
"""Function ARN -> the variables with its role's credentials; None when the role cannot be assumed."""


class FunctionsFailed(Exception):
    """The process did not take the file: it refused it, or is not there."""


def command(folder: Path, state: Path) -> tuple[str, ...]:
    """The process's command line. folder: its own; state: the functions' folder in the region's state."""
    module = "latticewall.dataplane.functions"
    return (sys.executable, "-P", "-m", module, "--folder", str(folder), "--code", str(state / "unpacked"), "--events", str(state / "events"))


class FunctionsApplier:
    """ensure, remove: see that the process with `command` runs; that it does not. state: with packages/, the zips by digest. Without any function there is
    no process."""

    name = "functions"

    def __init__(self, ensure: Callable[[], object], remove: Callable[[], object], credentials: Credentials, folder: Path, state: Path) -> None:
        self._ensure = ensure
        self._remove = remove
        self._credentials = credentials
        self._file = folder / "functions.json"
        self._packages = state / "packages"
        self._unpacked = state / "unpacked"
        for made in (folder, state, self._packages, self._unpacked, state / "events"):
            made.mkdir(mode=0o700, exist_ok=True)
        self._runs: bool | None = None

    def apply(self, plan: NodePlan) -> Report:
        """Raises FunctionsFailed when the process does not follow, OSError when the file cannot be written."""
        wanted = plan.functions
        if not wanted.functions and not self._file.exists():
            if self._runs is not False:
                self._remove()
                self._runs = False
            return Report()
        usable, failures = self._with_code(wanted)
        credentials = {function.arn: found for function in usable if (found := self._credentials(function.arn)) is not None}
        content = file_format.encode(FunctionsPlan(usable, wanted.targets), credentials)
        before = self._file.read_bytes() if self._file.exists() else b""
        if content != before:
            replace_file(self._file, content)
        self._ensure()
        self._runs = True
        self._await(file_format.digest_of(content))
        if not wanted.functions:
            self._file.unlink()
        self._clear(usable)
        return Report(int(content != before), failures)

    def _with_code(self, wanted: FunctionsPlan) -> tuple[tuple[Function, ...], tuple[Failure, ...]]:
        """The functions with those of their versions whose code is there."""
        usable, failures = [], []
        for function in wanted.functions:
            versions = []
            for version in function.versions:
                try:
                    if not (self._unpacked / version.code).exists():
                        unpack(self._packages / f"{version.code}.zip", self._unpacked / version.code)
                    versions.append(version)
                except (BadPackage, OSError) as error:
                    of_version = "" if version.version == "$LATEST" else f":{version.version}"
                    failures.append(Failure("lambda:Function", f"{function.arn}{of_version}", f"its code cannot be unpacked: {reason(error)}"))
            usable.append(replace(function, versions=tuple(versions)))
        return tuple(usable), tuple(failures)

    def _clear(self, usable: tuple[Function, ...]) -> None:
        """Code that no version has any more: unpacked at once (a running environment keeps what it has mounted), packages after a while, for one may have
        been kept for a function that is only now being stored."""
        kept = {version.code for function in usable for version in function.versions}
        for package in self._packages.glob("*.zip"):
            if package.stem not in kept and package.stat().st_mtime < time.time() - PACKAGE_SECONDS:
                package.unlink()
        for folder in self._unpacked.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _await(self, digest: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                status: dict[str, Any] = json.loads(status_path(self._file).read_bytes())
            except (FileNotFoundError, ValueError):
                status = {"digest": "", "rejected": None}
            if status["digest"] == digest:
                return
            if status["rejected"] is not None and status["rejected"]["digest"] == digest:
                raise FunctionsFailed(f"the functions process refuses {self._file}: {status['rejected']['reason']}")
            time.sleep(0.005)
        raise FunctionsFailed(f"the functions process has not taken {self._file} within {PATIENCE_SECONDS:g} s; its log says why")
