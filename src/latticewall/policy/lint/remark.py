"""A remark about an element, before its place in the text is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from latticewall.policy.source import Path


class Severity(StrEnum):
    """ERROR: it is no policy. WARNING: it does not do what it says. INFO: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Remark:
    """at_name: the element's name rather than its value is meant."""

    severity: Severity
    code: str
    path: Path
    sentence: str
    suggestion: str = ""
    at_name: bool = False


def warning(code: str, path: Path, sentence: str, suggestion: str = "", *, at_name: bool = False) -> Remark:
    return Remark(Severity.WARNING, code, path, sentence, suggestion, at_name)


def info(code: str, path: Path, sentence: str, suggestion: str = "", *, at_name: bool = False) -> Remark:
    return Remark(Severity.INFO, code, path, sentence, suggestion, at_name)
