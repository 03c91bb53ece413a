"""Asking the holder for processes: one request per connection over its unix socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ANSWER_SECONDS = 30.0
"""Starting an instance is answered when its init runs, within ten seconds."""
_POLL_SECONDS = 0.01


class HolderError(Exception):
    """The holder refused, or does not answer."""


@dataclass(frozen=True)
class Running:
    """A process as the holder sees it. pid: on the host, 0 when it does not run. state: running, stopping, waiting, ended. exit: how it last ended."""

    name: str
    kind: str
    pid: int
    state: str
    restarts: int
    started_at: str
    exit: str


class Processes:
    """The holder's client. All raise HolderError."""

    def __init__(self, path: Path = Path("/run/latticewall/holder.sock")) -> None:
        self._path = path

    def ensure(self, spec: Mapping[str, Any]) -> Running:
        """Have this running (see holder/specs.py for the members); what it is now."""
        return _running(self._ask(op="ensure", spec=dict(spec)))

    def list(self) -> dict[str, Running]:
        """All processes by name."""
        return {item["name"]: _running(item) for item in self._ask(op="list")["processes"]}

    def signal(self, name: str, signal: str) -> bool:
        """Send "TERM", "KILL", "HUP", "INT", "USR1" or "USR2"; False when it does not run."""
        return bool(self._ask(op="signal", name=name, signal=signal)["sent"])

    def remove(self, name: str, wait: float = 10.0) -> None:
        """Stop and forget; returns when it is gone, HolderError when that takes longer than `wait` seconds."""
        if self.remove_all([name], wait):
            raise HolderError(f"{name} does not end")

    def remove_all(self, names: Iterable[str], wait: float = 10.0) -> frozenset[str]:
        """Stop and forget all of these at the same time; those that have not ended after `wait` seconds."""
        left = frozenset(names)
        for name in left:
            self._ask(op="remove", name=name)
        deadline = time.monotonic() + wait
        while left := left & self.list().keys():
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        return left

    def shutdown(self) -> None:
        """End the region."""
        self._ask(op="shutdown")

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_ANSWER_SECONDS)
                connection.connect(str(self._path))
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    answer: dict[str, Any] = json.loads(stream.readline() or b"{}")
        except (OSError, ValueError) as error:
            raise HolderError(f"the holder does not answer: {error}") from None
        if not answer.get("ok"):
            raise HolderError(str(answer.get("error", "the holder closed the connection")))
        return answer


def _running(document: Mapping[str, Any]) -> Running:
    return Running(**{name: document[name] for name in Running.__dataclass_fields__})
