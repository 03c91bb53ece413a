"""Runs inside a network namespace and hands out sockets that belong there. Usage: sockets.py DESCRIPTOR (of one end of a pair)."""

import socket
import sys

channel = socket.socket(fileno=int(sys.argv[1]))
while line := channel.recv(256):
    kind, address, port = line.decode().split()
    try:
        place = (address, int(port))
        made = socket.create_server(place, backlog=1024) if kind == "listen" else socket.create_connection(place, timeout=10)
    except OSError as error:
        channel.send(f"{error}".encode())
        continue
    with made:
        made.settimeout(0)
        socket.send_fds(channel, [b"here"], [made.fileno()])
