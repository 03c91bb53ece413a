"""PostgreSQL on this machine: the newest release of each major version, wherever distributions put it."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/bin")
"""Debian and Ubuntu; the PostgreSQL project's RPMs; built from source; other distributions."""
PACKAGE = "postgresql"
_VERSION = re.compile(r"PostgreSQL\) (\d+)\.(\d+)")
OLDEST = 13
"""The first major version that is run: RDS has none before it either."""


@dataclass(frozen=True, order=True)
class Release:
    """An installed release. folder: of `postgres` and `initdb`."""

    major: int
    minor: int
    folder: Path

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@functools.cache
def _release_in(folder: Path, _changed: int) -> Release | None:
    answer = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False, timeout=10)
    found = _VERSION.search(answer.stdout)
    return Release(int(found[1]), int(found[2]), folder) if found and int(found[1]) >= OLDEST else None


def releases() -> tuple[Release, ...]:
    """The installed releases, one of each major version, the newest first; none where PostgreSQL is not installed."""
    found: dict[int, Release] = {}
    for place in PLACES:
        for program in sorted(Path("/").glob(place.lstrip("/") + "/postgres")):
            release = _release_in(program.parent, program.stat().st_mtime_ns) if (program.parent / "initdb").exists() else None
            if release and release > found.get(release.major, Release(0, 0, Path())):
                found[release.major] = release
    return tuple(sorted(found.values(), reverse=True))
