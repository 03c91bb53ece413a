"""`python -m latticewall.dataplane.authorizer --config FILE --socket PATH`"""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from latticewall.dataplane.authorizer.service import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="authorizer", description="decides for Envoy whether a request may reach a service")
    parser.add_argument("--config", required=True, type=Path, help="the file with policies, principals and derived signing keys")
    parser.add_argument("--socket", required=True, help="the unix socket to answer on")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(options.config, options.socket))


if __name__ == "__main__":
    main()
