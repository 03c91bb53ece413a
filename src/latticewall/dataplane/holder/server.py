"""The unix socket: one JSON object per line in, one per line out."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from latticewall.dataplane.holder.specs import BadSpec, parse
from latticewall.dataplane.holder.supervisor import Supervisor

LONGEST_LINE = 1024 * 1024
_SIGNALS = {"HUP": signal.SIGHUP, "INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "USR1": signal.SIGUSR1, "USR2": signal.SIGUSR2}


class Server:
    """Answers `ensure`, `remove`, `signal`, `list` and `shutdown`. shutdown: called for the last."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, supervisor: Supervisor, shutdown: Callable[[], None]) -> None:
        self._selector = selector
        self._supervisor = supervisor
        self._shutdown = shutdown
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(str(path))
        os.chmod(path, 0o600)
        self._listener.listen(16)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(0)
        received = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection, received))

    def _read(self, connection: socket.socket, received: bytearray) -> None:
        try:
            block = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        received += block
        while (end := received.find(b"\n")) >= 0:
            line = bytes(received[:end])
            del received[: end + 1]
            self._answer(connection, line)
        if not block or len(received) > LONGEST_LINE:
            self._selector.unregister(connection)
            connection.close()

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        """Answers are small; a client that does not read them loses the connection, never the holder's time."""
        try:
            answer = {"ok": True, **self._perform(json.loads(line))}
        except (BadSpec, ValueError) as error:
            answer = {"ok": False, "error": str(error)}
        with contextlib.suppress(OSError):
            text = json.dumps(answer).encode() + b"\n"
            connection.settimeout(1.0)
            connection.sendall(text)
        with contextlib.suppress(OSError):
            connection.settimeout(0)

    def _perform(self, request: object) -> Mapping[str, Any]:
        if not isinstance(request, dict):
            raise BadSpec("a request is an object")
        match request.get("op"):
            case "ensure":
                return self._supervisor.ensure(parse(request.get("spec"))).describe()
            case "remove":
                self._supervisor.remove(str(request.get("name")))
                return {}
            case "signal":
                number = _SIGNALS.get(str(request.get("signal")))
                if number is None:
                    raise BadSpec(f"signal: one of {', '.join(_SIGNALS)} is needed")
                return {"sent": self._supervisor.signal(str(request.get("name")), number)}
            case "list":
                return {"processes": [process.describe() for process in self._supervisor.processes.values()]}
            case "shutdown":
                self._shutdown()
                return {}
            case unknown:
                raise BadSpec(f"op: {unknown!r} is unknown")
