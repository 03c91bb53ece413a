"""The region's endpoint as functions reach it: a unix socket, to which the functions process carries what comes in at 127.0.0.1:4566 inside."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn

from latticewall.control_plane.instance_endpoint import WithoutInner
from latticewall.faces.asgi import AsgiApp
from latticewall.faces.bounded_http import BoundedHttp
from latticewall.faces.serving import server_config


class FunctionEndpoint:
    """One thread (`run`) that serves until `stop`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: uvicorn.Server | None = None

    def run(self, app: AsgiApp) -> None:
        config = server_config(WithoutInner(app), http=BoundedHttp)
        self._server = uvicorn.Server(config)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        os.chmod(self._path, 0o600)
        listener.listen(BoundedHttp.TOTAL)
        self._server.run(sockets=[listener])

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
