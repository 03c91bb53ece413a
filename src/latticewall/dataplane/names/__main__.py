"""`python -m latticewall.dataplane.names --config names.json [--netns FOLDER]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
from pathlib import Path

from latticewall.dataplane.names.process import NamesProcess


async def serve(config: Path, netns: Path) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await NamesProcess(config, netns).run(stop)


def main() -> None:
    parser = argparse.ArgumentParser(prog="latticewall names", description="Resolver and instance metadata of every VPC.")
    parser.add_argument("--config", type=Path, required=True, help="the file to serve from; read again whenever it changes")
    parser.add_argument("--netns", type=Path, default=Path("/run/latticewall/netns"), help="folder of the named network namespaces")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # nine sockets per VPC, and connections
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(arguments.config, arguments.netns))


if __name__ == "__main__":
    main()
