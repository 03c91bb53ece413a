"""How policy tests are kept as rows and named by tags: agreed between the control plane, which stores them, and the services that require them."""

from __future__ import annotations

import re

KIND = "latticewall:PolicyTests"
"""Rows of this kind: id = the name; `_text` = the expectations, every policy in place."""
TAG = "latticewall:policy-tests"
"""On a service network: the name of the policy tests that an auth policy must pass."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
