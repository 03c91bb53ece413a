"""Regions for tests: as the user who runs them, and as nobody when that is root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from region import NOBODY, Region, why_not_as_ordinary_user


@pytest.fixture(params=["root", "ordinary user"] if os.geteuid() == 0 else ["own user"])
def region(request: pytest.FixtureRequest) -> Iterator[Region]:
    user = None
    if request.param == "ordinary user":
        if reason := why_not_as_ordinary_user():
            pytest.skip(reason)
        user = NOBODY
    folder = Path(tempfile.mkdtemp(prefix="region-"))
    if user is not None:
        os.chown(folder, user, user)
    started = Region(folder, user)
    yield started
    started.stop()
    shutil.rmtree(folder)
