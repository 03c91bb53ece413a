"""Sends requests at even intervals, whatever the answers take, and times each to the end of its answer. Runs inside an instance, by itself.

`paced_client.py FILE RATE SECONDS HOST:PORT...`: the requests of FILE (with NUL between them) over CONNECTIONS kept connections to each target, for TURN
seconds to one, then to the next, so that what else the machine does meets all alike. Prints for each target a list of its turns, each the microseconds of
its requests, without the first turn of each. A request's time begins when it is due and the generator is awake, whether or not a connection is free.
RATE 0: as many as are answered, one after the other on each connection.
Timers: select() counts microseconds, where epoll, and so most load generators, count milliseconds and send what is due in bunches that wait for each other.
"""

from __future__ import annotations

import ctypes
import gc
import json
import select
import socket
import sys
from itertools import cycle
from pathlib import Path
from time import perf_counter

CONNECTIONS, TURN, MOST_WAITING = 16, 0.5, 1000
_PR_SET_TIMERSLACK = 29


class Target:
    """Its free connections, the busy ones with the moment of their request, and the times of the turn."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.free = [socket.create_connection(address) for _ in range(CONNECTIONS)]
        for connection in self.free:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.busy: dict[socket.socket, float] = {}
        self.times: list[float] = []

    def send(self, request: bytes, due: float) -> None:
        connection = self.free.pop()
        self.busy[connection] = due
        connection.sendall(request)

    def receive(self, seconds: float) -> None:
        """Wait for at most so long for answers, and take those that are there. Each is one segment: it is small."""
        for connection in select.select(list(self.busy), (), (), seconds)[0]:
            answer = connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 ") or len(body) != int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
                raise SystemExit(f"not a whole 200: {answer[:200]!r}")
            self.times.append((perf_counter() - self.busy.pop(connection)) * 1e6)
            self.free.append(connection)


def paced(target: Target, requests: cycle[bytes], rate: float, seconds: float) -> None:
    """One turn. Ends with a message when the target cannot keep up."""
    start = perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        while (left := due - perf_counter()) > 0:
            target.receive(left)
        due = perf_counter()
        while not target.free:
            target.receive(1.0)
        target.send(next(requests), due)
        if perf_counter() - start - number / rate > MOST_WAITING / rate:
            raise SystemExit("the target cannot keep up")
    while target.busy:
        target.receive(1.0)


def flooded(target: Target, requests: cycle[bytes], seconds: float) -> None:
    """One turn, every connection busy."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        while target.free:
            target.send(next(requests), perf_counter())
        target.receive(1.0)
    while target.busy:
        target.receive(1.0)


def main(file: str, rate: float, seconds: float, addresses: list[tuple[str, int]]) -> None:
    requests = cycle(Path(file).read_bytes().split(b"\0"))
    targets = [Target(address) for address in addresses]
    turns: list[list[list[float]]] = [[] for _ in targets]
    for turn in range(1 + int(seconds / TURN / len(targets))):
        for target, found in zip(targets, turns, strict=True):
            target.times = []
            if rate:
                paced(target, requests, rate, TURN)
            else:
                flooded(target, requests, TURN)
            if turn:
                found.append(target.times)
    print(json.dumps(turns))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    gc.disable()
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), [(host, int(port)) for host, _, port in (word.rpartition(":") for word in sys.argv[4:])])
