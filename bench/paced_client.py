"""Sends requests at even intervals, whatever the answers take, and times each from its sending to the end of its answer. Runs inside an instance, by itself.

`paced_client.py FILE RATE SECONDS HOST:PORT...`: the requests of FILE (with NUL between them) over kept connections, a tenth of a second to one target,
then to the next, so that what else the machine does meets all alike. Prints for each target the microseconds of every request after the first second.
Timers: select() counts microseconds, where epoll, and so most load generators, count milliseconds and send what is due in bunches that wait for each other.
"""

from __future__ import annotations

import ctypes
import gc
import json
import select
import socket
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

TURN, WARM_UP, MOST_IN_FLIGHT = 0.1, 1.0, 1000
_PR_SET_TIMERSLACK = 29


class Connection:
    """One at a time: sent, the moment of it; the answer as far as it has come."""

    def __init__(self, address: tuple[str, int], times: list[float]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.times, self.answer, self.sent = times, b"", 0.0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, request: bytes) -> None:
        self.answer, self.sent = b"", perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Whether the answer is complete."""
        part = self.socket.recv(65536)
        self.answer += part
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not part or (end and not head.startswith(b"HTTP/1.1 200 ")):
            raise SystemExit(f"not a 200: {self.answer[:200]!r}")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return False
        self.times.append((perf_counter() - self.sent) * 1e6)
        return True


def main(file: str, rate: float, seconds: float, addresses: list[tuple[str, int]]) -> None:
    """Ends with a message when an answer is none, or the targets cannot keep up."""
    requests = deque(Path(file).read_bytes().split(b"\0"))
    times: list[list[float]] = [[] for _ in addresses]
    idle: list[list[Connection]] = [[] for _ in addresses]
    busy: dict[Connection, int] = {}
    start = perf_counter()
    for number in range(int(rate * (WARM_UP + seconds))):
        due, left = start + number / rate, 1.0
        while left > 0:
            left = due - perf_counter()
            for connection in select.select(list(busy), [], [], max(left, 0.0))[0]:
                if connection.receive():
                    idle[busy.pop(connection)].append(connection)
        if number == int(rate * WARM_UP):
            for found in times:
                found.clear()
        turn = int((due - start) / TURN) % len(addresses)
        if len(busy) >= MOST_IN_FLIGHT:
            raise SystemExit("the targets cannot keep up")
        connection = idle[turn].pop() if idle[turn] else Connection(addresses[turn], times[turn])
        busy[connection] = turn
        connection.send(requests[0])
        requests.rotate(-1)
    print(json.dumps(times))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    gc.disable()
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), [(host, int(port)) for host, _, port in (word.rpartition(":") for word in sys.argv[4:])])
