"""Which program runs a runtime on this machine, and what it needs to see.

A runtime of exactly that version where the machine has one, else the machine's own Python 3 or Node.js; the function's log says which.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

RUNTIME_FOLDER = Path(__file__).parent / "runtime"
SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""What AWS's Python runtimes bring along; here as far as the region's own Python has it."""
_SECONDS = 10


@dataclass(frozen=True)
class Program:
    """description: for INIT_START. mounts: (host path, path inside). command: memory in MB -> argv."""

    description: str
    mounts: tuple[tuple[str, str], ...]
    command: Callable[[int], list[str]]
    variables: dict[str, str] = field(default_factory=dict)


def missing(runtime: str) -> str:
    """Why a runtime cannot run here; "" when it can."""
    try:
        program_of(runtime)
    except LookupError as error:
        return str(error)
    return ""


@cache
def program_of(runtime: str) -> Program:
    """Raises LookupError with the reason when nothing here runs it."""
    if runtime.startswith("python3."):
        return _python(runtime)
    if runtime.startswith("nodejs"):
        return _node(runtime)
    raise LookupError(f"the runtime {runtime} is not there: python3.x and nodejs are")


def _python(runtime: str) -> Program:
    exact = shutil.which(runtime, path="/usr/local/bin:/usr/bin:/bin")
    own = f"python3.{sys.version_info.minor}"
    executable = os.path.realpath(sys.executable if runtime == own or exact is None else exact)
    found = runtime if exact or runtime == own else own
    sdk = tuple((str(path), f"/var/runtime/{path.name}") for path in _sdk())
    mounts = ((str(RUNTIME_FOLDER / "bootstrap.py"), "/var/runtime/bootstrap.py"), *sdk, *_outside_the_system(executable))
    variables = {"PYTHONPATH": "/var/runtime", "PYTHONDONTWRITEBYTECODE": "1"}
    return Program(_described(runtime, found), mounts, lambda _: [executable, "-s", "/var/runtime/bootstrap.py"], variables)


def _sdk() -> list[Path]:
    found = []
    for name in SDK:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            origin = Path(spec.origin)
            found.append(origin.parent if origin.name == "__init__.py" else origin)
    return found


def _node(runtime: str) -> Program:
    executable = shutil.which("node") or shutil.which("nodejs")
    if executable is None:
        raise LookupError(f"the runtime {runtime} needs Node.js, which is not installed on this machine")
    executable = os.path.realpath(executable)
    version = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False).stdout.strip()
    found = f"nodejs{version.lstrip('v').partition('.')[0]}.x"
    mounts = ((str(RUNTIME_FOLDER / "bootstrap.cjs"), "/var/runtime/bootstrap.cjs"), *_outside_the_system(executable))

    def command(memory: int) -> list[str]:
        return [executable, f"--max-old-space-size={max(memory - 40, 32)}", "/var/runtime/bootstrap.cjs"]

    return Program(_described(runtime, found), mounts, command, {"NODE_PATH": "/opt/nodejs/node_modules:/var/runtime/node_modules:/var/task"})


def _outside_the_system(executable: str) -> tuple[tuple[str, str], ...]:
    """An interpreter that is not under /usr brings its own folder along."""
    folder = Path(executable).parent.parent
    return () if folder.is_relative_to("/usr") or folder == Path("/") else ((str(folder), str(folder)),)


def _described(asked: str, found: str) -> str:
    return found if asked == found else f"{found} (this machine has no {asked})"
