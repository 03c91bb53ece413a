"""From the store's newest revision to the node's plan: a world per region in use, one plan of all."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.compile.node import compile_node
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.store import Snapshot
from latticewall.world.from_rows import build_world
from latticewall.world.types import World

MINUTE = len("2026-01-02T03:04")
NOT_IN_THE_WORLD = ("cloudformation", "latticewall", "logs", "ssm")
"""Services whose resources the data plane never sees; stacks keep hundreds of event rows."""


def build_worlds(snapshot: Snapshot, now: str) -> list[World]:
    """One world per region that has resources. Time is cut to the minute, so that an unchanged region compiles to an equal plan."""
    rows = snapshot.rows_without(*NOT_IN_THE_WORLD)
    regions = sorted({row.region for row in rows if row.region})
    return [build_world(rows, region, snapshot.revision, now[:MINUTE] + ":00.000Z") for region in regions]


def merge_plans(revision: int, plans: Iterable[NodePlan]) -> NodePlan:
    """Regions share a host without meeting: their resources have different ids, so their plans simply stand side by side."""
    found = list(plans)
    return NodePlan(
        revision=revision,
        namespaces=tuple(sorted((item for plan in found for item in plan.namespaces), key=lambda item: item.name)),
        links=tuple(sorted(item for plan in found for item in plan.links)),
        firewalls=tuple(item for plan in found for item in plan.firewalls),
        proxy=ProxyPlan(
            http_listeners=tuple(item for plan in found for item in plan.proxy.http_listeners),
            tcp_listeners=tuple(item for plan in found for item in plan.proxy.tcp_listeners),
            clusters=tuple(item for plan in found for item in plan.proxy.clusters),
            tls_listeners=tuple(item for plan in found for item in plan.proxy.tls_listeners),
        ),
        authorization=_merge_authorization([plan.authorization for plan in found]),
        names=NamesPlan(
            resolvers=tuple(item for plan in found for item in plan.names.resolvers), metadata=tuple(item for plan in found for item in plan.names.metadata)
        ),
        instances=tuple(item for plan in found for item in plan.instances),
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
    return merge_plans(snapshot.revision, (compile_node(world) for world in build_worlds(snapshot, now)))
