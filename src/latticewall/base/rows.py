"""The stored form of every resource, whatever its kind: what the store keeps, the engine edits and the world is built from."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

_Made = TypeVar("_Made")
_Of = TypeVar("_Of")

_read = json.JSONDecoder().raw_decode
"""As `json.loads`, of what we have written ourselves, without spaces around it."""


class Values(tuple[Any, ...]):
    """A row as SQLite gave it and the store remembers it. made: what has been made of it, which is forgotten with it."""

    made: dict[Hashable, Any]

    def kept(self, what: Hashable, make: Callable[[_Of], _Made], of: _Of) -> _Made:
        """What `make` makes of `of`, which is this row in another form: made once, and kept under `what`."""
        try:
            made = self.made
        except AttributeError:
            made = self.made = {}
        if what not in made:
            made[what] = make(of)
        found: _Made = made[what]
        return found


@dataclass
class Row:
    """One resource.

    kind: "ec2:Subnet". id: the AWS id, or the name where AWS has no id. name: the unique name, if the kind has one. parent: the id of
    the resource it lives in, "" if none. status: the engine's own word (creating, ready, updating, deleting, failed); each kind's
    lifecycle spells it for the API. revision: the store revision of its last change. document: what Describe or Get answers, with AWS's
    member names verbatim (timestamps as ISO 8601 text), plus members that start with "_" which never leave the API.
    """

    kind: str
    account: str
    region: str
    id: str
    arn: str = ""
    name: str = ""
    parent: str = ""
    status: str = "ready"
    reason: str = ""
    revision: int = 0
    created_at: str = ""
    updated_at: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def stored(cls, values: Iterable[Any]) -> Row:
        """A row as it is kept, `document` and `tags` as JSON: they are read when they are first asked for, which of many rows is not."""
        row = cls.__new__(cls)
        row.__dict__ = dict(zip(_STORED, values, strict=True))
        if type(values) is Values:
            row.__dict__["_values"] = values
        return row

    @property
    def values(self) -> Values | None:
        """What this row was read as, if the store remembers that: it does not change with the row."""
        return self.__dict__.get("_values")

    def kept(self, make: Callable[[Row], _Made]) -> _Made:
        """What `make`, one function of a module, makes of the row: a value that nobody can change, and that depends on document and tags alone. Kept as long as
        the row is remembered, and used for rows as they were read: one that somebody has looked into he may have changed."""
        values, own = self.values, self.__dict__
        return make(self) if values is None or "document" in own or "tags" in own else values.kept(make, lambda values: make(Row.stored(values)), values)

    def __getattr__(self, name: str) -> Any:
        text = self.__dict__.pop(f"_{name}", None) if name in ("document", "tags") else None
        if text is None:
            raise AttributeError(name)
        self.__dict__[name], _ = _read(text)
        return self.__dict__[name]


_STORED = (*(member.name for member in fields(Row)[:-2]), "_document", "_tags")


class View(Mapping[str, Any]):
    """A row as its kind shows it, made when it is asked for, and new for each who asks, so that nobody sees what another one changes in it.

    show: what is shown of it, a function of the row alone, always the same for the rows of a kind.
    """

    __slots__ = ("_document", "_show", "_values")

    def __init__(self, values: Values, show: Callable[[Row], dict[str, Any]]) -> None:
        self._values, self._show = values, show
        self._document: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        if self._document is None:
            self._document = self._show(Row.stored(self._values))
        return self._document

    def kept(self, what: Hashable, make: Callable[[Mapping[str, Any]], _Made]) -> _Made:
        """What `make` makes of it: a value that nobody can change, and that depends on nothing else. Kept under `what` as long as the row is remembered."""
        return self._values.kept(what, make, self)

    def __getitem__(self, name: str) -> Any:
        return self.document[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)


@dataclass(frozen=True, order=True)
class Edge:
    """`source` refers to `target`; on_delete says what deleting the target does to the source: block, cascade or clear."""

    source_kind: str
    source_id: str
    role: str
    target_kind: str
    target_id: str
    on_delete: str = "block"
