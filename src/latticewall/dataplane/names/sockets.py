"""Sockets opened inside a network namespace and used from outside of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from latticewall.dataplane.syscalls import CLONE_NEWNET, setns

IP_FREEBIND, IPV6_FREEBIND = 15, 78
"""Linux: bind an address that the namespace does not have (yet), so that the order of addresses and sockets does not matter."""

_T = TypeVar("_T")


def inside(namespace: Path, action: Callable[[], _T]) -> _T:
    """Run `action` in a thread of its own that has entered the network namespace; what it raises is raised here.

    A socket belongs to the namespace it was created in, whatever thread uses it later; the thread ends, so that no other work runs there.
    """
    results: list[_T] = []
    errors: list[OSError] = []

    def run() -> None:
        try:
            setns(namespace, CLONE_NEWNET)
            results.append(action())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=f"setns {namespace.name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def bind_all(kinds: Sequence[socket.SocketKind], address: str, port: int) -> list[socket.socket]:
    """Non-blocking sockets of these kinds bound to the address, stream sockets listening: all of them, or OSError and none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened: list[socket.socket] = []
    try:
        for kind in kinds:
            opened.append(socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC))
            _bind(opened[-1], kind, address, port)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


def _bind(unbound: socket.socket, kind: socket.SocketKind, address: str, port: int) -> None:
    if unbound.family == socket.AF_INET6:
        unbound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        unbound.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        unbound.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
    if kind == socket.SOCK_STREAM:
        unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    unbound.bind((address, port))
    if kind == socket.SOCK_STREAM:
        unbound.listen(128)
