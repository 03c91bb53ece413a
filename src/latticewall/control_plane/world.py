"""From the store's newest revision to the node's plan: a world per region in use, one plan of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from operator import attrgetter

from latticewall.base.memo import Memo
from latticewall.base.rows import Row
from latticewall.compile.node import compile_node
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.functions import FunctionsPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.store import Mirror, Snapshot
from latticewall.world.from_rows import build_world
from latticewall.world.types import World

MINUTE = len("2026-01-02T03:04")
NOT_IN_THE_WORLD = ("cloudformation", "cloudwatch", "firehose", "latticewall", "logs", "s3", "ssm")
"""Services whose resources the data plane never sees; stacks keep hundreds of event rows."""


def build_worlds(snapshot: Snapshot, now: str) -> list[World]:
    """One world per region that has resources."""
    return _worlds(Mirror(*NOT_IN_THE_WORLD).follow(snapshot), snapshot.revision, now, defaultdict(Memo))


def _worlds(rows: Mapping[str, tuple[Row, ...]], revision: int, now: str, memos: Mapping[str, Memo]) -> list[World]:
    """rows: by kind. Time is cut to the minute, so that an unchanged region compiles to an equal plan."""
    memo = memos[""]
    found = (memo.named(("regions", kind), partial(_regions_of, memo, kind), of_kind) for kind, of_kind in rows.items())
    regions = sorted(frozenset[str]().union(*found) - {""})
    minute = memo.kept("now", now[:MINUTE] + ":00.000Z")
    return [build_world(rows, region, revision, minute, memos[region]) for region in regions]


_REGION = attrgetter("region")


def _regions_of(memo: Memo, kind: str, rows: tuple[Row, ...]) -> Collection[str]:
    return memo.counts(kind, memo.map(_REGION, rows, of=kind)).keys()


def merge_plans(revision: int, plans: Iterable[NodePlan]) -> NodePlan:
    """Regions share a host without meeting: their resources have different ids, so their plans simply stand side by side."""
    found = list(plans)
    if len(found) == 1:
        return found[0]
    return NodePlan(
        revision=revision,
        namespaces=tuple(sorted((item for plan in found for item in plan.namespaces), key=lambda item: item.name)),
        links=tuple(sorted(item for plan in found for item in plan.links)),
        firewalls=tuple(item for plan in found for item in plan.firewalls),
        proxy=ProxyPlan(
            http_listeners=tuple(item for plan in found for item in plan.proxy.http_listeners),
            http_services=tuple(item for plan in found for item in plan.proxy.http_services),
            tcp_listeners=tuple(item for plan in found for item in plan.proxy.tcp_listeners),
            clusters=tuple(item for plan in found for item in plan.proxy.clusters),
            tls_listeners=tuple(item for plan in found for item in plan.proxy.tls_listeners),
            certificates=tuple(item for plan in found for item in plan.proxy.certificates),
            balancer_sockets=tuple(item for plan in found for item in plan.proxy.balancer_sockets),
        ),
        authorization=_merge_authorization([plan.authorization for plan in found]),
        names=NamesPlan(
            resolvers=tuple(item for plan in found for item in plan.names.resolvers), metadata=tuple(item for plan in found for item in plan.names.metadata)
        ),
        instances=tuple(item for plan in found for item in plan.instances),
        functions=FunctionsPlan(
            functions=tuple(item for plan in found for item in plan.functions.functions),
            targets=tuple(item for plan in found for item in plan.functions.targets),
        ),
        databases=tuple(item for plan in found for item in plan.databases),
        problems=tuple(item for plan in found for item in plan.problems),
    )


def _merge_authorization(plans: list[AuthorizationPlan]) -> AuthorizationPlan:
    """Identities and keys are global: every region's plan has the same ones."""
    identities = {item.id: item for plan in plans for item in plan.identities}
    keys = {item.access_key_id: item for plan in plans for item in plan.keys}
    return AuthorizationPlan(
        networks=tuple(item for plan in plans for item in plan.networks),
        services=tuple(item for plan in plans for item in plan.services),
        identities=tuple(identities[name] for name in sorted(identities)),
        keys=tuple(keys[name] for name in sorted(keys)),
    )


def compile_snapshot(snapshot: Snapshot, now: str) -> NodePlan:
    """The plan of everything in the store."""
    return Compiler().compile(snapshot, now)


class Compiler:
    """Compiles one revision after another, in one thread; what did not change since the last one is neither read nor made again."""

    def __init__(self) -> None:
        self._mirror = Mirror(*NOT_IN_THE_WORLD)
        self._memos: dict[str, Memo] = defaultdict(Memo)

    def rows(self, snapshot: Snapshot) -> Mapping[str, tuple[Row, ...]]:
        """Everything the world is built from, by kind; nobody may change it."""
        return self._mirror.follow(snapshot)

    def compile(self, snapshot: Snapshot, now: str) -> NodePlan:
        """The plan of everything in the store."""
        worlds = _worlds(self.rows(snapshot), snapshot.revision, now, self._memos)
        return merge_plans(snapshot.revision, (compile_node(world, self._memos[world.region]) for world in worlds))
