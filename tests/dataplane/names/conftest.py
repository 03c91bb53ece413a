"""The lab: two VPCs with equal addresses and the names process, started once for the tests of this folder that need it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from names_lab import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    trial = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "--mount", "true"], capture_output=True, text=True)
    if trial.returncode:
        pytest.skip(f"no user and network namespaces here: {trial.stderr.strip()}")
    folder: Path = tmp_path_factory.mktemp("names")
    made = Lab(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()
