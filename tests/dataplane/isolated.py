"""Running a piece of a test in a forked process with its own user, mount and network namespaces, as root or as an ordinary user."""

from __future__ import annotations

import functools
import gc
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latticewall.dataplane.holder.isolation import isolate


def isolated(test: Callable[..., None]) -> Callable[..., None]:
    """Decorates a test with a `tmp_path`: it runs inside, with tmp_path/run also at /run/latticewall. Its failure is reported with its traceback."""

    @functools.wraps(test)
    def run(*arguments: Any, tmp_path: Path, **named: Any) -> None:
        (tmp_path / "run" / "netns").mkdir(parents=True)
        failure = in_fork(lambda: _inside(tmp_path, lambda: test(*arguments, tmp_path=tmp_path, **named)))
        assert not failure, failure

    return run


def _inside(folder: Path, action: Callable[[], None]) -> None:
    isolate(folder / "run", keep=(folder,))
    action()


def in_fork(action: Callable[[], None]) -> str:
    """Run in a child; "" or the traceback of its exception."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        gc.freeze()  # what is left of servers of earlier tests would wait here for threads that only the parent has
        try:
            os.close(read_end)
            action()
            status = 0
        except BaseException:  # noqa: BLE001
            os.write(write_end, traceback.format_exc()[-60000:].encode())
        finally:
            os._exit(status)
    os.close(write_end)
    text = b""
    while block := os.read(read_end, 65536):
        text += block
    os.close(read_end)
    _, status = os.waitpid(child, 0)
    return text.decode() or ("" if status == 0 else f"ended with {status}")
