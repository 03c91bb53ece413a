"""Tests of the proxy's Lua share the policies' short ways to write policies and requests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "policy"))
