"""Suricata's command socket ("Interacting via Unix Socket"): one JSON object per command."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_DECODER = json.JSONDecoder()


class NoAnswer(Exception):
    """The engine is not there, does not answer in time, or refuses the command."""


@dataclass(frozen=True)
class RuleStatistics:
    """What the engine says about the rules it has loaded. failed: rules it skipped, each with file, line and text."""

    loaded: int
    failed: tuple[str, ...]


class CommandSocket:
    """One conversation. seconds: how long each answer may take."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(self._seconds)
        try:
            self._socket.connect(str(self._path))
            self._exchange({"version": "0.2"})
        except OSError as error:
            self._socket.close()
            raise NoAnswer(f"the engine's command socket: {error.strerror or error}") from None
        except NoAnswer:
            self._socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, command: str) -> Any:
        """The command's answer. Raises NoAnswer."""
        try:
            return self._exchange({"command": command}).get("message")
        except OSError as error:
            raise NoAnswer(f"{command}: {error.strerror or error}") from None

    def rules(self) -> RuleStatistics:
        """The rules in force."""
        found = self.ask("ruleset-stats")
        loaded = sum(int(tenant["rules_loaded"]) for tenant in found)
        if not any(int(tenant["rules_failed"]) for tenant in found):
            return RuleStatistics(loaded, ())
        refused = (rule for tenant in self.ask("ruleset-failed-rules") for rule in tenant.get("rules", [tenant]))
        return RuleStatistics(loaded, tuple(f"line {rule.get('line')}: {rule.get('rule', '')}" for rule in refused) or ("unnamed",))

    def _exchange(self, document: dict[str, Any]) -> dict[str, Any]:
        self._socket.sendall(json.dumps(document).encode() + b"\n")
        received = ""
        while True:
            block = self._socket.recv(65536)
            if not block:
                raise NoAnswer("the engine closed its command socket")
            received += block.decode(errors="replace")
            try:
                answer, _ = _DECODER.raw_decode(received.lstrip())
            except ValueError:
                continue
            if answer.get("return") != "OK":
                raise NoAnswer(str(answer.get("message", answer)))
            return dict(answer)
