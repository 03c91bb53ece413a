"""The script of load balancers' sticky sessions, and the key that its cookies are encrypted with.

The key is the region's own, made once and kept in its state folder, so that cookies outlive restarts. Only the proxy reads it.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from latticewall.base.ports import Random
from latticewall.policy.to_lua import literal

KEY, SCRIPT = "stickiness.key", "stickiness.lua"
KEY_BYTES = 32


def write_script(folder: Path, state: Path, crypto: str, random: Random) -> Path:
    """Put the script where Envoy reads it, and the key where the script does. crypto: path of libcrypto."""
    key = state / KEY
    if not key.exists():
        _write(key, random.token_bytes(KEY_BYTES))
    path, content = folder / SCRIPT, script(key, crypto).encode()
    if not path.exists() or path.read_bytes() != content:  # a control plane that starts again does without space on the disk
        _write(path, content)
    return path


def script(key: Path, crypto: str) -> str:
    source = (resources.files("latticewall.dataplane.envoy") / SCRIPT).read_text()
    return f"local KEY_PATH, CRYPTO_PATH = {literal(str(key))}, {literal(crypto)}\n{source}"


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
    draft.replace(path)
