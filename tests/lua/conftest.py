"""Tests of the proxy's Lua share the policies' short ways to write policies and requests, and the signers of auth."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("policy", "auth", "javascript"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
