"""How long a request is inside Envoy: by Envoy's own clock, so that neither the load generator nor the target is in it.

One Envoy with three listeners: a plain one, the service network's own as the region renders it, and the same with the region's own Lua that verifies and
decides, out of the region's tables. All three write the same two durations for each request and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.architecture import ADDRESSES, Architecture
from bench.plain_envoy import cluster, connection_manager, listener, neighbour_of, region_listener, start
from bench.region import Region, until

PORTS = {"plain": 8084, "none": 8085, "signed": 8086}
_RUN = "/run/latticewall"
_DURATIONS = "%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)% %COMMON_DURATION(US_RX_BEG:DS_TX_END:us)%\n"
"""From the first byte of the request until it is sent on; from the first byte of the answer until its last is sent back."""
_FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


@dataclass(frozen=True)
class Inside:
    """pid: of the Envoy. root: the region's root folder, as seen from here."""

    pid: int
    root: Path

    def urls(self) -> list[str]:
        """Of the listeners, in the order of PORTS."""
        return [f"http://{ADDRESSES['plain-client']}:{port}/" for port in PORTS.values()]

    def microseconds(self, count: int) -> dict[str, list[float]]:
        """Inside Envoy, both ways, of each of the last `count` requests to each listener, once they are written."""

        def written(name: str) -> list[str]:
            return (self.root / _log(name).lstrip("/")).read_text().split("\n")[:-1]

        until(lambda: all(len(written(name)) >= count for name in PORTS))
        return {name: [float(sum(map(int, line.split()))) for line in written(name)[-count:]] for name in PORTS}


@contextmanager
def inside(region: Region, built: Architecture, client: str) -> Iterator[Inside]:
    """That Envoy, beside the region's, for as long as the service asks for signatures."""
    root = Path(f"/proc/{region.holder}/root")
    authorization = next((root / _RUN.lstrip("/") / "envoy").glob("authorization-*.lua"))
    neighbour = neighbour_of(built)
    route = {"match": {"prefix": "/"}, "route": {"cluster": "server"}}
    listeners = [
        listener(ADDRESSES["plain-client"], PORTS["plain"], neighbour, route),
        region_listener(region, built, "none", PORTS["none"], neighbour),
        region_listener(region, built, "signed", PORTS["signed"], neighbour, authorization=f"{_RUN}/envoy/{authorization.name}"),
    ]
    for name, document in zip(PORTS, listeners, strict=True):
        connection_manager(document)["access_log"] = [_durations(_log(name))]
    process = start(region, {"listeners": listeners, "clusters": [cluster(built)]}, 1, "--file-flush-interval-msec", "20")
    try:
        found = Inside(process.pid, root)
        until(lambda: region.run(client, "curl", "-sf", "-m", "1", "-o", "/dev/null", found.urls()[0]).returncode == 0)
        yield found
    finally:
        process.kill()
        process.communicate()


def _log(name: str) -> str:
    return f"{_RUN}/bench-{name}.log"


def _durations(path: str) -> dict[str, Any]:
    config = {"@type": _FILE_LOG, "path": path, "log_format": {"text_format_source": {"inline_string": _DURATIONS}}}
    return {"name": "file", "typed_config": config}
