"""The URI templates of the REST protocols: `/services/{serviceIdentifier}/listeners`, `/{Bucket}/{Key+}`.

Matched against the path still percent-encoded: an ARN is one encoded segment and must not be split on the slashes inside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True)
class UriTemplate:
    """segments: literals, or labels in braces (a greedy one ends with `+}`). query: what the template itself demands of the query."""

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]

    @property
    def greedy(self) -> bool:
        return any(segment.endswith("+}") for segment in self.segments)

    @property
    def literals(self) -> tuple[bool, ...]:
        """For ranking: a literal beats a label, and an earlier one counts more; demanded query fields break ties."""
        return (*(not segment.startswith("{") for segment in self.segments), bool(self.query))

    def match(self, raw_path: str) -> dict[str, str] | None:
        """The decoded labels by name, or None. Raises ValueError for a label that is not UTF-8."""
        greedy_end = bool(self.segments) and self.segments[-1].endswith("+}")
        parts = raw_path.removeprefix("/").split("/") if greedy_end else split(raw_path)  # S3's keys may begin and end with slashes
        labels: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            if segment.endswith("+}"):
                rest = len(self.segments) - position - 1
                end = len(parts) - rest
                if end <= position or (greedy_end and parts[position:end] == [""]):
                    return None
                labels[segment[1:-2]] = unquote("/".join(parts[position:end]), errors="strict")
                tail = UriTemplate(self.segments[position + 1 :], ()).match("/" + "/".join(parts[end:])) if rest else {}
                return None if tail is None else labels | tail
            if position >= len(parts):
                return None
            if segment.startswith("{"):
                if not parts[position]:
                    return None
                labels[segment[1:-1]] = unquote(parts[position], errors="strict")
            elif segment != parts[position]:
                return None
        return labels if len(parts) == len(self.segments) else None


def split(raw_path: str) -> list[str]:
    """The segments of a path; a trailing slash makes no difference (Route 53's own template has one, its clients differ)."""
    return raw_path.strip("/").split("/") if raw_path.strip("/") else []


@cache
def uri_template(request_uri: str) -> UriTemplate:
    """The parsed form of a model's `requestUri`."""
    path, _, query = request_uri.partition("?")
    return UriTemplate(tuple(split(path)), tuple(parse_qsl(query, keep_blank_values=True)))
