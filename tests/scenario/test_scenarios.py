"""The walkthrough as a user runs it: everything as expected, in bounded time, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(400)]

SECONDS = 150
"""Until it has hung: how long it takes is a matter of what else the machine does."""
ORPHANS = Path(__file__).with_name("orphans.py")
COMMAND = [sys.executable, "-m", "latticewall.faces.cli.main"]
KEPT = {
    "certificate-authority", "credentials.json", "databases", "functions", "identity", "instances", "lock", "logs",
    "region.db", "region.db-shm", "region.db-wal", "stickiness.key",
}  # fmt: skip


class Run:
    """One `latticewall walkthrough`. left: the processes that it left running."""

    def __init__(self, folder: Path, *options: str) -> None:
        report = folder / "left"
        state = folder / "state"
        done = subprocess.run(
            [sys.executable, str(ORPHANS), str(report), *COMMAND, "--state", str(state), "walkthrough", *options, "--output", "json"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
        )  # fmt: skip
        self.code, self.errors = done.returncode, done.stderr
        assert done.stdout, f"no answer: {done.stderr}"
        self.results: list[dict[str, Any]] = json.loads(done.stdout)
        self.left = report.read_text()
        self.files = set(os.listdir(state))
        self.mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in line]
        self.in_use = _users_of(state)

    def check(self, *wanted: str) -> None:
        """As expected in every way; `wanted` are words of checks that must be among the results."""
        wrong = [result for result in self.results if not result["ok"]]
        assert not wrong, f"{json.dumps(wrong, indent=1)}\n{self.errors}"
        assert self.code == 0, self.errors
        assert all(set(result) == {"scenario", "check", "expected", "observed", "ok"} for result in self.results)
        checks = "\n".join(result["check"] for result in self.results)
        assert not [words for words in wanted if words not in checks]
        assert not self.left, "processes are left"
        assert not self.mounts
        assert not self.in_use, "files of the region are in use"
        assert self.files <= KEPT


def _users_of(folder: Path) -> list[str]:
    """Open files and working folders of processes below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [process / "cwd", *(process / "fd").iterdir()]
            found += [f"{process.name}: {target}" for link in links if (target := os.readlink(link)).startswith(f"{folder}/")]
        except OSError:
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """For one region, which is brought down whatever happens."""
    yield tmp_path
    subprocess.run([*COMMAND, "--state", str(tmp_path / "state"), "down", "--purge"], capture_output=True, timeout=60)


def test_centralized(folder: Path) -> None:
    run = Run(folder, "--scenario", "centralized")
    run.check("redis-cli", "pymongo", "Production to Dev", "card number", "alert log", "flow log has every connection", "engines killed", "nobody starts them")


def test_combined(folder: Path) -> None:
    run = Run(folder, "--scenario", "combined")
    run.check("bytes through firewall and Transit Gateway", "the same address", "access log has every request", "flow log, connections to logging")


def test_service_network_again_and_again(folder: Path) -> None:
    """A walkthrough finds the state that the one before left. `--keep` leaves region and stack too; a walkthrough that finds them uses the region, replaces the
    stack and leaves the region up."""
    run = Run(folder, "--scenario", "service-network")
    run.check("before the policy", "keeps a connection open", "--aws-sigv4", "botocore")
    run.check("wrong secret", "ten minutes", "another path", "another organization")
    run.check("redis-cli", "auth policy on the resource", "the policy is deleted", "access log of the service", "access log of the resource")
    assert [result["scenario"] for result in run.results] == ["service-network"] * len(run.results)
    state = str(folder / "state")

    def latticewall(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, "--state", state, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS)

    kept = latticewall("walkthrough", "--scenario", "service-network", "--keep")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert "all as expected" in kept.stdout
    assert "where to look next" in kept.stdout
    signed = str(Path(__file__).parents[2] / "examples" / "walkthrough" / "clients" / "signed.sh")
    answer = latticewall("exec", "web", "--", "sh", signed, "http://logging.example.com:5044/echo")
    assert "x-amzn-lattice-identity" in answer.stdout.lower(), answer.stderr
    again = latticewall("walkthrough", "--scenario", "service-network")
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(latticewall("status", "--output", "json").stdout)["state"] == "up"
    assert json.loads(latticewall("down", "--output", "json").stdout) == {"state": "down", "was_up": True, "purged": False, "left": []}
