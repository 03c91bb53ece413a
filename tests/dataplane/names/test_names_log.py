"""What the process writes into its log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from latticewall.dataplane.names.config import encode
from latticewall.dataplane.names.process import NamesProcess, replace, status_path
from latticewall.plan.names import NamesPlan, Resolver


def test_only_what_lasts_is_logged_and_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A namespace that is missing is reported at once; the log names it when it stays missing."""
    file = tmp_path / "names.json"
    replace(file, encode(NamesPlan((Resolver("vpc-a", "vpc-a", ("10.0.0.2",), ()),)), bytes(32), {}))

    async def watch() -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group, asyncio.timeout(10):
            group.create_task(NamesProcess(file, tmp_path / "netns").run(stop))
            while not status_path(file).exists():
                await asyncio.sleep(0.005)
            assert "10.0.0.2:53" in status_path(file).read_text()
            assert caplog.messages == []
            while not caplog.messages:
                await asyncio.sleep(0.005)
            stop.set()
        assert caplog.messages == ["ec2:Vpc vpc-a: 10.0.0.2:53: No such file or directory (vpc-a)"]

    asyncio.run(watch())
