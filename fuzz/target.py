"""The server behind the fuzzed service: it reads strictly, and hands on every request that arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httptools

from latticewall.auth.canonical import Head

Seen = Callable[[Head], None]
Broken = Callable[[str], None]
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Target(asyncio.Protocol):
    """One connection from the proxy. seen: called with each request's head, header names in lower case, text one character per byte. broken: with why what came
    is no HTTP."""

    def __init__(self, seen: Seen, broken: Broken) -> None:
        self._seen, self._broken = seen, broken
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._lost = asyncio.Event()
        self._between = True

    async def end(self) -> None:
        """Close the connection, and wait until it is."""
        self._transport.close()
        await self._lost.wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self._lost.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._between:  # the proxy sends one request after the other
            line, rest = data[: data.find(b"\n") + 1], data[data.find(b"\n") + 1 :]
            data, self._between = _readable(line) + rest, False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("a request to upgrade")
            self._transport.close()
        except httptools.HttpParserError as error:
            self._broken(f"{type(error).__name__}: {error}: {data[:500]!r}")
            self._transport.close()

    # -- what the parser calls ---------------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        self._seen(Head(method, self._target.decode("latin-1"), tuple(self._headers)))

    def on_message_complete(self) -> None:
        self._between = True
        self._transport.write(_ANSWER)


def _readable(line: bytes) -> bytes:
    """A path may have bytes beyond ASCII, as some clients write it; the parser takes none. Their canonical form is the same."""
    return b"".join(bytes((byte,)) if byte < 0x80 else b"%%%02X" % byte for byte in line)
