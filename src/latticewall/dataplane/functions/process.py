"""Follows the configuration file and serves: Envoy on `lattice.sock`, the control plane on `door.sock`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from latticewall.dataplane.functions import config as file_format
from latticewall.dataplane.functions.config import BadConfig, Config
from latticewall.dataplane.functions.door import Door
from latticewall.dataplane.functions.lattice import Lattice
from latticewall.dataplane.functions.log_lines import LogFile
from latticewall.dataplane.functions.pool import Pool
from latticewall.dataplane.functions.spool import Spool
from latticewall.dataplane.names.process import replace, status_path
from latticewall.dataplane.names.watch import Watch
from latticewall.plan.functions import FunctionsPlan

log = logging.getLogger(__name__)
CHECK_SECONDS = 1.0
POLL_SECONDS = 0.1


class FunctionsProcess:
    """folder: functions.json, the sockets, root/, log.jsonl. code, events: folders in the region's state, which outlive a stop."""

    def __init__(self, folder: Path, code: Path, events: Path) -> None:
        self._folder = folder
        self._file = folder / "functions.json"
        self._pool = Pool(folder, code, LogFile(folder / "log.jsonl"))
        self._spool = Spool(events, self._pool)
        self._config = Config("", FunctionsPlan())
        self._seen: tuple[int, int, int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then every environment is ended."""
        status_path(self._file).unlink(missing_ok=True)
        changed = asyncio.Event()
        watch: Watch | None = None
        with suppress(OSError):
            watch = Watch(self._folder, changed.set)
        self._load()
        door = await Door(self._folder / "door.sock", self._pool, self._spool).open()
        self._spool.start()
        options = uvicorn.Config(
            Lattice(self._pool, lambda: self._config), http="httptools", ws="none", log_level="warning", access_log=False, lifespan="off",
            timeout_keep_alive=600, date_header=False, server_header=False, proxy_headers=False,
        )  # fmt: skip
        server = _Server(options)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._follow(changed, CHECK_SECONDS if watch else POLL_SECONDS)),
                group.create_task(self._pool.reap()),
                group.create_task(server.serve(sockets=[_listen(self._folder / "lattice.sock")])),
            ]
            await stop.wait()
            server.should_exit = server.force_exit = True
            for task in tasks[:2]:
                task.cancel()
        door.close()
        await self._pool.close()

    async def _follow(self, changed: asyncio.Event, interval: float) -> None:
        while True:
            changed.clear()
            self._load()
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await changed.wait()

    def _load(self) -> None:
        """Read the file if it is another one than last time, and say so."""
        try:
            found = self._file.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen == self._seen:
                return
            content = self._file.read_bytes()
        except OSError:
            return
        self._seen = seen
        rejected = None
        try:
            self._config = file_format.decode(content)
            self._pool.follow(self._config)
        except BadConfig as error:
            log.error("%s is not usable: %s; going on with what was read before", self._file, error)
            rejected = {"digest": file_format.digest_of(content), "reason": str(error)}
        replace(status_path(self._file), json.dumps({"digest": self._config.digest, "rejected": rejected}).encode())


class _Server(uvicorn.Server):
    """The process has its own signal handlers."""

    def install_signal_handlers(self) -> None:
        return


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    os.chmod(path, 0o600)
    listener.listen(1024)
    return listener
