"""The names part of a plan: write the process's file, see that the process runs, and, when others have done their part meanwhile, wait until the file is in
force."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latticewall.base.memo import Memo
from latticewall.base.ports import Random
from latticewall.dataplane.names import config as file_format
from latticewall.dataplane.names.config import TOKEN_KEY_BYTES, BadConfig
from latticewall.dataplane.names.process import replace as replace_file
from latticewall.dataplane.names.process import status_path
from latticewall.plan.names import MetadataInstance
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Failure, Report

CONFIG = Path("/run/latticewall/names.json")
NETNS = Path("/run/latticewall/netns")
PATIENCE_SECONDS = 10.0
"""How long a file may take to be in force; a process that was just started is included."""

Credentials = Callable[[str], Mapping[str, Any] | None]
"""Instance id -> what instance metadata hands out for its role (Code, LastUpdated, Type, AccessKeyId, SecretAccessKey, Token, Expiration), None when
the role cannot be assumed. Must answer with the same credentials until new ones are due (AWS: at least five minutes before they expire)."""
IDENTITY = "dynamic/instance-identity"
Sign = Callable[[str], Mapping[str, str]]
"""Identity document -> its signatures by name, which stand beside it."""


class NamesFailed(Exception):
    """The process did not take the file: it refused it, or is not there."""


def command(config: Path = CONFIG, netns: Path = NETNS) -> tuple[str, ...]:
    """The process's command line."""
    return (sys.executable, "-P", "-m", "latticewall.dataplane.names", "--config", str(config), "--netns", str(netns))


class NamesApplier:
    """Writes the file; `NamesInForce` waits. ensure: sees that the process with `command(config)` runs, in the base network namespace. random: makes the key
    that signs tokens."""

    name = "names"

    def __init__(self, ensure: Callable[[], object], credentials: Credentials, sign: Sign, random: Random, config: Path = CONFIG) -> None:
        self._ensure = ensure
        self._credentials = credentials
        self._sign = sign
        self._random = random
        self._config = config
        self._memo = Memo()
        self._signing = self._signed
        self._written = b""
        self._key = b""

    def apply(self, plan: NodePlan) -> Report:
        """Raises OSError when the file cannot be written."""
        before = self._read()
        names = replace(plan.names, metadata=self._memo.map(self._signing, plan.names.metadata))
        content = file_format.encode(names, self._token_key(before), self._documents(names.metadata), self._memo)
        if content != before:
            replace_file(self._config, content)
        self._written = content
        self._ensure()
        return Report(changed=int(content != before))

    def in_force(self) -> Report:
        """Once the process has what was last written, if anything could be. Raises NamesFailed when it does not follow."""
        if not self._written:
            return Report()
        status = self._await(file_format.digest_of(self._written))
        return Report(failures=tuple(Failure(*failure) for failure in status["failures"]))

    def _read(self) -> bytes:
        try:
            return self._config.read_bytes()
        except FileNotFoundError:
            return b""

    def _token_key(self, before: bytes) -> bytes:
        """The key in force, so that tokens outlive the control plane; a new one for a new or an unreadable file."""
        if not self._key or before != self._written:
            try:
                self._key = file_format.decode(before).token_key
            except BadConfig:
                self._key = self._random.token_bytes(TOKEN_KEY_BYTES)
        return self._key

    def _signed(self, instance: MetadataInstance) -> MetadataInstance:
        """The instance with the signatures of its identity document."""
        document = dict(instance.documents).get(f"{IDENTITY}/document")
        if document is None:
            return instance
        signatures = ((f"{IDENTITY}/{name}", text) for name, text in self._sign(document).items())
        return replace(instance, documents=tuple(sorted((*instance.documents, *signatures))))

    def _documents(self, instances: tuple[MetadataInstance, ...]) -> dict[str, Mapping[str, Any]]:
        found = {instance.instance_id: self._credentials(instance.instance_id) for instance in instances if instance.role_name}
        return {instance_id: document for instance_id, document in found.items() if document is not None}

    def _await(self, digest: str) -> dict[str, Any]:
        """The process's status, once it is about this file."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                status: dict[str, Any] = json.loads(status_path(self._config).read_bytes())
            except FileNotFoundError:
                status = {"digest": "", "rejected": None}
            if status["digest"] == digest:
                return status
            if status["rejected"] is not None and status["rejected"]["digest"] == digest:
                raise NamesFailed(f"the names process refuses {self._config}: {status['rejected']['reason']}")
            time.sleep(0.001)
        raise NamesFailed(f"the names process has not taken {self._config} within {PATIENCE_SECONDS:g} s; its log says why")


class NamesInForce:
    """The applier that waits for what a NamesApplier has written: later than that one, and before instances boot."""

    name = "names in force"

    def __init__(self, names: NamesApplier) -> None:
        self._names = names

    def apply(self, _plan: NodePlan) -> Report:
        """Raises NamesFailed when the process does not follow."""
        return self._names.in_force()
