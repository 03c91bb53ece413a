"""What an operation works with: the caller, the transaction, and resources by their declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from latticewall.base.caller import Caller
from latticewall.base.faults import Conflict, InUse, NotFound
from latticewall.base.ports import Random
from latticewall.base.rows import Edge, Row, Values, View
from latticewall.resources.kind import Answer, Document, Kind
from latticewall.resources.registry import Registry
from latticewall.store import Transaction

GONE = ("deleted",)


@dataclass
class Context:
    """One call in progress.

    call: performs another operation as the same caller inside the SAME transaction ("ec2:CreateVpc", params). service, operation: what is
    being called. ports: outside functions a service may need, by name ("suricata_check", ...), supplied by the composition root.
    """

    caller: Caller
    tx: Transaction
    registry: Registry
    random: Random
    service: str
    operation: str
    request_id: str
    call: Callable[[str, Mapping[str, Any]], Document]
    ports: Mapping[str, Any] = field(default_factory=dict)

    # -- time and identity ------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> str:
        """The transaction's time, ISO 8601 with milliseconds and Z."""
        return self.tx.now

    @property
    def now_datetime(self) -> datetime:
        return datetime.fromisoformat(self.tx.now.replace("Z", "+00:00")).astimezone(UTC)

    def after(self, delay: timedelta) -> str:
        """When this delay will be over, ISO 8601."""
        return (self.now_datetime + delay).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def lasts(self, until: str, delay: timedelta) -> bool:
        """Whether a time that `after` gave for this delay is still to come. One that is much further away than the delay is over: the clock was set back."""
        return self.now < until <= self.after(2 * delay)

    def new_id(self, prefix: str = "", digits: int = 17) -> str:
        """A fresh id: prefix + lower-case hexadecimal digits."""
        return prefix + self.random.token_bytes((digits + 1) // 2).hex()[:digits]

    def new_uuid(self) -> str:
        text = self.random.token_bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    # -- finding ------------------------------------------------------------------------------------------------------------------------

    def region_of(self, kind: Kind) -> str:
        return "" if kind.is_global else self.caller.region

    def find(self, kind_name: str, identifier: str) -> Row | None:
        """The live resource of the caller's account and region with that id, ARN or (where the kind allows it) name.

        An ARN of another account or region finds nothing: what is not shared is not there for a stranger, whoever he is at home.
        """
        kind = self.registry.kind(kind_name)
        if not identifier:
            return None
        if identifier.startswith("arn:"):
            row = self.tx.by_arn(identifier) if kind.by_arn else None
            at_home = row is not None and (row.account, row.region) == (self.caller.account, self.region_of(kind))
            row = row if row and row.kind == kind_name and at_home else None
        else:
            row = self.tx.get(kind_name, identifier, self.caller.account, self.region_of(kind))
            if row is None and kind.by_name:
                found = [row for row in self.rows(kind_name, name=identifier) if row.status not in GONE]
                row = found[0] if found else None
        return row if row and row.status not in GONE else None

    def resolve(self, kind_name: str, identifier: str) -> Row:
        """As find, but a missing resource is NotFound with this kind's code."""
        row = self.find(kind_name, identifier)
        if row is None:
            raise self.missing(kind_name, identifier)
        return row

    def missing(self, kind_name: str, identifier: str) -> NotFound:
        kind = self.registry.kind(kind_name)
        if kind.malformed and not kind.has_id(identifier):
            words = f'Invalid id: "{identifier}" (expecting "{kind.id_prefix}...")'
            return NotFound(words, code=kind.malformed, kind=kind_name, id=identifier)
        return NotFound(missing_text(kind, identifier), code=kind.not_found, kind=kind_name, id=identifier)

    def rows(self, kind_name: str, **where: str) -> list[Row]:
        """Resources of the caller's account and region, tombstones included (status "deleted")."""
        kind = self.registry.kind(kind_name)
        return self.tx.rows(kind_name, account=self.caller.account, region=self.region_of(kind), **where)

    def live(self, kind_name: str, **where: str) -> list[Row]:
        return [row for row in self.rows(kind_name, **where) if row.status not in GONE]

    def page(self, kind_name: str, start: int, count: int) -> list[Row]:
        """Some of `live`: at most `count`, from a position on."""
        kind = self.registry.kind(kind_name)
        return self.tx.page(kind_name, start, count, GONE[0], account=self.caller.account, region=self.region_of(kind))

    def count(self, kind_name: str) -> int:
        """How many `live` ones there are."""
        kind = self.registry.kind(kind_name)
        return self.tx.count(kind_name, GONE[0], account=self.caller.account, region=self.region_of(kind))

    # -- changing -----------------------------------------------------------------------------------------------------------------------

    def create(
        self,
        kind_name: str,
        document: Mapping[str, Any],
        *,
        id: str = "",  # noqa: A002
        name: str = "",
        parent: str = "",
        tags: Mapping[str, str] | None = None,
        refs: Mapping[str, str | Row] | None = None,
        region: str | None = None,
    ) -> Row:
        """Store a new resource: id and ARN made, name checked for uniqueness, references (role -> identifier or the resource itself; roles of
        `kind.refs`) resolved and kept as edges. Status: "creating" if the kind settles, else "ready"."""
        kind = self.registry.kind(kind_name)
        scope_region = self.region_of(kind) if region is None else region
        id = id or self.new_id(kind.id_prefix)  # noqa: A001
        self._check_unique(kind, name, parent)
        arn = kind.arn_of(scope_region, self.caller.account, document, id=id, name=name, parent=parent)
        row = Row(
            kind=kind_name, account=self.caller.account, region=scope_region, id=id, arn=arn, name=name, parent=parent,
            status="creating" if kind.lifecycle.settles else "ready", document=dict(document), tags=dict(tags or {}),
        )  # fmt: skip
        for role, identifier in (refs or {}).items():
            self.refer(row, role, identifier)
        return self.tx.put(row)

    def refer(self, row: Row, role: str, identifier: str | Row) -> Row:
        """Keep an edge from the row to a resource, given itself or by the identifier that names it to the caller; returns that resource."""
        ref = self.registry.kind(row.kind).refs[role]
        target = identifier if isinstance(identifier, Row) else self.resolve(ref.kind, identifier)
        self.tx.link(Edge(row.kind, row.id, role, target.kind, target.id, ref.on_delete))
        return target

    def forget(self, row: Row, role: str, target_id: str = "") -> None:
        """Remove the edges of a role (to one target)."""
        self.tx.unlink(row.kind, row.id, role, target_id)

    def referred(self, row: Row, role: str) -> list[Row]:
        """The live resources that the row refers to in a role."""
        edges = [edge for edge in self.tx.edges_from(row.kind, row.id) if edge.role == role]
        found = [self.tx.get(edge.target_kind, edge.target_id) for edge in edges]
        return [target for target in found if target and target.status not in GONE]

    def referring(self, row: Row, kind_name: str = "", role: str = "") -> list[Row]:
        """The live resources that refer to the row."""
        if kind_name and not role and self.registry.kind(kind_name).id_prefix:
            return self.tx.referring(row.kind, row.id, kind_name, GONE[0])
        edges = self.tx.edges_to(row.kind, row.id)
        found = [self.tx.get(e.source_kind, e.source_id) for e in edges if kind_name in ("", e.source_kind) and role in ("", e.role)]
        return [source for source in found if source and source.status not in GONE]

    def page_referring(self, row: Row, kind_name: str, start: int, count: int, without_role: str = "") -> list[Row]:
        """Some of the resources of a kind that refer to the row, in order of creation, of a kind whose references end with a resource's deletion.
        without_role: not those that refer to something in this role."""
        return self.tx.page_referring(row.kind, row.id, kind_name, start, count, without_role)

    def count_referring(self, row: Row, kind_name: str, without_role: str = "") -> int:
        """How many resources of a kind refer to the row, likewise."""
        return self.tx.count_referring(row.kind, row.id, kind_name, without_role)

    def change(self, row: Row, members: Mapping[str, Any] | None = None, *, status: str = "", settle: bool = False) -> Row:
        """Merge members into the document (None removes one). settle: the data plane must follow ("updating" until it has)."""
        document = {**row.document, **(members or {})}
        document = {key: value for key, value in document.items() if value is not None}
        moving = "updating" if settle and row.status in ("ready", "impaired") and self.registry.kind(row.kind).lifecycle.settles else row.status
        return self.tx.put(replace(row, document=document, status=status or moving))

    def tag(self, row: Row, added: Mapping[str, str] | None = None, removed: Iterable[str] = ()) -> Row:
        kept = {key: value for key, value in row.tags.items() if key not in set(removed)}
        return self.tx.put(replace(row, tags={**kept, **(added or {})}))

    def remove(self, row: Row, *, force: bool = False) -> Row | None:
        """Delete: refused (InUse) while something refers to it with on_delete "block", unless forced; what it owns and what cascades goes too.

        Returns the row as it is now ("deleting" when it settles, a tombstone, or None when gone).
        """
        kind = self.registry.kind(row.kind)
        if kind.lifecycle.settles and row.status == "deleting":
            return row  # the end comes when the data plane has settled
        if kind.removing and row.status not in ("deleting", *GONE):
            kind.removing(self, row)
        self._clear_dependents(row, kind, force=force)
        for owned in self.registry.kinds_owned_by(kind):
            for child in self.tx.rows(owned.name, parent=row.id):
                if child.status not in GONE:
                    self.remove(child, force=True)
        if kind.lifecycle.settles:
            return self.tx.put(replace(row, status="deleting"))
        return self.bury(row)

    def bury(self, row: Row) -> Row | None:
        """The end of a deletion: a tombstone where the kind keeps one, else nothing. Edges end here."""
        kind = self.registry.kind(row.kind)
        self.tx.delete(row)
        return self.tx.put(replace(row, status="deleted")) if kind.lifecycle.tombstone else None

    def _clear_dependents(self, row: Row, kind: Kind, *, force: bool) -> None:
        for edge in self.tx.edges_to(row.kind, row.id):
            source = self.tx.get(edge.source_kind, edge.source_id)
            owned = edge.source_kind in kind.owns and source is not None and source.parent == row.id
            if source is None or source.status in GONE or owned:
                continue
            if edge.on_delete == "block" and not force:
                raise InUse(in_use_text(kind, row, source), kind=row.kind, id=row.id)
            if edge.on_delete == "cascade":
                self.remove(source, force=True)
            else:
                self.tx.unlink(edge.source_kind, edge.source_id, edge.role, row.id)

    def _check_unique(self, kind: Kind, name: str, parent: str) -> None:
        if not kind.unique or not name:
            return
        scope = {"parent": parent} if kind.unique == "parent" else {}
        if existing := self.live(kind.name, name=name, **scope):
            raise Conflict(f"{kind.noun} with name {name} already exists", kind=kind.name, id=existing[0].id)

    # -- showing ------------------------------------------------------------------------------------------------------------------------

    def view(self, row: Row) -> Document:
        """The document as Get or Describe answers it: `Kind.shown`, and what more is looked up for it."""
        kind = self.registry.kind(row.kind)
        shown = kind.shown(row)
        if kind.view:
            shown.update(kind.view(self, row))
        return shown

    def shown(self, row: Row) -> Answer:
        """As `view`, for an answer that nobody changes: where only the row counts, what has been made of it for earlier ones is used again."""
        kind = self.registry.kind(row.kind)
        values = row.values if kind.view is None and self.tx.only_reads else None
        return View(values, kind.shown) if values is not None else self.view(row)

    def page_shown(self, kind_name: str, start: int, count: int) -> list[Answer]:
        """`page`, each as `shown`."""
        kind = self.registry.kind(kind_name)
        found = self.tx.page_values(kind_name, start, count, GONE[0], account=self.caller.account, region=self.region_of(kind))
        if kind.view is None and self.tx.only_reads:
            return [View(values, kind.shown) if isinstance(values, Values) else self.view(Row.stored(values)) for values in found]
        return [self.view(Row.stored(values)) for values in found]


def missing_text(kind: Kind, identifier: str) -> str:
    if kind.not_found_text:
        return kind.not_found_text.format(id=identifier)
    if kind.service == "ec2":
        return f"The {spaced(kind.noun)} ID '{identifier}' does not exist"
    return f"{kind.noun} {identifier} not found"


def in_use_text(kind: Kind, row: Row, source: Row) -> str:
    if kind.service == "ec2":
        return f"The {spaced(kind.noun)} '{row.id}' has dependencies and cannot be deleted. ({source.id} depends on it)"
    return f"{kind.noun} {row.name or row.id} is in use by {source.kind.split(':')[1]} {source.name or source.id}"


def spaced(noun: str) -> str:
    """ "RouteTable" -> "routeTable": how EC2's messages spell a kind."""
    return noun[:1].lower() + noun[1:]
