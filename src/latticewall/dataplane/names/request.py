"""The head of an HTTP/1.x request, read strictly. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

MAX_HEAD_BYTES = 8192
MAX_HEADERS = 64

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (/[\x21-\x7e]{0,2047}) HTTP/1\.([01])\Z")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*\Z")


class BadRequest(ValueError):
    """Not a request that this server understands."""


@dataclass(frozen=True)
class Request:
    """method and decoded path (without query string). headers: by lower-case name; a repeated one keeps all values. body_bytes: announced length."""

    method: str
    path: str
    headers: dict[str, tuple[str, ...]]
    keep_alive: bool
    body_bytes: int

    def header(self, name: str) -> str | None:
        """The only value of a header; None when absent. Raises BadRequest when it is given more than once."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise BadRequest(f"{name} is given more than once")
        return values[0] if values else None


def parse(head: bytes) -> Request:
    """The request whose head (up to and including the empty line) this is. Raises BadRequest."""
    lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    line = _REQUEST_LINE.match(lines[0])
    if line is None:
        raise BadRequest("malformed request line")
    if len(lines) - 1 > MAX_HEADERS:
        raise BadRequest("too many headers")
    headers: dict[str, tuple[str, ...]] = {}
    for text in lines[1:]:
        field = _HEADER.match(text)
        if field is None:
            raise BadRequest("malformed header")
        name = field[1].lower()
        headers[name] = (*headers.get(name, ()), field[2])
    if "transfer-encoding" in headers:
        raise BadRequest("no body is expected")
    request = Request(line[1], _decoded(line[2].partition("?")[0]), headers, keep_alive=False, body_bytes=0)
    connection = (request.header("connection") or "").lower()
    keep_alive = connection == "keep-alive" if line[3] == "0" else connection != "close"
    return replace(request, keep_alive=keep_alive, body_bytes=_length(request.header("content-length")))


def _decoded(path: str) -> str:
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("malformed path") from error


def _length(text: str | None) -> int:
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadRequest("malformed content-length")
    return int(text)
