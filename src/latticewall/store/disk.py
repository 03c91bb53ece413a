"""Commits that reach the disk together: one sync of the write-ahead log for all that were made while the last one ran.

SQLite itself would sync in every commit, one after the other, with the only writer waiting each time. Here it only writes (`synchronous = NORMAL`: the log's
frames have checksums, so that after a power failure all commits up to some moment are there, whole), and nobody is answered before a sync has begun after his
commit and has ended. Before a checkpoint moves frames into the database SQLite syncs the log by itself.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Disk:
    """path: of the database. All may be called by any thread."""

    def __init__(self, path: str) -> None:
        self._log = f"{path}-wal"
        self._state = threading.Condition()
        self._committed = 0
        self._committing = False
        self._readers = 0
        """How many wait for the commit to end."""
        self._synced = 0
        self._syncing = False
        self.failed = False
        """A sync has failed: the kernel may have dropped what it could not write, and later syncs would not say so. Until `whole` nobody is answered."""

    def committing(self) -> None:
        """A commit begins: from now on readers may see it."""
        self._committing = True

    def committed(self, *, changed: bool = True) -> None:
        """It has ended, before the next writer may begin. changed: whether it has written anything."""
        with self._state:
            self._committed += changed
            self._committing = False
            if self._readers:
                self._state.notify_all()

    @property
    def is_behind(self) -> bool:
        """Whether something that can be seen is not on the disk yet."""
        return self._committing or self._synced < self._committed or self.failed

    def whole(self) -> None:
        """The log is empty: all of it has been moved into the database, and that synced."""
        with self._state:
            self._synced, self.failed = self._committed, False

    def wait(self, *, seen: bool = False) -> None:
        """Until all that is committed now is on the disk: what was written, and what was seen of others. seen: by a reader, who may have met a commit that
        has not ended. Raises OSError when the disk does not take it."""
        with self._state:
            while seen and self._committing:
                self._readers += 1
                self._state.wait()
                self._readers -= 1
            wanted = self._committed
            while self._synced < wanted:
                if self.failed:
                    raise OSError("the log could not be synced")
                if self._syncing:
                    self._state.wait()
                    continue
                self._syncing, reached = True, self._committed
                self._state.release()
                done = False
                try:
                    self._sync()
                    done = True
                finally:
                    self._state.acquire()
                    self._syncing, self.failed = False, not done
                    if done:
                        self._synced = max(self._synced, reached)
                    self._state.notify_all()

    def _sync(self) -> None:
        with suppress(FileNotFoundError):  # the last connection has closed: all of the log is in the database, which is synced
            descriptor = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
