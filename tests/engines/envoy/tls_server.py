"""A TLS server inside a target's namespace: answers every connection with a line of JSON: its name, how many came before, and from where."""

import contextlib
import json
import socket
import ssl
import sys

port, name, certificate, key = int(sys.argv[1]), *sys.argv[2:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("", port), backlog=64)
count = 0
while True:
    connection, peer = listener.accept()
    count += 1
    connection.settimeout(10)
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
        secure.sendall(json.dumps({"name": name, "count": count, "client": peer[0]}).encode() + b"\n")
        secure.recv(1)
