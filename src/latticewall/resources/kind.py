"""Declarations: what a resource kind is, once, for all operations, CloudFormation and the data plane."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from latticewall.base.rows import Row
from latticewall.resources import tags as tag_forms

if TYPE_CHECKING:
    from latticewall.resources.context import Context
    from latticewall.store import Snapshot

Document = dict[str, Any]
Answer = Mapping[str, Any]
"""A document that nobody changes any more: rows in it may be there as a View, by itself, as a member or in a list."""
Handler = Callable[["Context", Document], Answer]
"""An operation: (context, parameters with AWS's member names) -> output document. Runs inside one transaction."""


@dataclass(frozen=True)
class Lifecycle:
    """How the engine's status words are spelled by this kind's API, and what settling does.

    member: the status member of the document ("State", "status"); "" when the API shows none. spelling: engine word -> API word (or value).
    settles: creating/updating/deleting last until the data plane has applied the revision; without, they are instant.
    heals: what the data plane cannot do now it may do later, without a change of the resource: its failures come and go ("failing" before it was ever
    ready, "impaired" afterwards), and it stays part of the desired state.
    awaited: what becomes of a ready one that is not there any more and comes back by itself ("starting"); "" = it stays ready meanwhile.
    tombstone: seconds that a deleted resource stays visible (as "deleted"); 0 = gone at once.
    """

    member: str = ""
    spelling: Mapping[str, Any] = field(default_factory=dict)
    settles: bool = False
    heals: bool = False
    awaited: str = ""
    tombstone: int = 0

    def spell(self, status: str) -> Any:
        return self.spelling.get(status, status)


INSTANT = Lifecycle()
NEXT_STATUS: Mapping[str, str] = {
    "creating": "ready", "updating": "ready", "starting": "ready", "rebooting": "ready", "stopping": "stopped", "deleting": "deleted",
}  # fmt: skip
"""What becomes of a status when the data plane has settled; a deleted row goes away or becomes a tombstone."""

AILING = ("failing", "impaired")


@dataclass(frozen=True)
class Ref:
    """A reference to another kind. on_delete: what deleting the target does here: block (refuse), cascade (delete this too), clear (forget it)."""

    kind: str
    on_delete: str = "block"


@dataclass(frozen=True)
class Kind:
    """A resource kind.

    name: "ec2:Subnet". id_member/arn_member/name_member: members of the document that hold them ("" = not shown). id_prefix: "subnet-"
    ("" = the service gives the id). arn: template with {region} {account} {id} {name} {parent}, and {path} and {type} of the members
    Path and Type. unique: scope of `name`: "" (none), "region",
    "account" (global kinds), "parent". refs: create-input member -> Ref; resolved from id, ARN or (if `by_name`) name, kept as edges whose
    role is the member. owns: kinds deleted with it (their `parent` is its id). is_global: stored without a region.
    by_name, by_arn: what besides the id identifies it in calls; EC2's kinds are never addressed by ARN.
    tag_member: member of Get/Describe answers that shows the tags as a list of Key/Value; "" when they are only in ListTags.
    shows: further members of answers, which follow from the row alone. view: those for which more is looked up, or that depend on who asks.
    removing: called before it is deleted (checks, releases).
    not_found: AWS code when it does not exist, "" = the dialect's. malformed: the code when what is named has no id's form, "" = the same.
    not_found_text: its message with {id}, "" = the service's usual one.
    """

    name: str
    id_member: str = ""
    id_prefix: str = ""
    arn_member: str = ""
    arn: str = ""
    name_member: str = ""
    unique: str = ""
    by_name: bool = False
    by_arn: bool = True
    refs: Mapping[str, Ref] = field(default_factory=dict)
    owns: tuple[str, ...] = ()
    lifecycle: Lifecycle = INSTANT
    is_global: bool = False
    tag_member: str = ""
    shows: Callable[[Row], Document] | None = None
    view: Callable[[Context, Row], Document] | None = None
    removing: Callable[[Context, Row], None] | None = None
    not_found: str = ""
    not_found_text: str = ""
    malformed: str = ""
    cloudformation: str = ""

    @property
    def service(self) -> str:
        return self.name.split(":", 1)[0]

    @property
    def noun(self) -> str:
        return self.name.split(":", 1)[1]

    def has_id(self, identifier: str) -> bool:
        """Whether something is an id of this kind by its form: the prefix and 8 or, since 2016, 17 hexadecimal digits."""
        return re.fullmatch(r"(?:[0-9a-f]{8}|[0-9a-f]{17})", identifier.removeprefix(self.id_prefix)) is not None and identifier.startswith(self.id_prefix)

    def arn_of(self, region: str, account: str, document: Mapping[str, Any], *, id: str, name: str = "", parent: str = "") -> str:  # noqa: A002
        """The ARN of a resource with this document (or create input)."""
        path, type_ = str(document.get("Path") or "/"), str(document.get("Type") or "").lower()
        return self.arn.format(region=region, account=account, id=id, name=name, parent=parent, path=path, type=type_)

    def shown(self, row: Row) -> Document:
        """What answers show of a resource as far as it follows from the row: id, ARN, name, status, tags and `shows` filled in, private members left out."""
        shown = {key: value for key, value in row.document.items() if key[:1] != "_"}
        if self.id_member:
            shown[self.id_member] = row.id
        if self.arn_member:
            shown[self.arn_member] = row.arn
        if self.name_member:
            shown[self.name_member] = row.name
        if self.lifecycle.member:
            shown[self.lifecycle.member] = self.lifecycle.spell(row.status)
        if self.tag_member:
            shown[self.tag_member] = tag_forms.as_list(row.tags)
        if self.shows:
            shown.update(self.shows(row))
        return shown


@dataclass(frozen=True)
class Service:
    """What a `services/<name>` package exports as SERVICE: its kinds and operations.

    name: botocore's service name, also the prefix of kinds and operations. operations: "CreateVpc" -> Handler. Unlisted operations answer
    with the service's modelled "not there" error.
    """

    name: str
    kinds: tuple[Kind, ...]
    operations: Mapping[str, Handler]
    settled: Callable[[Context], None] | None = None
    """Called in the settling transaction after statuses moved: for what follows from another resource's readiness."""
    is_due: Callable[[Snapshot], bool] | None = None
    """Asked in every round: whether `settled` would change something though no status moves."""
