"""`python -m latticewall.dataplane.functions --folder /run/latticewall/functions --code FOLDER --events FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
from pathlib import Path

from latticewall.dataplane.functions.process import FunctionsProcess


async def serve(folder: Path, code: Path, events: Path) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await FunctionsProcess(folder, code, events).run(stop)


def main() -> None:
    parser = argparse.ArgumentParser(prog="latticewall functions", description="Lambda functions: their environments and invocations.")
    parser.add_argument("--folder", type=Path, required=True, help="the process's folder: functions.json is followed, the sockets are made here")
    parser.add_argument("--code", type=Path, required=True, help="unpacked code, by digest")
    parser.add_argument("--events", type=Path, required=True, help="asynchronous events that are not done yet")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(arguments.folder, arguments.code, arguments.events))


if __name__ == "__main__":
    main()
