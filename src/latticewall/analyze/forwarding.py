"""What becomes of a request that may pass: the listener rule that applies, and the targets it leads to."""

from __future__ import annotations

from latticewall.analyze.gate import Gate, Outcome
from latticewall.analyze.path import Region
from latticewall.analyze.question import Asked
from latticewall.analyze.targets import NO_TARGET, Health, target_gates
from latticewall.plan.proxy import HeaderMatch, RouteMatch, VirtualHost


def forwarding_gates(region: Region, host: VirtualHost, asked: Asked, health: Health) -> list[Gate]:
    """The listener's first rule that matches, then its targets and what is between."""
    route = next((route for route in host.routes if matches(route.match, asked)), None)
    if route is None:
        detail = f"no rule of listener {host.listener_id} matches {asked.method} {asked.path}: the answer is 404"
        return [Gate("listener-rule", Outcome.FAIL, detail, host.listener_id)]
    rule = Gate("listener-rule", Outcome.PASS, f"{described(route.match)} matches {asked.method} {asked.path}", route.rule_id)
    if route.fixed_status:
        return [rule, Gate("target", Outcome.SKIP, f"the rule answers {route.fixed_status} itself", route.rule_id)]
    arns = {name: arn for name, arn, _ in route.target_groups}
    return [rule, *target_gates(region, route.clusters, arns, route.rule_id, NO_TARGET, health, asked)]


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
    values = [asked.authority] if match.name == "host" else [value for name, value in asked.headers if name.lower() == match.name]
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
