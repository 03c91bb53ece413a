"""ProxyPlan -> Envoy's resources, as plain dictionaries in proto3 JSON form, so that a golden file can be read and compared.

Seven kinds of resource, one table each: clusters, endpoints, destinations, listeners, scopes, routes, secrets. What changes often is kept apart from what is
expensive to change: registering a target touches endpoints only, a rule or an auth type touches the service's routes only, a service its scopes and its routes
only, another address of a TCP resource its destination only, another certificate its secret only, and none of them closes a connection.
A listener's definition holds only what belongs to its (VPC, port).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from latticewall.base.memo import Memo
from latticewall.compile.render import envoy_clusters, envoy_http, envoy_load_balancers, envoy_routes, envoy_tcp, envoy_tls
from latticewall.compile.render.envoy_https import certificates_of
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.compile.render.envoy_sockets import by_socket
from latticewall.plan.https import Certificate
from latticewall.plan.node import Problem
from latticewall.plan.proxy import Cluster, ProxyPlan

Document = dict[str, Any]
Table = Mapping[str, Document]

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
    clusters = _by_name("clusters", memo.map(_cluster, plan.clusters, [paths] * len(plan.clusters)), problems)
    targets = memo.map(envoy_clusters.endpoints, plan.clusters, [paths.run] * len(plan.clusters))
    endpoints = dict(zip((item.name for item in plan.clusters), targets, strict=True))
    sockets = envoy_http.sockets(plan.http_listeners, memo)
    served = [
        *memo.map(envoy_http.listener, sockets, [paths] * len(sockets)),
        *memo.map(envoy_tls.listener, plan.tls_listeners, [paths] * len(plan.tls_listeners)),
    ]
    listeners = by_socket(served)
    scopes, routes = envoy_routes.route_configurations(plan.http_listeners, problems.append, memo)
    destinations: dict[str, Document] = {}
    for rendered in memo.map(envoy_tcp.rendered, plan.tcp_listeners, [paths] * len(plan.tcp_listeners)):
        problems += rendered.problems
        listeners.extend(rendered.listeners)
        for document in rendered.clusters:
            clusters.setdefault(document["name"], document)
        destinations.setdefault(rendered.destination["name"], rendered.destination)
    listeners.extend(memo.map(envoy_load_balancers.listener, plan.balancer_sockets, [paths] * len(plan.balancer_sockets)))
    routes = [*routes, *memo.map(envoy_load_balancers.route_configuration, plan.balancer_sockets)]
    if plan.tls_listeners:
        clusters[envoy_tls.NOWHERE] = envoy_tls.nowhere()
    return EnvoySnapshot(
        clusters=memo.steady("clusters", clusters),
        endpoints=endpoints,
        destinations=memo.steady("destinations", destinations),
        listeners=memo.steady("listeners", _by_name("listeners", listeners, problems)),
        scopes=_by_name("scopes", scopes, problems),
        routes=_by_name("routes", routes, problems),
        certificates={item.name: item for item in plan.certificates},
        problems=tuple(sorted(problems)),
    )


def _cluster(plan: Cluster, paths: EnvoyPaths) -> Document:
    return envoy_clusters.cluster(plan, paths.namespace)


def _by_name(kind: str, documents: Iterable[Document], problems: list[Problem]) -> dict[str, Document]:
    """Index by name; of two with one name the first stays, and the clash is a problem."""
    table: dict[str, Document] = {}
    for document in documents:
        if document["name"] in table:
            problems.append(Problem(f"envoy:{kind}", document["name"], f"two {kind} have the name {document['name']}"))
        else:
            table[document["name"]] = document
    return table


def inconsistencies(snapshot: EnvoySnapshot, memo: Memo | None = None) -> tuple[str, ...]:
    """What makes a snapshot unfit for publishing: references to nothing, sockets claimed twice, impossible ports. Empty when it is whole."""
    memo = memo or Memo()
    found: list[str] = []
    listeners = dict(zip(snapshot.listeners, memo.map(_mentions, snapshot.listeners.values()), strict=True))
    mentions = dict(zip(snapshot.routes, memo.map(_clusters_of, snapshot.routes.values()), strict=True))
    for name, listener in listeners.items():
        missing = [route for route in listener.routes if route not in snapshot.routes]
        found += [f"listener {name} names the route configuration {route}, which does not exist" for route in missing]
        unknown = [certificate for certificate in listener.certificates if certificate not in snapshot.certificates]
        found += [f"listener {name} names the certificate {certificate}, which does not exist" for certificate in unknown]
        found += [f"listener {name} names the cluster {c}, which does not exist" for c in listener.clusters if c not in snapshot.clusters]
        found += [f"listener {name} names the destination {d}, which does not exist" for d in listener.destinations if d not in snapshot.destinations]
    for name, scope in snapshot.scopes.items():
        if scope["route_configuration_name"] not in snapshot.routes:
            found.append(f"scope {name} names the route configuration {scope['route_configuration_name']}, which does not exist")
    for name, clusters in mentions.items():
        found += [f"route configuration {name} names the cluster {c}, which does not exist" for c in clusters if c not in snapshot.clusters]
    found += [
        f"cluster {name} has no endpoints resource"
        for name, cluster in snapshot.clusters.items()
        if cluster["type"] == "EDS" and name not in snapshot.endpoints
    ]
    ports = dict(zip(snapshot.endpoints, memo.map(_ports, snapshot.endpoints.values()), strict=True))
    return tuple(found + _sockets_claimed_twice(snapshot.listeners) + _bad_ports(listeners, ports))


class _Mentions(NamedTuple):
    """What a listener speaks of."""

    routes: tuple[str, ...]
    destinations: tuple[str, ...]
    certificates: tuple[str, ...]
    clusters: tuple[str, ...]
    ports: tuple[int, ...]


def _mentions(listener: Document) -> _Mentions:
    return _Mentions(routes_of(listener), destinations_of(listener), certificates_of(listener), _clusters_of(listener), _ports(listener))


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


def _ports(document: Document) -> tuple[int, ...]:
    return tuple(_values(document, "port_value"))


def _sockets_claimed_twice(listeners: Table) -> list[str]:
    owners: dict[tuple[str, str, int], str] = {}
    found = []
    for name, listener in listeners.items():
        socket = listener["address"]["socket_address"]
        key = (socket["network_namespace_filepath"], socket["address"], socket["port_value"])
        if key in owners:
            found.append(f"listeners {owners[key]} and {name} claim the same socket {key[1]}:{key[2]}")
        owners[key] = name
    return found


def _bad_ports(listeners: Mapping[str, _Mentions], endpoints: Mapping[str, tuple[int, ...]]) -> list[str]:
    found = [f"listener {name} has the port {port}" for name, mentioned in listeners.items() for port in mentioned.ports if not 1 <= port <= 65535]
    return found + [f"endpoints {name} has the port {port}" for name, ports in endpoints.items() for port in ports if not 0 <= port <= 65535]


def _values(node: Any, key: str) -> list[Any]:
    """Every value stored under `key`, at any depth."""
    if isinstance(node, dict):
        here = [node[key]] if key in node else []
        return here + [value for child in node.values() for value in _values(child, key)]
    if isinstance(node, list):
        return [value for child in node for value in _values(child, key)]
    return []
