"""ProxyPlan -> Envoy's resources, as plain dictionaries in proto3 JSON form, so that a golden file can be read and compared.

Four kinds of resource, one table each: clusters, endpoints, listeners, routes. What changes often is kept apart from what is expensive to
change: registering a target touches endpoints only, a rule or an auth type touches routes only, and neither closes a connection.
A listener's definition holds only what belongs to its (VPC, port).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.compile.render import envoy_clusters, envoy_http, envoy_tcp, envoy_tls
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.plan.node import Problem
from latticewall.plan.proxy import ProxyPlan

Document = dict[str, Any]
Table = Mapping[str, Document]

TYPE_URLS = {
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "listeners": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}


@dataclass(frozen=True)
class EnvoySnapshot:
    """Everything Envoy gets, by resource name. problems: what could not be rendered, while the rest is whole."""

    clusters: Table = field(default_factory=dict)
    endpoints: Table = field(default_factory=dict)
    listeners: Table = field(default_factory=dict)
    routes: Table = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def table(self, kind: str) -> Table:
        """kind: a key of TYPE_URLS."""
        return {"clusters": self.clusters, "endpoints": self.endpoints, "listeners": self.listeners, "routes": self.routes}[kind]


def version(document: Document) -> str:
    """A resource's version: a hash of its content, so that an unchanged resource keeps its version whoever serves it."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:20]


def render(plan: ProxyPlan, paths: EnvoyPaths | None = None) -> EnvoySnapshot:
    """The snapshot of a plan. Equal plans give equal snapshots, in any order of their parts."""
    paths = paths or EnvoyPaths()
    problems: list[Problem] = []
    clusters = _by_name("clusters", (envoy_clusters.cluster(item, paths.namespace) for item in plan.clusters), problems)
    endpoints = {item.name: envoy_clusters.endpoints(item) for item in plan.clusters}
    listeners = [envoy_http.listener(item, paths) for item in plan.http_listeners]
    routes = [envoy_http.route_configuration(item, problems.append) for item in plan.http_listeners]
    for tcp in plan.tcp_listeners:
        rendered = envoy_tcp.listeners_and_clusters(tcp, paths, problems.append)
        listeners.extend(rendered.listeners)
        clusters.update(_by_name("clusters", rendered.clusters, problems))
    if plan.tls_listeners:
        listeners = envoy_tls.joined(listeners, [envoy_tls.listener(item, paths) for item in plan.tls_listeners])
        clusters[envoy_tls.NOWHERE] = envoy_tls.nowhere()
    return EnvoySnapshot(
        clusters=clusters,
        endpoints=endpoints,
        listeners=_by_name("listeners", listeners, problems),
        routes=_by_name("routes", routes, problems),
        problems=tuple(sorted(problems)),
    )


def _by_name(kind: str, documents: Iterable[Document], problems: list[Problem]) -> dict[str, Document]:
    """Index by name; of two with one name the first stays, and the clash is a problem."""
    table: dict[str, Document] = {}
    for document in documents:
        if document["name"] in table:
            problems.append(Problem(f"envoy:{kind}", document["name"], f"two {kind} have the name {document['name']}"))
        else:
            table[document["name"]] = document
    return table


def inconsistencies(snapshot: EnvoySnapshot) -> tuple[str, ...]:
    """What makes a snapshot unfit for publishing: references to nothing, sockets claimed twice, impossible ports. Empty when it is whole."""
    found: list[str] = []
    for name, listener in snapshot.listeners.items():
        missing = [route for route in _values(listener, "route_config_name") if route not in snapshot.routes]
        found += [f"listener {name} names the route configuration {route}, which does not exist" for route in missing]
        found += [f"listener {name} names the cluster {c}, which does not exist" for c in _references(listener) if c not in snapshot.clusters]
    for name, route in snapshot.routes.items():
        found += [f"route configuration {name} names the cluster {c}, which does not exist" for c in _references(route) if c not in snapshot.clusters]
    found += [
        f"cluster {name} has no endpoints resource"
        for name, cluster in snapshot.clusters.items()
        if cluster["type"] == "EDS" and name not in snapshot.endpoints
    ]
    return tuple(found + _sockets_claimed_twice(snapshot.listeners) + _bad_ports(snapshot))


def _references(document: Document) -> list[str]:
    """Names of data clusters: of weighted clusters and of TCP proxies."""
    weighted = [item["name"] for group in _values(document, "weighted_clusters") for item in group["clusters"]]
    return weighted + [name for name in _values(document, "cluster") if isinstance(name, str)]


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


def _bad_ports(snapshot: EnvoySnapshot) -> list[str]:
    tables: tuple[tuple[str, Table, Callable[[int], bool]], ...] = (
        ("listener", snapshot.listeners, lambda port: 1 <= port <= 65535),
        ("endpoints", snapshot.endpoints, lambda port: 0 <= port <= 65535),
    )
    return [
        f"{kind} {name} has the port {port}"
        for kind, table, valid in tables
        for name, document in table.items()
        for port in _values(document, "port_value")
        if not valid(port)
    ]


def _values(node: Any, key: str) -> list[Any]:
    """Every value stored under `key`, at any depth."""
    if isinstance(node, dict):
        here = [node[key]] if key in node else []
        return here + [value for child in node.values() for value in _values(child, key)]
    if isinstance(node, list):
        return [value for child in node for value in _values(child, key)]
    return []
