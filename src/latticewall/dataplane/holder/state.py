"""The state folder of a region: one holder at a time, checked before anything is started."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

SMALLEST_FREE_BYTES = 64 * 1024 * 1024


class CannotStart(Exception):
    """Why the region cannot start, as one line for its user."""


@dataclass(frozen=True)
class StateFolder:
    """S and what is in it."""

    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def instances(self) -> Path:
        return self.path / "instances"

    def prepare(self) -> int:
        """Make the folder, lock it, and clear what an earlier boot left behind. Returns the lock's file descriptor; raises CannotStart."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)
            lock = self._lock()
            self._check_space()
            shutil.rmtree(self.run, ignore_errors=True)
            for folder in (self.run, self.run / "netns", self.logs, self.instances):
                folder.mkdir(exist_ok=True, mode=0o700)
            (self.path / "run.json").unlink(missing_ok=True)
        except OSError as error:
            raise CannotStart(f"state folder {self.path} cannot be used: {error.strerror or error}") from None
        return lock

    def _lock(self) -> int:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise CannotStart(f"state folder {self.path} is in use by another region (process {holder}): stop that one first or choose another state") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _check_space(self) -> None:
        space = os.statvfs(self.path)
        free = space.f_bavail * space.f_frsize
        if free < SMALLEST_FREE_BYTES:
            needed = f"{free // 2**20} MiB left, {SMALLEST_FREE_BYTES // 2**20} are needed"
            raise CannotStart(f"state folder {self.path} has {needed}: free some space or choose another state")

    def announce(self, endpoint: str, region: str, started_at: str) -> None:
        """run.json: the region is up."""
        document = {"holder_pid": os.getpid(), "endpoint": endpoint, "started_at": started_at, "region": region}
        fresh = self.path / "run.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(document) + "\n")
        fresh.replace(self.path / "run.json")

    def clear(self) -> None:
        """Nothing of this boot stays but logs and the database."""
        with contextlib.suppress(OSError):
            (self.path / "run.json").unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)
