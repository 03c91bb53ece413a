"""What is asked: one request, from where, by whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from latticewall.analyze.gate import Unclear
from latticewall.base.lattice_headers import is_ours_to_say

DEFAULT_PORTS = {"http": 80, "https": 443, "tls": 443, "tcp": 0}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_TARGET = re.compile(r"/[\x21-\x7e]*\Z")


@dataclass(frozen=True)
class Asked:
    """A request as its client would send it. host: lower case, without port. target: path and query as on the wire. headers: in order, without Host."""

    method: str
    host: str
    port: int
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    scheme: str = "http"
    """http, https: a request to a service. tls: a connection to a TLS listener, which sees no request. tcp: a connection to a TCP resource."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def authority(self) -> str:
        """The Host header that a client sends: with the port where it is not the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def header(self, name: str) -> str:
        """The first value of a header, "" without."""
        return next((value for own, value in self.headers if own.lower() == name), "")


def asked(method: str, url: str, headers: list[str] | tuple[str, ...] = ()) -> Asked:
    """Read a method, a URL and header lines ("name: value"); headers that no client can send are left out, as on their way. Raises Unclear."""
    if not _TOKEN.match(method):
        raise Unclear(f"`{method}` is not an HTTP method")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unclear(f"`{url}` is not a URL: {error}") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise Unclear(f"`{url}` is not a URL of the form http://service/path, https://service/ or tcp://resource:port")
    if parts.scheme == "tcp" and not port:
        raise Unclear(f"`{url}` names no port")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.match(target):
        raise Unclear("the path and query of the URL must be percent-encoded ASCII, as they are on the wire")
    sent = tuple(header for header in map(_header, headers) if not is_ours_to_say(header[0]))
    if parts.scheme not in ("http", "https"):
        host = host.rstrip(".")  # of the name, nothing but its addresses counts; a Host with the last dot is another one
    return Asked(method, host.lower(), port or DEFAULT_PORTS[parts.scheme], target, sent, parts.scheme)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.match(name.strip()) or any(character in value for character in "\r\n\0"):
        raise Unclear(f"`{line}` is not a header of the form `name: value`")
    return name.strip().lower(), value.strip()
