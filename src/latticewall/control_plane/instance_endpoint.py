"""The region's endpoint as instances reach it: a listening socket on the metadata address inside every VPC, of both families, served by this process.

Ours, not AWS's: there an instance needs a way out, or an interface endpoint. Callers are known by their signatures as everywhere; the source address
of a call is the instance's own. What only the region's administrator may ask (`/_latticewall/`) is not there.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from latticewall.compile.addresses import API_PORT, METADATA, METADATA_IPV6
from latticewall.dataplane.names.sockets import bind_all, inside
from latticewall.faces.asgi import AsgiApp, Receive, Scope, Send
from latticewall.faces.bounded_http import BoundedHttp
from latticewall.faces.http import INNER
from latticewall.faces.serving import server_config
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Namespace
from latticewall.reconcile.applier import Failure, Report

IDLE_SECONDS = 30
_Socket = tuple[str, str]
"""The namespace and the address."""
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class _Listening:
    """inode: the namespace's, so that another one of the same name is noticed."""

    inode: int
    server: asyncio.Server


class InstanceEndpoint:
    """An applier with a thread of its own (`run`). netns: the folder of named network namespaces."""

    name = "instance endpoint"

    def __init__(self, netns: Path) -> None:
        self._netns = netns
        self._loop = asyncio.new_event_loop()
        self._running = threading.Event()
        self._server: uvicorn.Server | None = None
        self._open: dict[_Socket, _Listening] = {}

    def run(self, app: AsgiApp) -> None:
        """Serve until `stop`."""
        config = server_config(WithoutInner(app), timeout_keep_alive=IDLE_SECONDS)
        config.load()
        self._server = uvicorn.Server(config)
        self._loop.call_soon(self._running.set)
        self._loop.run_until_complete(self._server.serve(sockets=[]))

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    def apply(self, plan: NodePlan) -> Report:
        """Listen in every VPC of the plan and in no other. Raises TimeoutError when the thread does not run."""
        if not self._running.wait(_PATIENCE_SECONDS):
            raise TimeoutError("the instance endpoint's thread does not run")
        wanted = {(space.name, address): space.owner for space in plan.namespaces if space.kind == "vpc" for address in _addresses(space)}
        moved = [one for one, listening in self._open.items() if one not in wanted or self._inode(one[0]) != listening.inode]
        for one in moved:
            self._loop.call_soon_threadsafe(self._open.pop(one).server.close)
        failures = []
        missing = sorted(wanted.keys() - self._open.keys())
        for one in missing:
            try:
                self._open[one] = self._listen(*one)
            except OSError as error:
                failures.append(Failure("ec2:Vpc", wanted[one], f"{one[1]} port {API_PORT}: {error.strerror or error}"))
        return Report(len(moved) + len(missing) - len(failures), tuple(failures))

    def _inode(self, name: str) -> int:
        try:
            return (self._netns / name).stat().st_ino
        except OSError:
            return 0

    def _listen(self, name: str, address: str) -> _Listening:
        inode = self._inode(name)
        (opened,) = inside(self._netns / name, lambda: bind_all((socket.SOCK_STREAM,), address, API_PORT))
        return _Listening(inode, asyncio.run_coroutine_threadsafe(self._serve(opened, name), self._loop).result(_PATIENCE_SECONDS))

    async def _serve(self, opened: socket.socket, name: str) -> asyncio.Server:
        assert self._server is not None
        protocol = partial(BoundedHttp, self._server.config, self._server.server_state, {}, place=name)
        return await asyncio.get_running_loop().create_server(protocol, sock=opened)


def _addresses(space: Namespace) -> list[str]:
    """The metadata addresses that a VPC's router has."""
    own = {address.cidr.partition("/")[0] for address in space.addresses}
    return [address for address in (str(METADATA), str(METADATA_IPV6)) if address in own]


class WithoutInner:
    """The endpoint without what only the region's administrator may ask."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["raw_path"].startswith(INNER.encode()):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)
