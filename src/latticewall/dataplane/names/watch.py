"""Notice of changes in a folder, by inotify."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_IN_MOVED_TO = 0x80
_IN_CLOSE_WRITE = 0x08
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Calls `changed` on the event loop whenever a file in the folder was replaced or written. Raises OSError when the kernel has no watch left."""

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            _checked(_libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _IN_MOVED_TO | _IN_CLOSE_WRITE))
        except OSError:
            os.close(self._descriptor)
            raise
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        os.read(self._descriptor, 65536)  # which file it was does not matter: whoever is told looks for itself
        self._changed()


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
