"""A region's HTTP face on a loopback port, over a data plane that applies every revision at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from latticewall.faces.asgi import AsgiApp
from latticewall.faces.http import Endpoint
from latticewall.faces.serving import server_config

from .region import Region


class Settler(threading.Thread):
    def __init__(self, region: Region) -> None:
        super().__init__(daemon=True)
        self.region, self.ended = region, threading.Event()

    def run(self) -> None:
        seen = -1
        while not self.ended.is_set():
            revision = self.region.store.wait_beyond(seen, 0.2)
            if revision > seen:
                seen = revision
                self.region.settle()


@contextmanager
def serving(region: Region) -> Iterator[str]:
    """The address of the region's endpoint, in open mode."""
    settler = Settler(region)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        face = Endpoint(region.app, region.caller.account, region.caller.region, lambda _path, _params: None, lambda: None, open_mode=True)
        server = uvicorn.Server(server_config(AsgiApp(face)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        settler.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            settler.ended.set()
            thread.join(10)
            settler.join(10)
