"""The process: keeps sockets in the VPCs' namespaces as the file says, and says in the status file beside it what it has done."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from latticewall.dataplane.names import config as file_format
from latticewall.dataplane.names.config import BadConfig, Config
from latticewall.dataplane.names.imds import Served
from latticewall.dataplane.names.metadata import MetadataTree
from latticewall.dataplane.names.place import DNS_PORT, HTTP_PORT, Place
from latticewall.dataplane.names.watch import Watch
from latticewall.dataplane.names.zones import ZoneIndexes, ZoneSet
from latticewall.plan.names import MetadataInstance, Zone

CHECK_SECONDS = 0.5
"""Between attempts to open what could not be opened, and looks whether the namespaces are still those the sockets are in."""
POLL_SECONDS = 0.05
"""Between looks at the file where it cannot be watched."""
METADATA_ADDRESS, METADATA_ADDRESS_IPV6 = "169.254.169.254", "fd00:ec2::254"

_log = logging.getLogger("names")


class Unserved(NamedTuple):
    """Something in the plan that is not served, and why. kind, id: the resource as the store names it."""

    kind: str
    id: str
    reason: str


def status_path(config: Path) -> Path:
    """The status file of a configuration file.

    {"digest": of the file in force, "rejected": {"digest", "reason"} of one that could not be read or null, "failures": [[kind, id, why], ...]}
    """
    return config.with_name(config.name + ".status")


def socket_path(config: Path) -> Path:
    """The unix socket on which the process says that it is there, to whoever connects."""
    return config.with_name(config.name + ".sock")


async def _answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"here\n")
    writer.close()


def replace(path: Path, content: bytes) -> None:
    """Write a file of mode 600 so that a reader sees the old or the new content, never a part. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


class NamesProcess:
    """Follows one configuration file. netns: the folder of named network namespaces."""

    def __init__(self, file: Path, netns: Path) -> None:
        self._file = file
        self._netns = netns
        self._seen: tuple[int, int, int] | None = None
        self._config: Config | None = None
        self._rejected: dict[str, str] | None = None
        self._places: dict[str, Place] = {}
        self._zones: dict[int, tuple[tuple[Zone, ...], ZoneSet]] = {}
        """By the identity of the set of zones, which stays the same as long as they do."""
        self._indexes = ZoneIndexes()
        self._failures: list[Unserved] = []
        self._due: dict[Unserved, float] = {}
        """When to log what fails now."""
        self._reported = b""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then all sockets are closed. A status from before says nothing about this process."""
        status_path(self._file).unlink(missing_ok=True)
        changed = asyncio.Event()
        watch = self._watch(changed.set)
        socket_path(self._file).unlink(missing_ok=True)
        answering = await asyncio.start_unix_server(_answer, socket_path(self._file))
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow(changed, CHECK_SECONDS if watch else POLL_SECONDS))
            await stop.wait()
            following.cancel()
        answering.close()
        if watch is not None:
            watch.close()
        for place in self._places.values():
            place.close()

    async def _follow(self, changed: asyncio.Event, interval: float) -> None:
        """Look at the file when told that it changed, and every `interval` seconds at whether everything is still as it should be."""
        while True:
            changed.clear()
            if self._load() or self._failures or any(place.moved() for place in self._places.values()):
                await self._apply()
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):  # not wait_for: it can lose a cancellation that comes together with the event
                    await changed.wait()

    def _watch(self, changed: Callable[[], None]) -> Watch | None:
        try:
            return Watch(self._file.parent, changed)
        except OSError as error:
            _log.warning("%s cannot be watched (%s): looking at it every %g s", self._file.parent, error.strerror, POLL_SECONDS)
            return None

    def _load(self) -> bool:
        """Read the file if it is another one than last time. False when there is nothing new, or nothing usable."""
        try:
            found = self._file.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen == self._seen:
                return False
            content = self._file.read_bytes()
        except OSError as error:
            if self._seen != (0, 0, 0):
                self._seen = (0, 0, 0)
                _log.error("%s cannot be read: %s; going on with what was read before", self._file, error.strerror)
            return False
        self._seen = seen
        try:
            self._config = file_format.decode(content, self._config.known if self._config else None)
            self._rejected = None
        except BadConfig as error:
            _log.error("%s is not usable: %s; going on with what was read before", self._file, error)
            self._rejected = {"digest": file_format.digest_of(content), "reason": str(error)}
            self._report()
            return False
        return True

    async def _apply(self) -> None:
        """Make sockets and answers what the configuration says, one namespace after the other; a namespace that fails stops no other."""
        config = self._config
        if config is None:
            return
        failures: list[Unserved] = []
        wanted = self._wanted(config)
        for gone in set(self._places) - set(wanted):
            self._places.pop(gone).close()
        for namespace in wanted:
            self._places.setdefault(namespace, Place(self._netns / namespace))
        self._fill_zones(config, failures)
        self._fill_metadata(config, failures)
        for namespace, addresses in wanted.items():
            problems = await self._places[namespace].ensure(addresses)
            failures += [Unserved("ec2:Vpc", namespace, f"{address}:{port}: {reason}") for (address, port), reason in problems.items()]
        self._log_lasting(failures)
        self._failures = failures
        self._report()

    def _log_lasting(self, failures: list[Unserved]) -> None:
        """Log each failure once, when it has lasted: a VPC that goes away loses its namespace a moment before it is gone from the file."""
        now = time.monotonic()
        self._due = {failure: self._due.get(failure, now + CHECK_SECONDS) for failure in failures}
        for failure, due in self._due.items():
            if due <= now:
                _log.warning("%s %s: %s", *failure)
                self._due[failure] = math.inf

    def _wanted(self, config: Config) -> dict[str, set[tuple[str, int]]]:
        """Addresses to listen on, by namespace."""
        wanted: dict[str, set[tuple[str, int]]] = {}
        for resolver in config.plan.resolvers:
            if resolver.enabled:
                wanted.setdefault(resolver.namespace, set()).update((address, DNS_PORT) for address in resolver.addresses)
        for instance in config.plan.metadata:
            served = {METADATA_ADDRESS_IPV6 if ":" in address else METADATA_ADDRESS for address in instance.addresses}
            wanted.setdefault(instance.namespace, set()).update((address, HTTP_PORT) for address in served)
        return wanted

    def _fill_zones(self, config: Config, failures: list[Unserved]) -> None:
        """Index the zones that changed; VPCs with the same zones share their index."""
        held, self._zones = self._zones, {}
        self._indexes.follow(config.zones)
        for resolver in config.plan.resolvers:
            if resolver.namespace not in self._places or not resolver.enabled:
                continue
            of_set = id(resolver.zones)
            if of_set not in self._zones:
                self._zones[of_set] = held.get(of_set) or (resolver.zones, ZoneSet(resolver.zones, self._indexes))
            _, zones = self._zones[of_set]
            self._places[resolver.namespace].resolver.zones = zones
            failures += [Unserved("route53:ResourceRecordSet", what, f"{reason} (in {resolver.vpc_id})") for what, reason in zones.rejected]

    def _fill_metadata(self, config: Config, failures: list[Unserved]) -> None:
        """Tell every namespace its instances. An address that two instances claim identifies neither: nobody is served on it."""
        claims = Counter((instance.namespace, address) for instance in config.plan.metadata for address in instance.addresses)
        served: dict[str, dict[str, tuple[MetadataInstance, MetadataTree]]] = {}
        for instance in config.plan.metadata:
            tree = MetadataTree(instance, config.credentials.get(instance.instance_id))
            for address in instance.addresses:
                if claims[instance.namespace, address] > 1:
                    failures.append(Unserved("ec2:Instance", instance.instance_id, f"another instance too claims {address}: no metadata is served there"))
                else:
                    served.setdefault(instance.namespace, {})[address] = instance, tree
        for namespace, place in self._places.items():
            place.metadata.served = Served(served.get(namespace, {}), config.token_key)

    def _report(self) -> None:
        """Write the status if it says something new (whoever watches the folder is not woken for nothing, this process included)."""
        status = {"digest": self._config.digest if self._config else "", "rejected": self._rejected, "failures": self._failures}
        content = json.dumps(status).encode()
        if content == self._reported:
            return
        try:
            replace(status_path(self._file), content)
            self._reported = content
        except OSError as error:
            _log.error("%s cannot be written: %s", status_path(self._file), error.strerror)
