"""Asks the same question again and again over one connection, until the status changes: keep_alive.py URL SECONDS.

Prints a line of JSON for the first answer and for the first one with another status: {"status", "requests", "milliseconds"}; what follows is
asked over the same connection. Ends with 1 when the connection is closed from the other side, or when nothing changes in time.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

PAUSE = 0.01
AFTERWARDS = 5
"""Requests after the change: the connection still works."""


def main(url: str, seconds: float) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.auto_open = 1
    connection.connect()
    connection.auto_open = 0  # a closed connection is not opened again behind our back
    begin, first, requests, left = time.monotonic(), 0, 0, -1
    while time.monotonic() - begin < seconds and left:
        try:
            connection.request("GET", parts.path or "/")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            print(json.dumps({"closed": f"{type(error).__name__} {error}".strip(), "requests": requests}), flush=True)
            return 1
        requests += 1
        if not first or (left < 0 and answer.status != first):
            left = AFTERWARDS if first else -1
            print(json.dumps({"status": answer.status, "requests": requests, "milliseconds": round((time.monotonic() - begin) * 1000)}), flush=True)
            first = first or answer.status
        left -= left > 0
        time.sleep(PAUSE)
    return int(left < 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: keep_alive.py URL SECONDS")
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
