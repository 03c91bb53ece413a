"""What `mongo_service.py` keeps, in memory: documents by collection, and cursors over the rest of an answer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

from mongo_documents import ARRAY, DOCUMENT, REGEX, Document, Malformed, Refused, Value

MAX_DOCUMENT, MAX_KEPT = 16 << 20, 64 << 20
MAX_CURSORS = 1000


def _found(document: Document, path: str) -> Iterator[Value]:
    """The values a dotted path reaches; an array gives itself and each of its elements."""
    head, _, rest = path.partition(".")
    value = document.get(head)
    if value is None:
        return
    nested = [item for _, item in Document(value.data).elements()] if value.kind == ARRAY else []
    if not rest:
        yield value
        yield from nested
        return
    if value.kind in (DOCUMENT, ARRAY):
        yield from _found(Document(value.data), rest)
    for item in nested:
        if item.kind == DOCUMENT:
            yield from _found(Document(item.data), rest)


def compile_filter(query: Document) -> Callable[[Document], bool]:
    """A predicate for a filter of equalities ({field: value} or {field: {"$eq": value}}); raises Refused for any other operator."""
    wanted: list[tuple[str, Value]] = []
    for path, value in query.elements():
        if path.startswith("$"):
            raise Refused(2, "BadValue", f"unknown top level operator: {path}")
        if value.kind == DOCUMENT:
            inner = list(Document(value.data).elements())
            operators = [name for name, _ in inner if name.startswith("$")]
            if operators and operators != ["$eq"]:
                raise Refused(2, "BadValue", f"unknown operator: {next(name for name in operators if name != '$eq')}")
            if operators:
                value = inner[0][1]
        if value.kind == REGEX:
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
