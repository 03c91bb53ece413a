"""An HTTP request and response, as bytes and text only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl

from latticewall.base.streamed import Streamed

Headers = tuple[tuple[str, str], ...]

_MAX_FIELDS = 50_000
"""Fields of a form or query string: far above any real request, low enough to bound the work of parsing one."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it arrived. raw_path and raw_query are still percent-encoded; the query is without its question mark."""

    method: str
    raw_path: str
    raw_query: str = ""
    headers: Headers = ()
    body: bytes = b""

    @cached_property
    def _first(self) -> dict[str, str]:
        return {key.lower(): value for key, value in reversed(self.headers)}

    def header(self, name: str) -> str:
        """The first header of that name in any case; empty if there is none."""
        return self._first.get(name.lower(), "")

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query string. Raises ValueError if it is not valid UTF-8 or has absurdly many fields."""
        return tuple(parse_qsl(self.raw_query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)) if self.raw_query else ()

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of the query string and of a form-encoded body; the first of two equal names wins, as at AWS.

        Raises ValueError as `query` does.
        """
        fields = list(self.query)
        if self.header("content-type").partition(";")[0].strip().lower() in ("", "application/x-www-form-urlencoded"):
            text = self.body.decode("utf-8")
            fields += parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        return dict(reversed(fields))


@dataclass(frozen=True)
class HttpResponse:
    """An answer, ready to be written. stream: the body instead, where it is not to be held at once."""

    status: int
    headers: Headers = field(default=())
    body: bytes = b""
    stream: Streamed | None = None

    def header(self, name: str) -> str:
        """The first header of that name in any case; empty if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")
