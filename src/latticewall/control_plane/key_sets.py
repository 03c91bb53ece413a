"""Reading the key sets of identity providers from this machine: a file, or a server on a loopback address."""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from latticewall.base.faults import Pending, Unavailable
from latticewall.dataplane.syscalls import disconnect

MAX_BYTES = 1 << 20
MAX_SECONDS = 5.0
FRESH_SECONDS = 30.0
"""How long an answer of a server is used again: the one who asks need not be known, so he cannot make us ask at will."""
_CHUNK = 65_536


class KeySets:
    """The port `key_sets`. host_fd: a TCP socket (IPv4) of the network whose loopback addresses are meant; None for this process's own network.
    clock: seconds, monotonic."""

    def __init__(self, host_fd: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._host_fd = host_fd
        self._clock = clock
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, bytes | Unavailable]] = {}

    def read(self, location: str) -> bytes:
        """The bytes at an absolute path, a file: URL or an http: URL of a loopback address. At most 1 MB within 5 s, redirects not followed.

        Raises Unavailable with the reason, and Pending where a server must be asked first.
        """
        if not location.startswith("http"):
            return _read_file(location.removeprefix("file://"))
        found = self._known(location)
        if found is None:
            raise Pending(lambda: self._ask(location))
        if isinstance(found, Unavailable):
            raise found
        return found

    def _known(self, location: str) -> bytes | Unavailable | None:
        """The last answer, while it counts."""
        with self._lock:
            until, found = self._kept.get(location, (0.0, b""))
        return found if self._clock() < until else None

    def _ask(self, location: str) -> None:
        """One at a time; whoever waited meanwhile finds the answer there."""
        with self._asking:
            if self._known(location) is not None:
                return
            found = self._fetched(location)
            with self._lock:
                self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > self._clock()}
                self._kept[location] = (self._clock() + FRESH_SECONDS, found)

    def _fetched(self, location: str) -> bytes | Unavailable:
        try:
            return self._fetch(location)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return Unavailable(f"{location} cannot be read: {error or type(error).__name__}")

    def _fetch(self, location: str) -> bytes:
        parts = urlsplit(location)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        if parts.scheme != "http" or not _is_loopback(host):
            raise ValueError("only http: URLs of a loopback address and files are read")
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=MAX_SECONDS)
        connection.sock = sock = _connected(self._host_fd, host, parts.port or 80)
        late = threading.Event()

        def end() -> None:
            late.set()
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # whoever reads from it goes on

        timer = threading.Timer(MAX_SECONDS, end)
        timer.start()
        try:
            found = _answer(connection, parts.path + (f"?{parts.query}" if parts.query else "") or "/")
        except (OSError, ValueError, http.client.HTTPException):
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            connection.close()
        if late.is_set():
            raise TimeoutError(f"not answered within {MAX_SECONDS:g} s")
        return found


def _answer(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers={"Accept": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise ValueError(f"status {answer.status}")
    found = b""
    while chunk := answer.read1(_CHUNK):
        found += chunk
        if len(found) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
    if answer.length:
        raise ValueError(f"{answer.length} bytes are missing at the end")
    return found


def _connected(host_fd: int | None, host: str, port: int) -> socket.socket:
    """The host's socket, connected once more, or one of our own. Raises OSError."""
    if host_fd is None:
        return socket.create_connection((host, port), MAX_SECONDS)
    connection = socket.socket(fileno=os.dup(host_fd))
    try:
        disconnect(host_fd)
        connection.settimeout(MAX_SECONDS)
        connection.connect((host, port))
    except OSError:
        connection.close()
        raise
    return connection


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_file(path: str) -> bytes:
    """Only a regular file: opening a pipe or a device could wait for ever."""
    if not path.startswith("/"):
        raise Unavailable(f"`{path}` is not an absolute path")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unavailable(f"{path} is not a regular file")
            found = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Unavailable("the path of the key set is not valid") from None
    if len(found) > MAX_BYTES:
        raise Unavailable(f"{path} is larger than {MAX_BYTES} bytes")
    return found
