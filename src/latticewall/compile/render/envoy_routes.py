"""The services of HTTP and HTTPS listeners and their routes: a route configuration for each service, and a scope for each of its names.

Envoy builds a route configuration as a whole, and a service network has many services: so each has its own, and one service more touches no other. A request
finds it by scope: what its listener says in a header, with the host that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from latticewall.base.memo import Memo
from latticewall.compile.render.envoy_clusters import any_of, seconds
from latticewall.compile.render.envoy_http import DEFAULT_IDLE, LUA, UNDECIDED, header
from latticewall.compile.render.envoy_log import IDENTITY_HEADER, literal
from latticewall.compile.render.envoy_versions import OVER_HTTP_1_0, REFUSED, SERVICES_HEADER, STATUS, Variant, conditions, narrowed, variants
from latticewall.plan.access_log import NO_RULE, targets_of_route
from latticewall.plan.node import Problem
from latticewall.plan.proxy import HeaderMatch, HttpRoute, HttpServices, RouteMatch, VirtualHost

Document = dict[str, Any]
Documents = tuple[Document, ...]

_PER_ROUTE_LUA = "envoy.extensions.filters.http.lua.v3.LuaPerRoute"
_OFF = any_of("envoy.config.route.v3.FilterConfig", disabled=True)


@dataclass(frozen=True)
class Services:
    """What all route configurations of HttpServices have of these. name: what requests say in the header."""

    name: str
    port: int
    scheme: str


_DOMAINS = attrgetter("domains")


class _Claims(NamedTuple):
    """hosts: in order of service, and the names that each has. refused: what a host may not have, because another one has it."""

    hosts: tuple[VirtualHost, ...]
    domains: tuple[tuple[str, ...], ...]
    refused: tuple[tuple[VirtualHost, str], ...]


def route_configurations(found: tuple[HttpServices, ...], report: Callable[[Problem], None], memo: Memo) -> tuple[Documents, Documents]:
    """Scopes, and the route configurations that they lead to: of all services everywhere, by Host (the port in it plays no part and stays in it). Any other
    name has no route."""
    places = memo.steady(Services, {item.name: Services(item.name, item.port, item.scheme) for item in found})
    parts = memo.parts(_Claims, places)
    scopes, routes = [], []
    for item in found:
        place, part = places[item.name], parts[item.name]
        claimed = part.once(_claims, part, item.hosts)
        for host, domain in claimed.refused:
            network = host.service_network_arn.rpartition("/")[2]
            report(Problem("vpc-lattice:Service", host.service_id, f"{domain} already names another service on port {item.port} of {network}"))
        scopes.append(part.flat(_scopes, part.map(_scopes, claimed.hosts, claimed.domains, given=(place,))))
        routes.append(part.map(route_configuration, claimed.hosts, claimed.domains, given=(place,)))
    return memo.joined(_scopes, *scopes), memo.joined(route_configuration, *routes)


def _claims(memo: Memo, virtual_hosts: tuple[VirtualHost, ...]) -> _Claims:
    """Of hosts that want the same name the first one has it."""
    hosts = memo.ordered(_Claims, attrgetter("service_id"), virtual_hosts)
    domains = memo.map(_DOMAINS, hosts)
    wanted = memo.flat(_claims, domains)
    if len(memo.counts(_claims, wanted)) == len(wanted):
        return _Claims(hosts, domains, ())
    owner: dict[str, VirtualHost] = {}
    for host in hosts:
        for domain in host.domains:
            owner.setdefault(domain, host)
    had = [(host, tuple(domain for domain in host.domains if owner[domain] is host)) for host in hosts]
    refused = tuple((host, domain) for host in hosts for domain in sorted(host.domains) if owner[domain] is not host)
    return _Claims(tuple(host for host, domains in had if domains), tuple(domains for _, domains in had if domains), refused)


def _scopes(host: VirtualHost, domains: tuple[str, ...], services: Services) -> list[Document]:
    """Named after what leads there, so that a name that goes from one service to another is one changed scope."""
    return [
        {
            "name": f"{services.name} {domain}",
            "route_configuration_name": _name(services, host),
            "key": {"fragments": [{"string_key": services.name}, {"string_key": domain}]},
        }
        for domain in domains
    ]


def _name(services: Services, host: VirtualHost) -> str:
    return f"{services.name} {host.service_id}"


def route_configuration(host: VirtualHost, domains: tuple[str, ...], services: Services) -> Document:
    return {
        "name": _name(services, host),
        "virtual_hosts": [_virtual_host(services, host, domains)],
        "request_headers_to_add": [
            header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
            header("x-forwarded-port", str(services.port)),
        ],
        "request_headers_to_remove": ["x-envoy-external-address", "x-envoy-internal", SERVICES_HEADER],
    }


def _virtual_host(services: Services, host: VirtualHost, domains: tuple[str, ...]) -> Document:
    """Its names as clients spell them, without the port or with it. All other spellings have no route here: the filter looks what is meant, if anything."""
    document: Document = {
        "name": host.service_id,
        "domains": [spelt for domain in domains for spelt in (domain, f"{domain}:{services.port}")],
        "routes": [_old_version(services, host), *(_route(services, host, variant) for route in host.routes for variant in variants(route))],
        "typed_per_filter_config": _authorization(host),
        "metadata": {"filter_metadata": {LUA: _asked_for(host)}},
    }
    return document if host.authorize else {**document, "request_headers_to_remove": [IDENTITY_HEADER]}


def _authorization(host: VirtualHost) -> Document:
    """What the filter is told about what the request is for; where it came in, it knows from its listener. Where nothing is to be decided, the filters are
    not made at all."""
    if not host.authorize:
        return {LUA: _OFF, UNDECIDED: _OFF}
    return {LUA: any_of(_PER_ROUTE_LUA, filter_context=_asked_for(host))}


def _asked_for(host: VirtualHost) -> Document:
    """Also where the filter looks when the route was found only by the filter itself."""
    return {"at": f"{host.service_arn} {host.service_network_arn}"} if host.authorize else {"authorize": "no"}


def _old_version(services: Services, host: VirtualHost) -> Document:
    """What HTTP/1.0 gets of whatever rule, before anybody is asked who may: listeners speak HTTP/1.1 and HTTP/2."""
    return {
        "name": f"{_route_name(host, None, authorize=False)} {REFUSED}",
        "match": narrowed(_match(services, RouteMatch()), OVER_HTTP_1_0),
        "direct_response": {"status": 426},
        "typed_per_filter_config": {LUA: _OFF, UNDECIDED: _OFF},
    }


def _route_name(host: VirtualHost, route: HttpRoute | None, *, authorize: bool) -> str:
    """What the access log says of a route (`plan.access_log`): a name costs a tenth of what metadata does. route: None for whatever rule."""
    targets, rule = (targets_of_route(route.target_groups), route.rule_id) if route else (targets_of_route(()), NO_RULE)
    return " ".join((host.service_network_arn, host.service_arn, host.listener_id, "yes" if authorize else "no", targets, rule))


def _route(services: Services, host: VirtualHost, variant: Variant[HttpRoute]) -> Document:
    route = variant.route
    name = _route_name(host, route, authorize=host.authorize)
    document: Document = {"name": name, "match": conditions(_match(services, route.match), variant)}
    if variant.refuses:
        return {**document, "name": f"{name} {REFUSED}", "direct_response": {"status": STATUS}}
    weighted = [(name, weight) for name, weight in route.clusters if weight > 0]
    if route.fixed_status:
        return {**document, "direct_response": {"status": route.fixed_status}}
    if not weighted:
        # a forward action whose weights are all zero has nowhere to go: the service cannot connect to a target
        return {**document, "direct_response": {"status": 500}}
    arns = {name: arn for name, arn, _ in route.target_groups}
    clusters = [
        {"name": name, "weight": weight, "request_headers_to_add": [_target_header(host, arns.get(name, "-"))]} for name, weight in weighted
    ]
    # no limit on the whole request, only on silence: the idle timeout governs ("Quotas for Amazon VPC Lattice")
    action = {"timeout": "0s"} if host.idle_timeout == DEFAULT_IDLE else {"timeout": "0s", "idle_timeout": seconds(host.idle_timeout)}
    if len(clusters) == 1:
        (only,) = clusters
        return {**document, "route": {"cluster": only["name"], **action}, "request_headers_to_add": only["request_headers_to_add"]}
    return {**document, "route": {"weighted_clusters": {"clusters": clusters}, **action}}


def _target_header(host: VirtualHost, target_group_arn: str) -> Document:
    value = f"ServiceArn={host.service_arn}; ServiceNetworkArn={host.service_network_arn}; TargetGroupArn={target_group_arn}"
    return header("x-amzn-lattice-target", literal(value))


def _match(services: Services, match: RouteMatch) -> Document:
    """Envoy compares scopes by a hash that was not made to withstand anybody: which listener a request came in by is compared once more here."""
    document: Document = {"path": match.path} if match.path_mode == "exact" else {"prefix": match.path if match.path_mode == "prefix" else ""}
    if match.path_mode != "any" and not match.case_sensitive:
        document["case_sensitive"] = False
    method = [{"name": ":method", "string_match": {"exact": match.method}}] if match.method else []
    came_in = {"name": SERVICES_HEADER, "string_match": {"prefix": f"{services.name} "}}
    return {**document, "headers": [came_in, *method, *(_header_match(item) for item in match.headers)]}


def _header_match(match: HeaderMatch) -> Document:
    name = ":authority" if match.name == "host" else match.name  # as Envoy calls it
    return {"name": name, "string_match": {match.mode: match.value, "ignore_case": not match.case_sensitive}}
