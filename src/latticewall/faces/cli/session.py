"""A region as the command line sees it: its state folder, and the running region when there is one."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from latticewall.auth.sigv4 import Credentials
from latticewall.base.secret import Secret
from latticewall.faces.cli.client import Client, Refused
from latticewall.faces.cli.problem import Problem

HOLDER_MODULE = "latticewall.dataplane.holder"
_NAME = "latticewall"


def state_folder(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """--state, else LATTICEWALL_STATE, else the XDG state folder."""
    chosen = given or environment.get("LATTICEWALL_STATE")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    base = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "latticewall"


@dataclass(frozen=True)
class Up:
    """A region that is up (run.json). endpoint: where this machine reaches it."""

    holder_pid: int
    endpoint: str
    started_at: str
    region: str


class Session:
    """One region. named: whether its folder was named on the command line, so that messages repeat the option."""

    def __init__(self, state: Path, *, named: bool = False) -> None:
        self.state = state
        self._named = named

    # -- whether it is up -------------------------------------------------------------------------------------------------------------

    @property
    def command(self) -> str:
        """How to call latticewall for this region, for messages."""
        return f"{_program()} --state {shlex.quote(str(self.state))}" if self._named else _program()

    def find(self) -> Up | None:
        """The running region; None when it is down, or was killed and left its run.json behind. Raises Problem for a folder it may not read."""
        document = self._read("run.json")
        if document is None:
            return None
        try:
            found = Up(int(document["holder_pid"]), reachable(document["endpoint"]), str(document["started_at"]), str(document["region"]))
        except (KeyError, TypeError, ValueError):
            raise self._damaged("run.json") from None
        return found if is_holder(found.holder_pid, self.state) else None

    @cached_property
    def up(self) -> Up:
        """The running region; raises Problem when it is down."""
        found = self.find()
        if found is None:
            raise Problem(f"no region is up for state folder {self.state}: start it with `{self.command} up --detach`")
        return found

    # -- asking it --------------------------------------------------------------------------------------------------------------------

    @cached_property
    def credentials(self) -> Credentials:
        """The administrator's key."""
        document = self._read("credentials.json")
        if document is None:
            raise Problem(f"credentials.json is missing in {self.state}: the region has not finished starting; see {self.state}/logs/control-plane.log")
        try:
            return Credentials(document["access_key_id"], Secret(document["secret_access_key"]))
        except KeyError:
            raise self._damaged("credentials.json") from None

    @cached_property
    def account(self) -> str:
        """The region's 12-digit account."""
        return str((self._read("credentials.json") or {}).get("account", ""))

    @property
    def endpoint(self) -> str:
        return self.up.endpoint

    @property
    def region(self) -> str:
        return self.up.region

    def ask(self, path: str, params: Mapping[str, Any] | None = None, seconds: float = 60.0) -> Any:
        """One of latticewall's own requests: status, plan, wait, instances, counters. Raises Problem."""
        try:
            return Client(self.endpoint, self.region, self.credentials).ask(path, params, seconds)
        except Refused as refused:
            raise Problem(f"the region refuses {path}: {refused.message}") from None

    def call(self, operation: str, params: Mapping[str, Any] | None = None, *, region: str = "", account: str = "") -> Any:
        """An AWS operation ("ec2:DescribeVpcs") as the administrator. Raises Refused with AWS's code and words, Problem when nobody answers."""
        request = {"operation": operation, "params": dict(params or {})}
        if region:
            request["region"] = region
        if account:
            request["account"] = account
        return Client(self.endpoint, self.region, self.credentials).ask("call", request)

    def pages(self, operation: str, params: Mapping[str, Any], member: str) -> list[Any]:
        """All items of a list operation that pages by NextToken or nextToken."""
        found: list[Any] = []
        token: dict[str, str] = {}
        while True:
            answer = self.call(operation, {**params, **token})
            found += answer.get(member) or []
            following = {name: answer[name] for name in ("NextToken", "nextToken") if answer.get(name)}
            if not following or following == token:
                return found
            token = following

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.state / name
        try:
            document = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}: the region may belong to another user") from None
        except ValueError:
            raise self._damaged(name) from None
        if not isinstance(document, dict):
            raise self._damaged(name)
        return document

    def _damaged(self, name: str) -> Problem:
        return Problem(f"{self.state / name} is damaged: run `{self.command} down`, then `up` again")


def _program() -> str:
    """This program as a shell finds it: by its name where that leads here, else by the path that it was called by."""
    path = sys.argv[0]
    return path if Path(path).name == _NAME and path != shutil.which(_NAME) else _NAME


def is_holder(pid: int, state: Path) -> bool:
    """Whether this process is the holder of that state folder: pids are used again, and run.json outlives a crash."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return False
    return HOLDER_MODULE in words and "--state" in words and words[words.index("--state") + 1 :][:1] == [str(state)]


def holder_command(state: Path, listen: str, region: str, *, open_mode: bool) -> list[str]:
    """The holder's command line, with the control plane's after it."""
    python = [sys.executable, "-P", "-m"]
    control_plane = [*python, "latticewall.control_plane", "--state", str(state), "--region", region, *(["--open"] if open_mode else [])]
    return [*python, HOLDER_MODULE, "--state", str(state), "--listen", listen, "--region", region, "--", *control_plane]


def reachable(endpoint: str) -> str:
    """An endpoint that listens on every address is reached by loopback."""
    parts = urlsplit(endpoint)
    loopback = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(parts.hostname or "")  # noqa: S104 - recognised, not bound
    return urlunsplit(parts._replace(netloc=f"{loopback}:{parts.port}")) if loopback else endpoint
