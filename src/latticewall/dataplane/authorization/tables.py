"""A folder of tables shared with Envoy: one file an entry, replaced in one step, and a page of memory that says when to look again."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from latticewall.base import differences

KINDS = ("networks", "services", "identities", "keys")
_PAGE = 4096
_Word = ctypes.c_uint32
T = TypeVar("T")


def digest(text: str) -> str:
    """What an entry's first line says of the rest."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Tables:
    """The only writer of the folder, which only its owner can read: it holds signing keys.

    Written first, announced afterwards: a reader that has seen the new generation finds the new entries.
    """

    def __init__(self, folder: Path) -> None:
        for kind in KINDS:
            (folder / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._written: dict[str, dict[str, str]] = {kind: self._found(kind) for kind in KINDS}
        self._rendered: dict[str, dict[str, object]] = {kind: {} for kind in KINDS}
        self._whole: dict[str, Mapping[str, object]] = {}
        """The entries that were last written to the end: nobody changes them afterwards. What differs from them is written out."""
        self._memory = self._map()
        self._generation = _Word.from_buffer(self._memory, 0)
        self._usable_until = _Word.from_buffer(self._memory, 4)

    def write(self, kind: str, entries: Mapping[str, T], render: Callable[[T], str] = str) -> int:
        """Make these the entries of a kind, by name; how many were written or removed. Names are ids of resources and access keys. render: an entry's text,
        asked only of entries that are not equal to what they were the last time."""
        known, rendered = self._written[kind], self._rendered[kind]
        whole = self._whole.pop(kind, None)
        doubtful = known.keys() | entries.keys() if whole is None else differences.keys(whole, entries)
        changed = 0
        for name in doubtful - entries.keys():
            (self._folder / kind / name).unlink(missing_ok=True)
            known.pop(name, None)
            rendered.pop(name, None)
            changed += 1
        for name in doubtful & entries.keys():
            entry = entries[name]
            if rendered.get(name) == entry:
                continue
            text = render(entry)
            version = digest(text)
            if known.get(name) != version:
                self._replace(kind, name, f"--{version}\n{text}")
                known[name] = version
                changed += 1
            rendered[name] = entry
        self._whole[kind] = entries
        return changed

    def announce(self) -> None:
        """Have readers look again, from the next request on."""
        self._generation.value = (self._generation.value + 1) & 0xFFFFFFFF

    def extend(self, until: int) -> None:
        """Until when the tables may be used, in seconds since 1970; after it readers deny everything."""
        self._usable_until.value = until

    def _found(self, kind: str) -> dict[str, str]:
        """What an earlier process wrote, by the digest in its first line."""
        found = {}
        for file in (self._folder / kind).iterdir():
            with file.open("rb") as opened:
                found[file.name] = opened.readline().decode("latin-1").strip().removeprefix("--")
        return found

    def _replace(self, kind: str, name: str, text: str) -> None:
        new = self._folder / ".new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(self._folder / kind / name)

    def _map(self) -> mmap.mmap:
        """The shared page. The file is made once and never replaced or cut: readers have it mapped."""
        path = self._folder / "generation"
        if not path.exists():
            new = self._folder / ".new"
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(bytes(_PAGE))
            new.replace(path)
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), _PAGE)
