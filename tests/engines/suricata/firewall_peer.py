"""One end of the conversations through the firewall, in its own network namespace: answers JSON lines on standard input.

{"open": [source, destination, port, "tcp"|"udp"], "within": s} -> {"result": "open"|"refused"|"timeout", "handle": n}
{"ask": n, "pieces": [text, ...], "within": s}                -> {"result": answer|"reset"|"closed"|"timeout"}
{"converse": [[source, destination, port, [text, ...], kind], ...], "within": s} -> {"result": [[answer, ...], ...]}, all at once
{"ping": [source, destination], "within": s}                  -> {"result": "ok"|"timeout"}
{"serve": [address, port, "tcp"|"udp"]}                       -> {"result": "serving"}
Text is latin-1. A server answers an HTTP request with 200, `say TEXT` with TEXT, and anything else with `ok`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TCP_REPAIR = 19
"""Of linux/tcp.h: closed with it, a connection is gone without a word. A FIN, or the question once more, would be packets that nobody asked for."""
handles: list[socket.socket] = []
appending = threading.Lock()


def answer(data: bytes) -> bytes:
    if data.startswith((b"GET ", b"POST ")):
        return HTTP
    return data[4:] if data.startswith(b"say ") else b"ok"


def converse(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(answer(data))
        except OSError:
            return


def serve(address: str, port: int, kind: str) -> None:
    if kind == "udp":
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((address, port))
        threading.Thread(target=serve_datagrams, args=(datagrams,), daemon=True).start()
        return
    listener = socket.create_server((address, port))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()


def accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=converse, args=(connection,), daemon=True).start()


def serve_datagrams(datagrams: socket.socket) -> None:
    while True:
        data, peer = datagrams.recvfrom(65536)
        datagrams.sendto(answer(data), peer)


def open_connection(source: str, destination: str, port: int, kind: str, within: float) -> dict[str, Any]:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    connection.settimeout(within)
    connection.bind((source, 0))
    try:
        connection.connect((destination, port))
    except TimeoutError:
        return {"result": "timeout"}
    except OSError:
        return {"result": "refused"}
    if kind == "tcp":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with appending:
        handles.append(connection)
        return {"result": "open", "handle": len(handles) - 1}


def ask(connection: socket.socket, pieces: list[str], within: float) -> str:
    connection.settimeout(within)
    try:
        for piece in pieces:
            connection.send(piece.encode("latin-1"))
        if connection.type == socket.SOCK_STREAM:  # acknowledge the answer at once, not together with the next question
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = connection.recv(65536)
    except TimeoutError:
        return "timeout"
    except OSError:
        return "reset"
    return data.decode("latin-1") or "closed"


def converse_with(source: str, destination: str, port: int, messages: list[str], kind: str, within: float) -> list[str]:
    """One conversation: how connecting went, then the answer to each message; of a TCP connection until one fails."""
    opened = open_connection(source, destination, port, kind, within)
    results = [opened["result"]]
    if opened["result"] != "open":
        return results
    with handles[opened["handle"]] as connection:
        for message in messages:
            results.append(ask(connection, [message], within))
            if kind == "tcp" and results[-1] in ("timeout", "reset", "closed"):
                connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
                break
    return results


def ping(source: str, destination: str, within: float) -> str:
    """One ICMP echo request; the identifier tells the answer from others'."""
    body = struct.pack("!BBHHH", 8, 0, 0, 4711, 1)
    total = sum(struct.unpack("!4H", body))
    request = struct.pack("!BBHHH", 8, 0, ~(total + (total >> 16)) & 0xFFFF, 4711, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(within)
        raw.bind((source, 0))
        raw.sendto(request, (destination, 0))
        try:
            while True:
                data = raw.recv(1024)
                if data[20] == 0 and struct.unpack("!H", data[24:26]) == (4711,):
                    return "ok"
        except TimeoutError:
            return "timeout"


def perform(request: dict[str, Any]) -> dict[str, Any]:
    if "serve" in request:
        serve(*request["serve"])
        return {"result": "serving"}
    if "converse" in request:
        with ThreadPoolExecutor(150) as pool:
            return {"result": list(pool.map(lambda item: converse_with(*item, request["within"]), request["converse"]))}
    if "ping" in request:
        return {"result": ping(*request["ping"], request["within"])}
    if "open" in request:
        return open_connection(*request["open"], request["within"])
    return {"result": ask(handles[request["ask"]], request["pieces"], request["within"])}


for line in sys.stdin:
    print(json.dumps(perform(json.loads(line))), flush=True)
