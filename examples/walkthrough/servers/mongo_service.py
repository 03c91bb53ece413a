"""A server that speaks MongoDB's wire protocol, for machines without mongod. In memory; a stand-in, not a database.

Messages: OP_MSG (section kinds 0 and 1) and the OP_QUERY handshake of older drivers.
Commands: hello, isMaster, ping, buildInfo, insert, find, getMore, killCursors, count, delete, drop, aggregate ($match, $skip, $limit and a
counting $group), listCollections, listDatabases, endSessions. Filters compare for equality; dots descend, arrays match by
element. Everything else is refused with MongoDB's own error codes.

A document is kept as the very bytes the client sent, so every BSON type comes back unchanged; the service looks inside only to compare
fields. Bounds: a message of 48 MB, a document of 16 MB, 64 MB kept in all. Specifications followed: BSON 1.1, "MongoDB Wire Protocol".
"""

from __future__ import annotations

import argparse
import socketserver
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mongo_documents import ARRAY, DOCUMENT, EMPTY, Date, Document, Malformed, Refused, Value, encode
from mongo_store import MAX_DOCUMENT, Store, compile_filter

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM_PRESENT, MORE_TO_COME = 0x1, 0x2
MAX_MESSAGE = 48_000_000
FIRST_BATCH = 101
IDLE_SECONDS = 3600

# ---- the commands --------------------------------------------------------------------------------------------------------------------


def batch(store: Store, namespace: str, documents: list[Document], size: int, field: str, single: bool = False) -> dict[str, Any]:
    """A cursor reply: as many documents as `size` and the message limit allow now, the rest under a cursor."""
    total = fit = 0
    for document in documents[:size]:
        total += len(document)
        if fit and total > MAX_DOCUMENT:
            break
        fit += 1
    cursor = 0 if single else store.open_cursor(namespace, documents[fit:])
    return {"cursor": {field: documents[:fit], "id": Value(0x12, struct.pack("<q", cursor)), "ns": namespace}}


class Command(NamedTuple):
    """One command: its body (document sequences already folded in), its database, and the store."""

    name: str
    body: Document
    sequences: dict[str, list[Document]]
    database: str
    store: Store

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.body.text(self.name)}"

    def list_of(self, name: str) -> list[Document]:
        return self.sequences[name] if name in self.sequences else self.body.documents(name)

    def refuse(self, *names: str) -> None:
        """Options that would change the answer and are not understood are refused, never ignored."""
        for name in names:
            value = self.body.get(name)
            if value is not None and not (value.kind == DOCUMENT and value.data == EMPTY):
                raise Refused(2, "BadValue", f"'{name}' is not supported here")


def hello(_: Command) -> dict[str, Any]:
    return {
        "helloOk": True, "ismaster": True, "isWritablePrimary": True, "maxBsonObjectSize": MAX_DOCUMENT, "maxMessageSizeBytes": MAX_MESSAGE,
        "maxWriteBatchSize": 100_000, "localTime": Date(time.time() * 1000), "logicalSessionTimeoutMinutes": 30, "connectionId": 1,
        "minWireVersion": 0, "maxWireVersion": 17, "readOnly": False,
    }  # fmt: skip


def build_info(_: Command) -> dict[str, Any]:
    return {"version": "6.0.0", "gitVersion": "none", "versionArray": [6, 0, 0, 0], "bits": 64, "maxBsonObjectSize": MAX_DOCUMENT, "modules": []}


def insert(command: Command) -> dict[str, Any]:
    done, problems, namespace = 0, [], command.namespace
    ordered = command.body.get("ordered") is None or command.body.flag("ordered")
    for index, document in enumerate(command.list_of("documents")):
        try:
            command.store.insert(namespace, document)
            done += 1
        except Refused as refusal:
            problems.append({"index": index, "code": refusal.code, "errmsg": str(refusal)})
            if ordered:
                break
    return {"n": done, "writeErrors": problems} if problems else {"n": done}


def find(command: Command) -> dict[str, Any]:
    command.refuse("sort", "projection", "min", "max", "collation", "tailable")
    body, limit = command.body, command.body.integer("limit")
    single = body.flag("singleBatch") or limit < 0
    size = body.integer("batchSize", FIRST_BATCH)
    if single and limit:
        size = abs(limit)
    documents = command.store.find(command.namespace, body.document("filter"), body.integer("skip"), limit)
    return batch(command.store, command.namespace, documents, size, "firstBatch", single)


def get_more(command: Command) -> dict[str, Any]:
    cursor = command.body.integer("getMore")
    held = command.store.close_cursor(cursor)
    namespace = f"{command.database}.{command.body.text('collection')}"
    if held is None or held[0] != namespace:
        raise Refused(43, "CursorNotFound", f"cursor id {cursor} not found")
    size = command.body.integer("batchSize") or len(held[1])
    return batch(command.store, namespace, held[1], size, "nextBatch")


def kill_cursors(command: Command) -> dict[str, Any]:
    value = command.body.get("cursors")
    wanted = [item for _, item in Document(value.data).elements()] if value is not None and value.kind == ARRAY else []
    killed = [item for item in wanted if command.store.close_cursor(int(item.number() or 0)) is not None]
    return {"cursorsKilled": killed, "cursorsNotFound": [item for item in wanted if item not in killed], "cursorsAlive": []}


def count(command: Command) -> dict[str, Any]:
    body = command.body
    return {"n": len(command.store.find(command.namespace, body.document("query"), body.integer("skip"), body.integer("limit")))}


def delete(command: Command) -> dict[str, Any]:
    namespace = command.namespace
    return {"n": sum(command.store.delete(namespace, one.document("q"), one.integer("limit")) for one in command.list_of("deletes"))}


def drop(command: Command) -> dict[str, Any]:
    if not command.store.drop(command.namespace):
        raise Refused(26, "NamespaceNotFound", "ns not found")
    return {"ns": command.namespace}


def aggregate(command: Command) -> dict[str, Any]:
    documents = command.store.find(command.namespace, EMPTY)
    for stage in command.body.documents("pipeline"):
        name, value = next(stage.elements(), ("", Value(DOCUMENT, EMPTY)))
        if name == "$match":
            documents = list(filter(compile_filter(stage.document(name)), documents))
        elif name == "$skip":
            documents = documents[stage.integer(name) :]
        elif name == "$limit":
            documents = documents[: stage.integer(name)]
        elif name == "$group" and value.kind == DOCUMENT:
            documents = _count_group(Document(value.data), documents)
        else:
            raise Refused(40324, "Location40324", f"unrecognized pipeline stage name: '{name}'")
    return batch(command.store, command.namespace, documents, FIRST_BATCH, "firstBatch")


def _count_group(group: Document, documents: list[Document]) -> list[Document]:
    """The one grouping drivers use to count: {_id: <constant>, n: {$sum: 1}}."""
    reply: dict[str, Any] = {}
    for name, value in group.elements():
        if name == "_id":
            reply[name] = value
        elif value.kind == DOCUMENT and Document(value.data) == encode({"$sum": 1}):
            reply[name] = len(documents)
        else:
            raise Refused(2, "BadValue", "only {$sum: 1} is supported in $group here")
    return [encode(reply)] if documents else []


def list_collections(command: Command) -> dict[str, Any]:
    prefix = command.database + "."
    names = [namespace[len(prefix) :] for namespace in command.store.namespaces() if namespace.startswith(prefix)]
    known = [encode({"name": name, "type": "collection", "options": {}, "info": {"readOnly": False}}) for name in names]
    chosen = list(filter(compile_filter(command.body.document("filter")), known))
    return batch(command.store, prefix + "$cmd.listCollections", chosen, len(chosen), "firstBatch")


def list_databases(command: Command) -> dict[str, Any]:
    names = sorted({namespace.partition(".")[0] for namespace in command.store.namespaces()})
    return {"databases": [{"name": name, "sizeOnDisk": 0, "empty": False} for name in names], "totalSize": 0}


def nothing(_: Command) -> dict[str, Any]:
    return {}


COMMANDS: dict[str, Callable[[Command], dict[str, Any]]] = {
    "hello": hello, "ismaster": hello, "ping": nothing, "buildinfo": build_info, "endsessions": nothing, "insert": insert, "find": find,
    "getmore": get_more, "killcursors": kill_cursors, "count": count, "delete": delete, "drop": drop, "aggregate": aggregate,
    "listcollections": list_collections, "listdatabases": list_databases,
}  # fmt: skip


def run(body: Document, sequences: dict[str, list[Document]], database: str, store: Store) -> Document:
    """Carry out one command; every failure becomes a reply with ok: 0."""
    name = next((field for field, _ in body.elements()), "")
    try:
        action = COMMANDS.get(name.lower())
        if action is None:
            raise Refused(59, "CommandNotFound", f"no such command: '{name}'")
        return encode({**action(Command(name, body, sequences, database, store)), "ok": 1.0})
    except Refused as refusal:
        return encode({"ok": 0.0, "errmsg": str(refusal), "code": refusal.code, "codeName": refusal.name})


# ---- the wire ------------------------------------------------------------------------------------------------------------------------


def parse_message(payload: bytes) -> tuple[int, Document, dict[str, list[Document]]]:
    """An OP_MSG without its header: flags, body, document sequences."""
    if len(payload) < 5:
        raise Malformed("a message without sections")
    flags: int = struct.unpack_from("<I", payload)[0]
    at, end = 4, len(payload) - (4 if flags & CHECKSUM_PRESENT else 0)
    body: Document | None = None
    sequences: dict[str, list[Document]] = {}
    while at < end:
        kind, at = payload[at], at + 1
        stop = at + _length(payload, at, end)
        if kind == 0 and body is None:
            body = Document(payload[at:stop])
        elif kind == 1:
            name_end = payload.find(b"\0", at + 4, stop)
            if name_end < 0:
                raise Malformed("a document sequence without a name")
            sequences[payload[at + 4 : name_end].decode("utf-8", "replace")] = list(_split(payload, name_end + 1, stop))
        else:
            raise Malformed(f"a section of kind {kind}")
        at = stop
    if body is None:
        raise Malformed("a message without a body")
    return flags, body, sequences


def _split(payload: bytes, at: int, end: int) -> Iterator[Document]:
    while at < end:
        stop = at + _length(payload, at, end)
        yield Document(payload[at:stop])
        at = stop


def _length(payload: bytes, at: int, end: int) -> int:
    length: int = struct.unpack_from("<i", payload, at)[0] if at + 4 <= end else -1
    if length < 5 or at + length > end:
        raise Malformed("a length that leaves its message")
    return length


def answer(opcode: int, request: int, payload: bytes, store: Store) -> bytes:
    """The reply to one message, header included; empty when the client wants none."""
    if opcode == OP_MSG:
        flags, body, sequences = parse_message(payload)
        reply = run(body, sequences, body.text("$db"), store)
        return b"" if flags & MORE_TO_COME else _framed(OP_MSG, request, b"\0\0\0\0\0" + reply)
    if opcode == OP_QUERY:
        stop = payload.find(b"\0", 4)
        if stop < 0 or not payload[4:stop].endswith(b".$cmd"):
            raise Malformed("OP_QUERY serves the handshake only")
        at = stop + 9
        body = Document(payload[at : at + _length(payload, at, len(payload))])
        reply = run(body, {}, payload[4:stop].decode("utf-8", "replace").partition(".")[0], store)
        return _framed(OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + reply)
    raise Malformed(f"opcode {opcode}")


def _framed(opcode: int, request: int, payload: bytes) -> bytes:
    return struct.pack("<iiii", len(payload) + 16, 0, request, opcode) + payload


class Handler(socketserver.StreamRequestHandler):
    server: Server
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while len(head := self.rfile.read(16)) == 16:
                length, request, _, opcode = struct.unpack("<iiii", head)
                if not 16 <= length <= MAX_MESSAGE:
                    raise Malformed(f"a message of {length} bytes")
                payload = self.rfile.read(length - 16)
                if len(payload) != length - 16:
                    return
                self.wfile.write(answer(opcode, request, payload, self.server.store))
        except (Malformed, Refused) as problem:
            print(f"closed the connection from {self.client_address[0]}: {problem}", flush=True)
        except OSError:
            return  # the client went away, or stayed silent too long


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.store = Store()
        super().__init__(address, Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description="speaks MongoDB's wire protocol, in memory")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=int, default=27017, help="port to listen on; 0 picks a free one")
    arguments = parser.parse_args()
    with Server((arguments.host, arguments.port)) as server:
        host, port = server.server_address[:2]
        print(f"mongo service on {host!s}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
