"""ProxyPlan -> Envoy's resources, as plain dictionaries in proto3 JSON form, so that a golden file can be read and compared.

Seven kinds of resource, one table each: clusters, endpoints, destinations, listeners, scopes, routes, secrets. What changes often is kept apart from what is
expensive to change: registering a target touches endpoints only, a rule or an auth type touches the service's routes only, a service its scopes and its routes
only, another address of a TCP resource its destination only, another certificate its secret only, and none of them closes a connection.
A listener's definition holds only what belongs to its (VPC, port).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

from latticewall.base.memo import Memo
from latticewall.compile.render import envoy_checkers, envoy_clusters, envoy_http, envoy_load_balancers, envoy_routes, envoy_tcp, envoy_tls
from latticewall.compile.render.envoy_https import certificates_of
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.compile.render.envoy_sockets import by_socket
from latticewall.plan.https import Certificate
from latticewall.plan.node import Problem
from latticewall.plan.proxy import Cluster, ProxyPlan

Document = dict[str, Any]
Table = Mapping[str, Document]

MOST_PORTS = 65535
TYPE_URLS = {
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "destinations": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    "listeners": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "scopes": "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "secrets": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
}


@dataclass(frozen=True)
class EnvoySnapshot:
    """Everything Envoy gets, by resource name; of secrets only which certificates: their keys are nowhere but in what is sent. problems: what could not be
    rendered, while the rest is whole."""

    clusters: Table = field(default_factory=dict)
    endpoints: Table = field(default_factory=dict)
    destinations: Table = field(default_factory=dict)
    listeners: Table = field(default_factory=dict)
    scopes: Table = field(default_factory=dict)
    routes: Table = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def table(self, kind: str) -> Table:
        """kind: a key of TYPE_URLS other than secrets."""
        found: Table = getattr(self, kind)
        return found


def version(document: Document) -> str:
    """A resource's version: a hash of its content, so that an unchanged resource keeps its version whoever serves it."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def render(plan: ProxyPlan, paths: EnvoyPaths | None = None, memo: Memo | None = None) -> EnvoySnapshot:
    """The snapshot of a plan. Equal plans give equal snapshots, in any order of their parts. memo: with it, what is as it was in the last plan is the same
    document still."""
    paths, memo = paths or EnvoyPaths(), memo or Memo()
    problems: list[Problem] = []
    clusters = _by_name("clusters", memo.map(_cluster, plan.clusters, given=(paths,)), problems, memo)
    targets = memo.map(envoy_clusters.endpoints, plan.clusters, given=(paths.run,))
    served = [*memo.map(envoy_http.listener, plan.http_listeners, given=(paths,)), *memo.map(envoy_tls.listener, plan.tls_listeners, given=(paths,))]
    listeners = by_socket(served, memo)
    scopes, routes = envoy_routes.route_configurations(plan.http_services, problems.append, memo)
    further: dict[str, Document] = {}
    destinations: dict[str, Document] = {}
    for rendered in memo.map(envoy_tcp.rendered, plan.tcp_listeners, given=(paths,)):
        problems += rendered.problems
        listeners.extend(rendered.listeners)
        for document in rendered.clusters:
            further.setdefault(document["name"], document)
        destinations.setdefault(rendered.destination["name"], rendered.destination)
    listeners.extend(memo.map(envoy_load_balancers.listener, plan.balancer_sockets, given=(paths,)))
    listeners.extend(memo.map(envoy_checkers.listener, plan.health_checkers, given=(paths,)))
    balanced = memo.map(envoy_load_balancers.route_configuration, plan.balancer_sockets)
    routes = memo.joined("routes", routes, balanced, memo.map(envoy_checkers.route_configuration, plan.health_checkers))
    further |= {document["name"]: document for documents in memo.map(envoy_checkers.clusters, plan.health_checkers, given=(paths,)) for document in documents}
    if plan.tls_listeners:
        further[envoy_tls.NOWHERE] = envoy_tls.nowhere()
    return EnvoySnapshot(
        clusters=memo.overlaid("clusters", clusters, memo.steady("clusters", further)),
        endpoints=memo.index("endpoints", memo.map(_NAME, plan.clusters, of="plan"), targets),
        destinations=memo.steady("destinations", destinations),
        listeners=_by_name("listeners", tuple(listeners), problems, memo),
        scopes=_by_name("scopes", scopes, problems, memo),
        routes=_by_name("routes", routes, problems, memo),
        certificates={item.name: item for item in plan.certificates},
        problems=tuple(sorted(problems)),
    )


def _cluster(plan: Cluster, paths: EnvoyPaths) -> Document:
    return envoy_clusters.cluster(plan, paths.namespace)


_NAME, _NAMED = attrgetter("name"), itemgetter("name")


def _by_name(kind: str, documents: tuple[Document, ...], problems: list[Problem], memo: Memo) -> Table:
    """Index by name; of two with one name the first stays, and the clash is a problem."""
    names = memo.map(_NAMED, documents, of=kind)
    table = memo.index(kind, names, documents)
    if len(table) == len(documents):
        return table
    problems += [Problem(f"envoy:{kind}", name, f"two {kind} have the name {name}") for name, times in Counter(names).items() for _ in range(times - 1)]
    return dict(zip(reversed(names), reversed(documents), strict=True))


def inconsistencies(snapshot: EnvoySnapshot, memo: Memo | None = None) -> tuple[str, ...]:
    """What makes a snapshot unfit for publishing: references to nothing, sockets claimed twice, impossible ports. Empty when it is whole."""
    memo = memo or Memo()
    found = [
        *_missing("listener", snapshot.listeners, routes_of, "the route configuration", snapshot.routes, memo),
        *_missing("listener", snapshot.listeners, certificates_of, "the certificate", snapshot.certificates, memo),
        *_missing("listener", snapshot.listeners, _clusters_of, "the cluster", snapshot.clusters, memo),
        *_missing("listener", snapshot.listeners, destinations_of, "the destination", snapshot.destinations, memo),
        *_missing("scope", snapshot.scopes, _leads_to, "the route configuration", snapshot.routes, memo),
        *_missing("route configuration", snapshot.routes, _clusters_of, "the cluster", snapshot.clusters, memo),
        *_missing("cluster", snapshot.clusters, _discovered, "the endpoints", snapshot.endpoints, memo),
        *_sockets_claimed_twice(snapshot.listeners, memo.map(_socket, snapshot.listeners.values())),
        *_bad_ports("listener", snapshot.listeners, 1, memo),
        *_bad_ports("endpoints", snapshot.endpoints, 0, memo),
    ]
    return tuple(sorted(found))


def _missing(kind: str, table: Table, mentions: Callable[[Document], tuple[str, ...]], other: str, there: Mapping[str, Any], memo: Memo) -> list[str]:
    """What documents of a kind mention of another kind, and is not there."""
    mentioned = memo.mapped(mentions, table, of=kind)
    missing = memo.missing((kind, other), memo.mentioned((kind, other), mentioned), there)
    pairs = ((name, one) for name, own in mentioned.items() for one in own if one in missing) if missing else ()
    return [f"{kind} {name} names {other} {one}, which does not exist" for name, one in pairs]


def _leads_to(scope: Document) -> tuple[str, ...]:
    return (scope["route_configuration_name"],)


def _discovered(cluster: Document) -> tuple[str, ...]:
    return (cluster["name"],) if cluster["type"] == "EDS" else ()


def routes_of(listener: Document) -> tuple[str, ...]:
    """Names of the route configurations that a listener is incomplete without."""
    return tuple(dict.fromkeys(_values(listener, "route_config_name")))


def destinations_of(listener: Document) -> tuple[str, ...]:
    """Names of the destinations that a listener is incomplete without: of its filters whose configuration is a resource of its own."""
    return tuple(found["name"] for chain in listener.get("filter_chains", ()) for found in chain.get("filters", ()) if "config_discovery" in found)


def _clusters_of(document: Document) -> tuple[str, ...]:
    """Names of data clusters: of weighted clusters and of TCP proxies."""
    weighted = [item["name"] for group in _values(document, "weighted_clusters") for item in group["clusters"]]
    return (*weighted, *(name for name in _values(document, "cluster") if isinstance(name, str)))


def _bad_ports_of(document: Document, least: int) -> tuple[int, ...]:
    return tuple(port for port in _values(document, "port_value") if not least <= port <= MOST_PORTS)


def _socket(listener: Document) -> tuple[str, str, int]:
    socket = listener["address"]["socket_address"]
    return socket["network_namespace_filepath"], socket["address"], socket["port_value"]


def _sockets_claimed_twice(names: Iterable[str], sockets: tuple[tuple[str, str, int], ...]) -> list[str]:
    owners: dict[tuple[str, str, int], str] = {}
    found = []
    for name, socket in zip(names, sockets, strict=True) if len({*sockets}) < len(sockets) else ():
        if socket in owners:
            found.append(f"listeners {owners[socket]} and {name} claim the same socket {socket[1]}:{socket[2]}")
        owners[socket] = name
    return found


def _bad_ports(kind: str, table: Table, least: int, memo: Memo) -> list[str]:
    bad = memo.mapped(_bad_ports_of, table, given=(least,), of=kind)
    return [f"{kind} {name} has the port {port}" for name, own in bad.items() for port in own] if memo.mentioned(("ports", kind), bad) else []


def _values(node: Any, key: str) -> list[Any]:
    """Every value stored under `key`, at any depth."""
    if isinstance(node, dict):
        here = [node[key]] if key in node else []
        return here + [value for child in node.values() for value in _values(child, key)]
    if isinstance(node, list):
        return [value for child in node for value in _values(child, key)]
    return []
