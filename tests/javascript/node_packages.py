"""The JavaScript packages that tests use, installed once from the lock file into `build/`."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_BUILD = HERE.parents[1] / "build" / "javascript"
_SECONDS = 240
OLDEST_NODE = 20


@functools.cache
def node_modules() -> Path:
    """The folder to name in NODE_PATH. Skips the test where Node.js is missing or too old, or the packages cannot be had."""
    if reason := _no_node():
        pytest.skip(reason)
    files = [HERE / "package.json", HERE / "package-lock.json"]
    folder = _BUILD / hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    if not (folder / "complete").exists():
        _install(files, folder)
    return folder / "node_modules"


def _no_node() -> str:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program}: not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return "" if int(version.lstrip("v").partition(".")[0]) >= OLDEST_NODE else f"node {version} is older than the SDK's {OLDEST_NODE}"


def _install(files: list[Path], folder: Path) -> None:
    """npm removes what an interrupted run left."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    try:
        run = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install the JavaScript SDK's signer within {_SECONDS} seconds")
    if run.returncode:
        pytest.skip(f"npm could not install the JavaScript SDK's signer: {run.stderr.strip().splitlines()[-1:]}")
    (folder / "complete").touch()


def run_node(script: Path, text: str) -> str:
    """What a script of ours (CommonJS) prints for a text on its standard input."""
    environment = {**os.environ, "NODE_PATH": str(node_modules())}
    run = subprocess.run(["node", str(script)], input=text, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout
