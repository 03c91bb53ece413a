"""A client inside an instance's namespace: reads one JSON request per line, performs it, answers one JSON line.

HTTP requests name a connection: the same name goes over the same keep-alive connection, and the answer says which local port that was.
A TCP request sends its text and answers with everything that comes back until the other side closes.
"""

import http.client
import json
import socket
import sys

connections = {}


def perform_http(request):
    key = request["connection"]
    connection = connections.get(key)
    if connection is None:
        connection = connections[key] = http.client.HTTPConnection(request["address"], request["port"], timeout=10)
        connection.connect()
    connection.putrequest(request["method"], request["path"], skip_host=True, skip_accept_encoding=True)
    for name, value in request["headers"]:
        connection.putheader(name, value)
    body = request.get("body", "").encode()
    if body:
        connection.putheader("content-length", str(len(body)))
    connection.endheaders(body or None)
    port = connection.sock.getsockname()[1]
    response = connection.getresponse()
    text = response.read().decode()
    return {"status": response.status, "headers": [list(item) for item in response.getheaders()], "body": text, "port": port}


def perform_tcp(request):
    with socket.create_connection((request["address"], request["port"]), timeout=10) as connection:
        connection.settimeout(10)
        connection.sendall(request["send"].encode())
        parts = iter(lambda: connection.recv(65536), b"")
        return {"received": b"".join(parts).decode()}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = perform_http(request) if request["kind"] == "http" else perform_tcp(request)
    except (OSError, http.client.HTTPException) as error:
        connections.pop(request.get("connection"), None)
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
