"""Deployment packages: checked, kept by digest, and unpacked for the environments. Nothing in a package can name a place outside its folder."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

LARGEST_UNPACKED = 262_144_000
MOST_FILES = 50_000
LARGEST_DIRECTORY = 16 * 1024 * 1024
"""Bytes of the list of entries."""
LONGEST_NAME, LONGEST_PATH = 255, 3000
"""Bytes, as Linux has them, less what goes before a path of the package."""
TOO_LARGE = f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes"
MOST_FOLDERS = 100
"""Above one another: what removes them goes down as deep."""
_TOO_MANY = f"A package may have at most {MOST_FILES} files"
_NO_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_END_BYTES, _LONGEST_END = 22, 22 + 65_535 + 76
_ENCRYPTED = 1
_SYMLINK = 0o120000


class BadPackage(ValueError):
    """Why it cannot be a function's code, in Lambda's words where they are known."""


def check(package: BinaryIO) -> None:
    """Raises BadPackage unless this is a zip whose entries all stay inside it, each with a place of its own."""
    if not package.seek(0, os.SEEK_END):
        raise BadPackage("Uploaded file must be a non-empty zip")
    try:
        if _directory_bytes(package) > LARGEST_DIRECTORY:
            raise BadPackage(_TOO_MANY)
        with zipfile.ZipFile(package) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, UnicodeDecodeError, struct.error):
        raise BadPackage(_NO_ZIP) from None
    if not entries:
        raise BadPackage("Uploaded file must be a non-empty zip")
    if sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
        raise BadPackage(TOO_LARGE)
    if len(entries) > MOST_FILES:
        raise BadPackage(_TOO_MANY)
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if not _is_possible(path, entry) or path in files:
            raise BadPackage(_NO_ZIP)
        (folders if entry.is_dir() else files).add(path)
        folders.update(path.parents)
    if files & folders:
        raise BadPackage(_NO_ZIP)


def _is_possible(path: PurePosixPath, entry: zipfile.ZipInfo) -> bool:
    if path.is_absolute() or ".." in path.parts or not (path.parts or entry.is_dir()) or "\0" in entry.filename or entry.flag_bits & _ENCRYPTED:
        return False
    if len(path.parts) > MOST_FOLDERS or len(os.fsencode(path)) > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts):
        return False
    return stat.S_IFMT(entry.external_attr >> 16) != _SYMLINK or 0 < entry.file_size < LONGEST_PATH


def _directory_bytes(package: BinaryIO) -> int:
    """How large a zip says its list of entries is, which zipfile reads whole; 0 without one. ZIP application note, 4.3.14 and 4.3.16."""
    package.seek(max(0, package.seek(0, os.SEEK_END) - _LONGEST_END))
    end = package.read()
    at = len(end) - _END_BYTES
    if at < 0 or end[at : at + 4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        at = end.rfind(b"PK\x05\x06")
    wide = end[at - 76 : at - 20] if at >= 76 else b""
    if wide[:4] == b"PK\x06\x06":
        return int.from_bytes(wide[40:48], "little")
    return int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0


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
                    links.append((target, os.fsdecode(archive.read(entry))))
                    continue
                left = _write(archive, entry, target, 0o755 if mode & 0o111 else 0o644, left)
        for target, pointed in links:
            target.symlink_to(pointed)
        draft.replace(folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError, RuntimeError) as error:
        raise BadPackage(f"Could not unzip uploaded file: {error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


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
