"""What becomes of a request that may pass: the listener rule that applies, and the targets it leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from latticewall.analyze.gate import Gate, Outcome
from latticewall.analyze.question import Asked
from latticewall.plan.proxy import Cluster, HeaderMatch, ProxyPlan, RouteMatch, VirtualHost

Health = Callable[[str], Mapping[tuple[str, int], str]]
"""Target group id -> {(address, port): HEALTHY or UNHEALTHY}, for the targets that have been checked."""


def forwarding_gates(proxy: ProxyPlan, host: VirtualHost, asked: Asked, health: Health) -> list[Gate]:
    """The listener's first rule that matches, then its targets."""
    route = next((route for route in host.routes if matches(route.match, asked)), None)
    if route is None:
        detail = f"no rule of listener {host.listener_id} matches {asked.method} {asked.path}: the answer is 404"
        return [Gate("listener-rule", Outcome.FAIL, detail, host.listener_id)]
    rule = Gate("listener-rule", Outcome.PASS, f"{described(route.match)} matches {asked.method} {asked.path}", route.rule_id)
    if route.fixed_status:
        return [rule, Gate("target", Outcome.SKIP, f"the rule answers {route.fixed_status} itself", route.rule_id)]
    return [rule, targets_gate(proxy, route.clusters, dict(route.target_groups), route.rule_id, "the answer is 503", health)]


def matches(match: RouteMatch, asked: Asked) -> bool:
    """As Envoy routes: path without query, all header conditions, the method."""
    path, wanted = (asked.path, match.path) if match.case_sensitive else (asked.path.lower(), match.path.lower())
    if match.path_mode == "exact" and path != wanted:
        return False
    if match.path_mode == "prefix" and not path.startswith(wanted):
        return False
    if match.method and match.method != asked.method:
        return False
    return all(_header_matches(header, asked) for header in match.headers)


def _header_matches(match: HeaderMatch, asked: Asked) -> bool:
    values = [value for name, value in asked.headers if name.lower() == match.name]
    if not values:
        return False
    given, wanted = ",".join(values), match.value
    if not match.case_sensitive:
        given, wanted = given.lower(), wanted.lower()
    return {"exact": given == wanted, "prefix": given.startswith(wanted)}.get(match.mode, wanted in given)


def described(match: RouteMatch) -> str:
    """The conditions of a rule in words."""
    parts = [match.method, "any path" if match.path_mode == "any" else f"path {match.path_mode} {match.path}"]
    parts += [f"header {header.name} {header.mode} {header.value}" for header in match.headers]
    return ", ".join(filter(None, parts))


def targets_gate(
    proxy: ProxyPlan, weights: Iterable[tuple[str, int]], arns: Mapping[str, str], decided_by: str, nobody: str, health: Health
) -> Gate:
    """Whether somebody is there to answer. Without a healthy target all are used ("Health checks for your VPC Lattice target groups"). weights: target
    groups. nobody: what happens when there is no target."""
    clusters = {cluster.name: cluster for cluster in proxy.clusters}
    weighted = [clusters[name] for name, weight in weights if weight > 0 and name in clusters]
    if not weighted:
        return Gate("target", Outcome.FAIL, "the rule forwards to no target group with a weight", decided_by)
    states = "; ".join(_described_group(cluster, health) for cluster in weighted)
    decided = ", ".join(arns.get(cluster.name, cluster.name) for cluster in weighted)
    if any(cluster.endpoints or cluster.socket for cluster in weighted):
        return Gate("target", Outcome.PASS, states, decided)
    return Gate("target", Outcome.FAIL, f"{states}: {nobody}", decided, change=(f"register a target with {weighted[0].name} (RegisterTargets)",))


def _described_group(cluster: Cluster, health: Health) -> str:
    if cluster.socket:
        return f"{cluster.name}: a function"
    if not cluster.endpoints:
        return f"{cluster.name} has no registered target"
    known = health(cluster.name)
    states = [f"{item.address}:{item.port} {known.get((item.address, item.port), 'not checked').lower()}" for item in cluster.endpoints]
    return f"{cluster.name}: {', '.join(states)}"
