"""`python -m latticewall.dataplane.tunnels ...`: the engine of one tunnel endpoint, in the endpoint's network namespace.

Opens its sockets, becomes a user that has nothing to say, writes that it is ready, and hands packets on until it ends. It ends when a link goes: the holder
starts it again, and it finds the new one or reports what is missing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import selectors
import sys
import time
from pathlib import Path

from latticewall.dataplane.confinement import drop_privileges
from latticewall.dataplane.tunnels.engine import Zone
from latticewall.plan.tunnels import TunnelZone

USER = 61_999
"""Nobody's: none of the system's own, of the functions' or the database servers'."""
READY = "ready"
SAY_SECONDS = 60.0
"""Between lines about packets that were dropped."""
_log = logging.getLogger("tunnel")


def main() -> int:
    parser = argparse.ArgumentParser(prog="latticewall-tunnel")
    parser.add_argument("--far", type=Path, required=True, help="the resource gateway's network namespace")
    parser.add_argument("--folder", type=Path, required=True, help="for what outlives the engine")
    parser.add_argument("--mtu", type=int, required=True, help="bytes, of packets inside the tunnel")
    parser.add_argument("--zone", action="append", required=True, help="a zone as JSON")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        zones = [Zone(zone_of(text), arguments.far, arguments.folder, arguments.mtu) for text in arguments.zone]
        ready = os.open(arguments.folder / READY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        _log.error("cannot begin: %s", error)
        return 1
    own = os.getpid()
    drop_privileges(USER)
    selector = selectors.DefaultSelector()
    for zone in zones:
        zone.join(selector)
    os.write(ready, str(own).encode())
    os.close(ready)
    try:
        serve(selector, zones)
    except OSError as error:
        _log.error("a link is gone: %s", error)
    return 1


def zone_of(text: str) -> TunnelZone:
    document = json.loads(text)
    return TunnelZone(**{**document, "addresses": tuple(document["addresses"])})


def serve(selector: selectors.BaseSelector, zones: list[Zone]) -> None:
    """Hand packets on. Raises OSError when a link goes."""
    said = time.monotonic()
    while True:
        for key, _ in selector.select(SAY_SECONDS):
            key.data()
        if time.monotonic() - said > SAY_SECONDS:
            said = time.monotonic()
            for zone in zones:
                if zone.refused:
                    _log.info("dropped: %s", ", ".join(f"{reason}: {count}" for reason, count in zone.refused.most_common(10)))
                    zone.refused.clear()


if __name__ == "__main__":
    sys.exit(main())
