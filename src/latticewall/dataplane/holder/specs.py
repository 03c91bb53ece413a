"""What the holder can be asked to run. Everything is checked when it arrives, so that nothing can go wrong later for its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RUN = "/run/latticewall/"


class BadSpec(ValueError):
    """A request that cannot be carried out, and which part of it is wrong."""


@dataclass(frozen=True)
class ProcessSpec:
    """A program. netns: the network namespace to start it in, "" for the region's own. env: added to the holder's own environment.

    log: file name below S/logs. restart: start again, with backoff, whenever it ends. stop_seconds: between SIGTERM and SIGKILL. remove: files below
    /run/latticewall that must not exist when it starts (stale sockets). key: a process whose key changes is restarted.
    """

    name: str
    argv: tuple[str, ...]
    netns: str = ""
    env: tuple[tuple[str, str], ...] = ()
    log: str = ""
    restart: bool = True
    stop_seconds: float = 3.0
    remove: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class InstanceSpec:
    """An instance. user_data: base64. boot: names the boot; a repeated start of the first boot runs user data again, a later boot does not."""

    name: str
    netns: str
    hostname: str
    user_data: str
    boot: str

    restart = True
    stop_seconds = 5.0


Spec = ProcessSpec | InstanceSpec


def parse(document: object) -> Spec:
    """The spec of an `ensure` request. Raises BadSpec."""
    if not isinstance(document, Mapping):
        raise BadSpec("spec: an object is needed")
    fields = dict(document)
    kind = fields.pop("kind", "process")
    if kind == "instance":
        return _instance(fields)
    if kind == "process":
        return _process(fields)
    raise BadSpec(f"kind: {kind!r} is neither process nor instance")


def _process(fields: dict[str, Any]) -> ProcessSpec:
    name = _text(fields, "name", _NAME)
    argv = fields.pop("argv", None)
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) and "\0" not in word for word in argv):
        raise BadSpec("argv: a list of words is needed")
    env = fields.pop("env", {})
    if not isinstance(env, Mapping) or not all(_VARIABLE.fullmatch(str(key)) and isinstance(value, str) and "\0" not in value for key, value in env.items()):
        raise BadSpec("env: an object of names and words is needed")
    remove = fields.pop("remove", [])
    if not isinstance(remove, list) or not all(isinstance(path, str) and path.startswith(RUN) and ".." not in path and "\0" not in path for path in remove):
        raise BadSpec(f"remove: paths below {RUN} are needed")
    restart = fields.pop("restart", True)
    stop_seconds = fields.pop("stop_seconds", 3.0)
    if not isinstance(restart, bool) or not isinstance(stop_seconds, int | float) or not 0 <= stop_seconds <= 60:
        raise BadSpec("restart: true or false; stop_seconds: 0 to 60")
    spec = ProcessSpec(
        name, tuple(argv), _text(fields, "netns", _NAME, ""), tuple(sorted(env.items())), _text(fields, "log", _NAME, f"{name}.log"),
        restart, float(stop_seconds), tuple(remove), _text(fields, "key", None, ""),
    )  # fmt: skip
    _all_used(fields)
    return spec


def _instance(fields: dict[str, Any]) -> InstanceSpec:
    name, netns, hostname = _text(fields, "name", _NAME), _text(fields, "netns", _NAME), _text(fields, "hostname", _HOSTNAME)
    spec = InstanceSpec(name, netns, hostname, _text(fields, "user_data", None, ""), _text(fields, "boot", None))
    _all_used(fields)
    return spec


def _all_used(fields: Mapping[str, Any]) -> None:
    if fields:
        raise BadSpec(f"{min(fields)}: unknown")


def _text(fields: dict[str, Any], key: str, pattern: re.Pattern[str] | None, default: str | None = None) -> str:
    value = fields.pop(key, default)
    if not isinstance(value, str) or (value != default and pattern is not None and not pattern.fullmatch(value)):
        raise BadSpec(f"{key}: {value!r} cannot be used")
    return value
