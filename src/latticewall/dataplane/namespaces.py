"""Network namespaces as files: made, entered and removed. Methods raise KernelError or OSError."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from latticewall.compile.render.network import namespace_name
from latticewall.dataplane import syscalls
from latticewall.dataplane.kernel import KernelError

_T = TypeVar("_T")


class Namespaces:
    """The namespaces whose files lie in one folder. A file that is not (any more) a mounted namespace does not count as one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / namespace_name(name)

    def names(self) -> frozenset[str]:
        try:
            device = self.folder.stat().st_dev
            return frozenset(entry.name for entry in os.scandir(self.folder) if entry.stat().st_dev != device)
        except FileNotFoundError:
            return frozenset()

    def create(self, name: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        in_thread(f"make {name}", lambda: _new_namespace(path))

    def delete(self, name: str) -> None:
        path = self.path(name)
        while name in self.names():
            syscalls.unmount(path)
        path.unlink(missing_ok=True)

    def inside(self, name: str, action: Callable[[], _T]) -> _T:
        """Run `action` in a thread that has entered the namespace; subprocesses it starts are inside too. "" is where the caller is."""
        if not name:
            return action()
        path = self.path(name)

        def entered() -> _T:
            try:
                syscalls.setns(path, syscalls.CLONE_NEWNET)
            except OSError as error:
                raise KernelError(f"namespace {name}: {error.strerror}") from None
            return action()

        return in_thread(f"in {name}", entered)


def in_thread(name: str, action: Callable[[], _T]) -> _T:
    """Run in a thread of its own that ends afterwards, so that whatever it did to itself is forgotten; its result or its exception."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _new_namespace(path: Path) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNET)
    syscalls.mount("/proc/thread-self/ns/net", path, flags=syscalls.MS_BIND)
