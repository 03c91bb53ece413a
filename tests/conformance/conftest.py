"""One region for the folder, under a name that no table of regions can know."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.region import Region

from .lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="lw-"))
    region = Region(folder / "state", "mx-north-3")
    try:
        region.up()
        yield Lab(region)
    finally:
        region.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)
