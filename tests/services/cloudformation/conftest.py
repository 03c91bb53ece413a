from __future__ import annotations

from pathlib import Path

import pytest

from .region import Region


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)
