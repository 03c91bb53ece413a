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
import itertools
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM_PRESENT, MORE_TO_COME = 0x1, 0x2
MAX_MESSAGE, MAX_DOCUMENT, MAX_KEPT = 48_000_000, 16 << 20, 64 << 20
FIRST_BATCH, MAX_DEPTH, MAX_CURSORS = 101, 100, 1000
IDLE_SECONDS = 3600


class Refused(Exception):
    """A command that fails with one of MongoDB's error codes."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name = code, name


class Malformed(Exception):
    """Bytes that are not a message; the connection is closed."""


# ---- BSON ----------------------------------------------------------------------------------------------------------------------------

_FIXED = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}
_NUMBER = {0x01: "<d", 0x10: "<i", 0x12: "<q"}
_STRING, _DOCUMENT, _ARRAY, _BINARY, _BOOLEAN, _REGEX, _POINTER, _CODE, _SYMBOL, _SCOPED = 2, 3, 4, 5, 8, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F


class Value(NamedTuple):
    """One BSON value: its type byte and its bytes."""

    kind: int
    data: bytes

    def number(self) -> float | int | None:
        return struct.unpack(_NUMBER[self.kind], self.data)[0] if self.kind in _NUMBER else None

    def same_as(self, other: Value) -> bool:
        """Equality as a query sees it: numbers by value, everything else by type and bytes."""
        if self.kind in _NUMBER and other.kind in _NUMBER:
            return self.number() == other.number()
        return self == other


class Document(bytes):
    """A BSON document (or array) as its bytes."""

    def elements(self) -> Iterator[tuple[str, Value]]:
        """Every (name, value) in order; raises Malformed where the bytes are not BSON."""
        if len(self) < 5 or struct.unpack_from("<i", self)[0] != len(self) or self[-1]:
            raise Malformed("a document with a wrong length")
        at, end = 4, len(self) - 1
        while at < end:
            kind = self[at]
            stop = self.find(b"\0", at + 1, end)
            if stop < 0:
                raise Malformed("a field name without an end")
            name, at = self[at + 1 : stop].decode("utf-8", "surrogateescape"), stop + 1
            size = self._size(kind, at, end)
            if size < 0 or at + size > end:
                raise Malformed(f"field {name} leaves its document")
            yield name, Value(kind, bytes(self[at : at + size]))
            at += size

    def _size(self, kind: int, at: int, end: int) -> int:
        if kind in _FIXED:
            return _FIXED[kind]
        if kind == _REGEX:
            pattern = self.find(b"\0", at, end)
            options = self.find(b"\0", pattern + 1, end)
            return -1 if pattern < 0 or options < 0 else options + 1 - at
        if at + 4 > end:
            return -1
        length: int = struct.unpack_from("<i", self, at)[0]
        extra = {_STRING: 4, _CODE: 4, _SYMBOL: 4, _POINTER: 16, _BINARY: 5, _DOCUMENT: 0, _ARRAY: 0, _SCOPED: 0}.get(kind)
        if extra is None:
            raise Malformed(f"unknown BSON type {kind:#x}")
        return -1 if length < 0 else length + extra

    def get(self, name: str) -> Value | None:
        return next((value for field, value in self.elements() if field == name), None)

    def text(self, name: str) -> str:
        value = self.get(name)
        if value is None or value.kind != _STRING:
            raise Refused(14, "TypeMismatch", f"'{name}' must be a string")
        return value.data[4:-1].decode("utf-8", "replace")

    def integer(self, name: str, default: int = 0) -> int:
        value = self.get(name)
        number = default if value is None else value.number()
        if number is None or (isinstance(number, float) and not number.is_integer()):
            raise Refused(14, "TypeMismatch", f"'{name}' must be a whole number")
        if number < 0 and name != "limit":
            raise Refused(2, "BadValue", f"'{name}' must not be negative")
        return int(number)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        return value is not None and (bool(value.number()) or (value.kind == _BOOLEAN and value.data != b"\0"))

    def document(self, name: str) -> Document:
        value = self.get(name)
        if value is not None and value.kind != _DOCUMENT:
            raise Refused(14, "TypeMismatch", f"'{name}' must be a document")
        return EMPTY if value is None else Document(value.data)

    def documents(self, name: str) -> list[Document]:
        value = self.get(name)
        if value is None or value.kind != _ARRAY:
            raise Refused(14, "TypeMismatch", f"'{name}' must be an array")
        items = [item for _, item in Document(value.data).elements()]
        if any(item.kind != _DOCUMENT for item in items):
            raise Refused(14, "TypeMismatch", f"'{name}' must hold documents")
        return [Document(item.data) for item in items]

    def verify(self, depth: int = 0) -> None:
        """Walk the whole document; raises Malformed unless all of it is BSON."""
        if depth > MAX_DEPTH:
            raise Malformed(f"deeper than {MAX_DEPTH} documents")
        for _, value in self.elements():
            if value.kind in (_DOCUMENT, _ARRAY):
                Document(value.data).verify(depth + 1)


class Date(int):
    """Milliseconds since 1970, encoded as a BSON date."""


def encode(fields: dict[str, Any]) -> Document:
    """A reply as BSON; the service's own values only, so the types are few."""
    body = b"".join(_encode_element(name, value) for name, value in fields.items())
    return Document(struct.pack("<i", len(body) + 5) + body + b"\0")


def _encode_element(name: str, value: Any) -> bytes:
    key = name.encode("utf-8", "surrogateescape") + b"\0"
    if isinstance(value, Value):
        return bytes([value.kind]) + key + value.data
    if isinstance(value, Document):
        return b"\x03" + key + value
    if isinstance(value, dict):
        return b"\x03" + key + encode(value)
    if isinstance(value, list):
        return b"\x04" + key + encode({str(index): item for index, item in enumerate(value)})
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")
        return b"\x02" + key + struct.pack("<i", len(text) + 1) + text + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, float):
        return b"\x01" + key + struct.pack("<d", value)
    if isinstance(value, Date):
        return b"\x09" + key + struct.pack("<q", value)
    if isinstance(value, int):
        return (b"\x10" + key + struct.pack("<i", value)) if -(2**31) <= value < 2**31 else (b"\x12" + key + struct.pack("<q", value))
    raise TypeError(f"no BSON for {type(value).__name__}")


EMPTY = encode({})

# ---- the store -----------------------------------------------------------------------------------------------------------------------


def _found(document: Document, path: str) -> Iterator[Value]:
    """The values a dotted path reaches; an array gives itself and each of its elements."""
    head, _, rest = path.partition(".")
    value = document.get(head)
    if value is None:
        return
    nested = [item for _, item in Document(value.data).elements()] if value.kind == _ARRAY else []
    if not rest:
        yield value
        yield from nested
        return
    if value.kind in (_DOCUMENT, _ARRAY):
        yield from _found(Document(value.data), rest)
    for item in nested:
        if item.kind == _DOCUMENT:
            yield from _found(Document(item.data), rest)


def compile_filter(query: Document) -> Callable[[Document], bool]:
    """A predicate for a filter of equalities ({field: value} or {field: {"$eq": value}}); raises Refused for any other operator."""
    wanted: list[tuple[str, Value]] = []
    for path, value in query.elements():
        if path.startswith("$"):
            raise Refused(2, "BadValue", f"unknown top level operator: {path}")
        if value.kind == _DOCUMENT:
            inner = list(Document(value.data).elements())
            operators = [name for name, _ in inner if name.startswith("$")]
            if operators and operators != ["$eq"]:
                raise Refused(2, "BadValue", f"unknown operator: {next(name for name in operators if name != '$eq')}")
            if operators:
                value = inner[0][1]
        if value.kind == _REGEX:
            raise Refused(2, "BadValue", "regular expressions are not supported here")
        wanted.append((path, value))

    def matches(document: Document) -> bool:
        return all(any(value.same_as(found) for found in _found(document, path)) for path, value in wanted)

    return matches


class Store:
    """Collections by "database.collection", and the open cursors; every method holds the one lock."""

    def __init__(self) -> None:
        self._collections: dict[str, list[Document]] = {}
        self._ids: dict[str, set[Value]] = {}
        self._kept = 0
        self._cursors: dict[int, tuple[str, list[Document]]] = {}
        self._cursor_ids = itertools.count(1)
        self._lock = threading.Lock()

    def insert(self, namespace: str, document: Document) -> None:
        """Raises Refused for a duplicate _id and for a document that does not fit."""
        try:
            document.verify()
        except Malformed as problem:
            raise Refused(22, "InvalidBSON", str(problem)) from None
        key = document.get("_id")
        with self._lock:
            ids = self._ids.setdefault(namespace, set())
            if len(document) > MAX_DOCUMENT or self._kept + len(document) > MAX_KEPT:
                raise Refused(10334, "BSONObjectTooLarge", f"object to insert too large: {len(document)} bytes")
            if key is not None and key in ids:
                raise Refused(11000, "DuplicateKey", f"E11000 duplicate key error collection: {namespace} index: _id_")
            if key is not None:
                ids.add(key)
            self._collections.setdefault(namespace, []).append(document)
            self._kept += len(document)

    def find(self, namespace: str, query: Document, skip: int = 0, limit: int = 0) -> list[Document]:
        matches = compile_filter(query)
        with self._lock:
            documents = list(self._collections.get(namespace, ()))
        return list(itertools.islice(filter(matches, documents), skip, skip + abs(limit) if limit else None))

    def delete(self, namespace: str, query: Document, limit: int) -> int:
        doomed = {id(document) for document in self.find(namespace, query, limit=limit)}
        with self._lock:
            documents = self._collections.get(namespace, [])
            gone = [document for document in documents if id(document) in doomed]
            self._collections[namespace] = [document for document in documents if id(document) not in doomed]
            self._forget(namespace, gone)
        return len(gone)

    def drop(self, namespace: str) -> bool:
        with self._lock:
            self._forget(namespace, self._collections.get(namespace, []))
            return self._collections.pop(namespace, None) is not None

    def _forget(self, namespace: str, documents: list[Document]) -> None:
        self._kept -= sum(len(document) for document in documents)
        self._ids.get(namespace, set()).difference_update(key for document in documents if (key := document.get("_id")) is not None)

    def namespaces(self) -> list[str]:
        with self._lock:
            return sorted(self._collections)

    def open_cursor(self, namespace: str, rest: list[Document]) -> int:
        """Keep the rest of an answer; returns the cursor's id, 0 when nothing is left. The oldest cursor makes room."""
        if not rest:
            return 0
        with self._lock:
            while len(self._cursors) >= MAX_CURSORS:
                self._cursors.pop(next(iter(self._cursors)))
            cursor = next(self._cursor_ids)
            self._cursors[cursor] = (namespace, rest)
            return cursor

    def close_cursor(self, cursor: int) -> tuple[str, list[Document]] | None:
        with self._lock:
            return self._cursors.pop(cursor, None)


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
            if value is not None and not (value.kind == _DOCUMENT and value.data == EMPTY):
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
    wanted = [item for _, item in Document(value.data).elements()] if value is not None and value.kind == _ARRAY else []
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
        name, value = next(stage.elements(), ("", Value(_DOCUMENT, EMPTY)))
        if name == "$match":
            documents = list(filter(compile_filter(stage.document(name)), documents))
        elif name == "$skip":
            documents = documents[stage.integer(name) :]
        elif name == "$limit":
            documents = documents[: stage.integer(name)]
        elif name == "$group" and value.kind == _DOCUMENT:
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
        elif value.kind == _DOCUMENT and Document(value.data) == encode({"$sum": 1}):
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
