"""Deployment packages: checked, kept by digest, and unpacked for the environments. Nothing in a package can name a place outside its folder."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

LARGEST_UNPACKED = 262_144_000
MOST_FILES = 50_000
_SYMLINK = 0o120000


class BadPackage(ValueError):
    """Why it cannot be a function's code, in Lambda's words where they are known."""


def check(content: bytes) -> None:
    """Raises BadPackage unless the bytes are a zip whose entries all stay inside it."""
    if not content:
        raise BadPackage("Uploaded file must be a non-empty zip")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise BadPackage("Could not unzip uploaded file. Please check your file, then try to upload again.") from None
    if not entries:
        raise BadPackage("Uploaded file must be a non-empty zip")
    if sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
        raise BadPackage(f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes")
    if len(entries) > MOST_FILES:
        raise BadPackage(f"A package may have at most {MOST_FILES} files")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\0" in entry.filename or entry.flag_bits & 1:
            raise BadPackage("Could not unzip uploaded file. Please check your file, then try to upload again.")


def unpack(package: Path, folder: Path) -> None:
    """Make `folder` with the package's files, readable by everybody inside; links last, so that no file is written through one. Raises BadPackage, OSError."""
    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o755)
    draft.chmod(0o755)
    links = []
    left = LARGEST_UNPACKED
    try:
        with zipfile.ZipFile(package) as archive:
            for entry in archive.infolist():
                target = draft.joinpath(*PurePosixPath(entry.filename).parts)
                _folders(draft, target if entry.is_dir() else target.parent)
                mode = entry.external_attr >> 16
                if entry.is_dir():
                    continue
                if stat.S_IFMT(mode) == _SYMLINK:
                    links.append((target, archive.read(entry).decode("utf-8")))
                    continue
                left = _write(archive, entry, target, 0o755 if mode & 0o111 else 0o644, left)
        for target, pointed in links:
            target.symlink_to(pointed)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, RuntimeError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise BadPackage(f"Could not unzip uploaded file: {error}") from None
    draft.replace(folder)


def _folders(top: Path, folder: Path) -> None:
    missing = []
    while folder != top and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o755)
        one.chmod(0o755)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, mode: int, left: int) -> int:
    """What may still be written after it. What an entry says about its size need not be true."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with archive.open(entry) as source, os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        while piece := source.read(1 << 20):
            left -= len(piece)
            if left < 0:
                raise ValueError(f"it has more than {LARGEST_UNPACKED} bytes")
            file.write(piece)
    target.chmod(mode)
    return left
