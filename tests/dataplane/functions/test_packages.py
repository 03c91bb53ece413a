"""Packages are unpacked inside their folder, whatever they say; frames are read whole or not at all; the file means what was written."""

from __future__ import annotations

import asyncio
import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from latticewall.base.secret import Secret
from latticewall.dataplane.functions import config, frames
from latticewall.dataplane.functions.unpack import BadPackage, check, unpack
from latticewall.plan.functions import Function, FunctionsPlan, FunctionTarget, FunctionVersion

LINK = 0o120777 << 16


def package(*entries: tuple[str, str, int]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text, attributes in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            archive.writestr(info, text)
    return held.getvalue()


def unpacked(folder: Path, content: bytes) -> Path:
    file = folder / "package.zip"
    file.write_bytes(content)
    unpack(file, folder / "code")
    return folder / "code"


def test_files_links_and_modes(tmp_path: Path) -> None:
    code = unpacked(tmp_path, package(("a/b.py", "x", 0), ("run", "y", 0o755 << 16), ("a/link", "b.py", LINK), ("empty/", "", 0o40755 << 16)))
    assert (code / "a/link").read_text() == "x"
    assert [oct((code / name).stat().st_mode & 0o777) for name in ("a/b.py", "run", "a", "empty")] == ["0o644", "0o755", "0o755", "0o755"]


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    content = package(("d", str(outside), LINK), ("d/file", "x", 0))
    with pytest.raises((BadPackage, OSError)):
        unpacked(tmp_path, content)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x"])
def test_names_that_lead_outside_are_refused(name: str) -> None:
    with pytest.raises(BadPackage):
        check(io.BytesIO(package((name, "x", 0))))


def test_a_package_that_says_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("latticewall.dataplane.functions.unpack.LARGEST_UNPACKED", 10)
    content = package(("a", "x" * 11, 0))
    with pytest.raises(BadPackage, match="Unzipped size"):
        check(io.BytesIO(content))
    with pytest.raises(BadPackage):
        unpacked(tmp_path, content)


@pytest.mark.parametrize(
    "entries",
    [
        (("a", "x", 0), ("a", "y", 0)), (("a", "x", 0), ("./a", "y", 0)), (("a", "x", 0), ("a/b", "y", 0)), (("a/b", "y", 0), ("a", "b", LINK)),
        (("a", "x", 0), ("a/", "", 0o40755 << 16)), (("a", "b" * 5000, LINK),), (("a", "", LINK),), (("n" * 256, "x", 0),), (("d/" * 100 + "n", "x", 0),),
        ((".", "x", 0),),
    ],
    ids=["twice", "written-otherwise", "file-and-folder", "link-and-folder", "folder-entry", "long-link", "empty-link", "long-name", "deep", "no-name"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_every_entry_has_a_place_of_its_own(entries: tuple[tuple[str, str, int], ...], tmp_path: Path) -> None:
    content = package(*entries)
    with pytest.raises(BadPackage, match="Could not unzip"):
        check(io.BytesIO(content))
    with suppress(BadPackage, OSError):
        unpacked(tmp_path, content)
    assert not list(tmp_path.glob("*.new")), "nothing half made stays"


def test_names_that_are_not_what_they_say(tmp_path: Path) -> None:
    content = package(("\u00e9.py", "x", 0))
    with pytest.raises(BadPackage):
        check(io.BytesIO(content.replace("\u00e9".encode(), b"\xff\xfe")))
    check(io.BytesIO(content))
    assert (unpacked(tmp_path, content) / "\u00e9.py").read_text() == "x"


@pytest.mark.parametrize("comment", [b"", b"x"])
def test_a_list_of_entries_is_judged_before_it_is_read(comment: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for number in range(500):
            archive.writestr(f"{number}", "")
        archive.comment = comment
    check(held)
    monkeypatch.setattr("latticewall.dataplane.functions.unpack.LARGEST_DIRECTORY", 20_000)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("read"))
    with pytest.raises(BadPackage, match="at most"):
        check(held)


def test_what_is_inside_may_be_more_than_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 10_000_000)
    said = held.getvalue().replace((10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    check(io.BytesIO(said))
    with pytest.raises(BadPackage):
        unpacked(tmp_path, said)
    assert not list(tmp_path.glob("code*"))
    monkeypatch.setattr("latticewall.dataplane.functions.unpack.LARGEST_UNPACKED", 9_999_999)
    with pytest.raises(BadPackage):
        check(held)


def test_a_payload_that_is_too_large_is_thrown_away_and_the_next_frame_is_read() -> None:
    async def read() -> list[frames.Frame]:
        stream = asyncio.StreamReader()
        stream.feed_data(frames.encode("R", {"id": "1"}, b"x" * 100_000) + frames.encode("N", {}, b"y"))
        return [await frames.read(stream, 10), await frames.read(stream, 10)]

    first, second = asyncio.run(read())
    assert (first.kind, first.header, first.payload) == ("R", {"id": "1"}, None)
    assert (second.kind, second.payload) == ("N", b"y")


def test_the_file_means_what_was_written_and_prints_no_secret() -> None:
    version = FunctionVersion("1", "c0de", "python3.12", "a.b", 3, 128, 512, "/aws/lambda/f", (("KEY", Secret("hidden")),))
    function = Function("arn:f", "f", "1", "r", (version,), (("live", (("1", 0.25), ("2", 0.75))),), 3)
    plan = FunctionsPlan((function,), (FunctionTarget("arn:t", "arn:f", "live", "V2", permitted=True),))
    content = config.encode(plan, {"arn:f": {"AWS_SECRET_ACCESS_KEY": "hidden too"}})
    found = config.decode(content)
    assert (found.plan, found.digest) == (plan, config.digest_of(content))
    assert found.credentials["arn:f"]["AWS_SECRET_ACCESS_KEY"].reveal() == "hidden too"
    assert "hidden" not in repr(plan) + repr(found)
    with pytest.raises(config.BadConfig):
        config.decode(content[:-1])
